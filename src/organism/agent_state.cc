#include "organism/agent_state.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/strings.h"
#include "organism/words.h"

namespace seedcore::organism {
namespace {

constexpr double kNew = 0.1;
constexpr std::uint64_t kSeed = 0x5eedc07e5eedc07eULL;
constexpr double kOutcomeWeight = 2.0;  // what came of it says more than one word of the text

/// FNV-1a (Fowler, Noll, Vo) from a seed of ours, finished with the splitmix64 mixer so that all bits are usable.
std::uint64_t Hash(std::string_view kind, std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325ULL ^ kSeed;
  const auto feed = [&](std::string_view bytes) {
    for (const char c : bytes) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  };
  feed(kind);
  feed(":");
  feed(text);
  hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9ULL;
  hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebULL;
  return hash ^ (hash >> 31);
}

void AddFeature(StateVector& x, std::string_view kind, std::string_view text, double weight) {
  const std::uint64_t hash = Hash(kind, text);
  x[hash % kStateSize] += (hash >> 63) != 0 ? weight : -weight;
}

double NormOf(const StateVector& x) { return std::sqrt(std::inner_product(x.begin(), x.end(), x.begin(), 0.0)); }

double Average(double old_value, double new_value) { return (1.0 - kNew) * old_value + kNew * new_value; }

}  // namespace

state::RoleProbabilities RolePrior(std::string_view organ_type) {
  struct Row {
    std::string_view type;
    state::RoleProbabilities mix;
  };
  constexpr Row kPriors[] = {{"cognitive", {.3, .6, .1}}, {"actuator", {.7, .2, .1}}, {"utility", {.2, .3, .5}},
                             {"graph", {.4, .4, .2}},     {"fact", {.3, .5, .2}},     {"resource", {.5, .3, .2}},
                             {"agentlayer", {.4, .4, .2}}};
  const std::string lower = ToLower(organ_type);
  for (const Row& row : kPriors) {
    if (row.type == lower) return row.mix;
  }
  return {.33, .33, .34};
}

double AgentState::SuccessRate() const {
  return tasks_processed == 0 ? 0.0 : static_cast<double>(successful_tasks) / static_cast<double>(tasks_processed);
}

double AgentState::MeanQuality() const {
  const auto count = std::min<std::int64_t>(tasks_processed, kRecentQualities);
  if (count == 0) return 0.0;
  return std::accumulate(recent_qualities.begin(), recent_qualities.begin() + count, 0.0) / static_cast<double>(count);
}

double AgentState::Norm() const { return NormOf(h); }

std::string_view AgentState::Lifecycle() const {
  constexpr double kScoutCapability = 0.65;
  return capability > kScoutCapability ? "Scout" : "Employed";
}

StateVector EmbedExperience(const Experience& experience) {
  StateVector x{};
  constexpr std::size_t kMaxWords = 256;
  const auto words = Words(experience.description, kMaxWords);
  for (const std::string& word : words) AddFeature(x, "word", word, 1.0 / std::sqrt(static_cast<double>(words.size())));
  AddFeature(x, "type", experience.type, 1.0);
  if (!experience.domain.empty()) AddFeature(x, "domain", experience.domain, 1.0);
  AddFeature(x, experience.success ? "success" : "failure", experience.type, kOutcomeWeight);
  const double norm = NormOf(x);
  // Features of opposite sign may cancel each other out entirely.
  if (norm > 0.0) {
    for (double& value : x) value /= norm;
  }
  return x;
}

AgentState Learn(AgentState state, const Experience& experience) {
  const StateVector x = EmbedExperience(experience);
  for (std::size_t i = 0; i < kStateSize; ++i) state.h[i] = Average(state.h[i], x[i]);
  const double quality = std::clamp(experience.quality, 0.0, 1.0);
  const double hits = std::max(experience.mem_hits, 0);
  state.capability = Average(state.capability, 0.6 * (experience.success ? 1.0 : 0.0) + 0.4 * quality);
  state.mem_util = Average(state.mem_util, 1.0 - 1.0 / (1.0 + hits));
  state.mean_latency_ms =
      state.tasks_processed == 0 ? experience.latency_ms : Average(state.mean_latency_ms, experience.latency_ms);
  state.recent_qualities[static_cast<std::size_t>(state.tasks_processed) % kRecentQualities] = quality;
  ++state.tasks_processed;
  if (experience.success) ++state.successful_tasks;
  state.last_task_at = experience.at;
  return state;
}

}  // namespace seedcore::organism

#include "cognitive/query.h"

#include <algorithm>
#include <array>
#include <functional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cognitive/text.h"

namespace seedcore::cognitive {
namespace {

constexpr std::size_t kMaxQueryBytes = 500;
constexpr std::size_t kMaxSearches = 8;
constexpr std::size_t kMaxVariants = 2;
constexpr std::size_t kMaxSingleWords = 5;

struct Synonyms {
  std::string_view word;
  std::array<std::string_view, 2> others;
};
constexpr std::array<Synonyms, 4> kSynonyms{{{"error", {"failure", "exception"}},
                                             {"performance", {"latency", "throughput"}},
                                             {"memory", {"cache", "storage"}},
                                             {"task", {"job", "work"}}}};

/// What an incident is about, without the series of numbers that would drown it.
std::string IncidentText(const json::object& incident) {
  json::object words;
  for (const auto& member : incident) {
    if (member.key() != "anomalies" && member.key() != "series" && member.key() != "data") {
      words[member.key()] = member.value();
    }
  }
  std::string text = FlattenJson(words, kMaxQueryBytes);
  if (incident.contains("anomalies")) text += " anomaly";
  return text;
}

std::string Names(const json::object& object) {
  std::string names;
  for (const auto& member : object) names.append(names.empty() ? "" : " ").append(member.key());
  return names;
}

std::string Question(TaskType type, const ReasoningRequest& request) {
  switch (type) {
    case TaskType::kFailureAnalysis: return IncidentText(request.incident_context);
    case TaskType::kTaskPlanning:
      if (request.task) return request.task->description.empty() ? request.task->type : request.task->description;
      return request.task_description.empty() ? request.problem_statement : request.task_description;
    case TaskType::kDecisionMaking: return FlattenJson(request.decision_context, kMaxQueryBytes);
    case TaskType::kProblemSolving: return request.problem_statement;
    case TaskType::kMemorySynthesis: {
      if (!request.synthesis_goal.empty()) return request.synthesis_goal;
      return request.memory_fragments.empty() ? "" : FlattenJson(request.memory_fragments.front(), kMaxQueryBytes);
    }
    case TaskType::kCapabilityAssessment: return Names(request.target_capabilities);
  }
  return {};
}

}  // namespace

std::string QueryText(TaskType type, const ReasoningRequest& request) {
  return Shorten(Question(type, request), kMaxQueryBytes);
}

std::vector<std::string> ExpandQuery(const std::string& question) {
  const WordSet content = ContentWords(question);
  if (content.empty()) return {};
  std::vector<std::string> longest(content.begin(), content.end());
  std::vector<std::string> searches{fmt::format("{}", fmt::join(longest, " "))};
  for (const Synonyms& synonyms : kSynonyms) {
    if (!content.contains(synonyms.word)) continue;
    for (const std::string_view other : synonyms.others) {
      if (searches.size() > kMaxVariants) break;
      WordSet variant = content;
      variant.erase(std::string(synonyms.word));
      variant.emplace(other);
      searches.push_back(fmt::format("{}", fmt::join(variant, " ")));
    }
  }
  if (content.size() == 1) return searches;
  std::erase_if(longest, [](const std::string& word) { return word.size() < 3; });
  std::ranges::sort(longest,
                    [](const auto& a, const auto& b) { return a.size() != b.size() ? a.size() > b.size() : a < b; });
  for (std::size_t i = 0; i < std::min(longest.size(), kMaxSingleWords) && searches.size() < kMaxSearches; ++i) {
    searches.push_back(longest[i]);
  }
  return searches;
}

}  // namespace seedcore::cognitive

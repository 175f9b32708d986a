#include "ml/drift.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "base/json_binding.h"

namespace seedcore::ml {
namespace {

constexpr int kVersion = 2;
/// A stream of equal texts, or of equal numbers, still allows this much difference.
constexpr double kSmallestTextDeviation = 0.03;
constexpr double kSmallestRuntimeDeviation = 0.05;
/// The first texts are compared with a centroid of almost nothing; their distances say little about the usual.
constexpr std::int64_t kCentroidTexts = 4;
constexpr std::size_t kLatency = 2;

/// Deviation with a floor, and with a margin for an estimate from few observations.
double Deviation(const RunningMoments& moments, double floor) {
  const double margin = 1.0 + 4.0 / std::max(moments.count, 1.0);
  return std::max(std::sqrt(moments.variance), floor) * margin;
}

/// Latencies spread over orders of magnitude; everything else is within [0, 1] as it is.
double Scaled(double value, std::size_t feature) { return feature == kLatency ? std::log1p(value) : value; }

/// Of what the verdict depends on besides the baseline.
std::uint64_t HashOf(const DriftObservation& observation) {
  std::string bytes;
  const auto append = [&](const auto& value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof value);  // NOLINT: bytes to hash
  };
  if (observation.text) {
    for (const float x : *observation.text) append(x);
  }
  if (observation.runtime) {
    for (const auto& x : *observation.runtime) append(x.value_or(-1.0));
  }
  return StableHash(bytes);
}

double Distance(const std::vector<double>& centroid, const TextVector& text) {
  double dot = 0.0;
  double square = 0.0;
  for (std::size_t i = 0; i < kTextFeatures; ++i) {
    dot += centroid[i] * static_cast<double>(text[i]);
    square += centroid[i] * centroid[i];
  }
  return square > 0.0 ? 1.0 - dot / std::sqrt(square) : 1.0;
}

DriftVerdict MakeVerdict(double deviation, std::int64_t observations, bool warmed_up, const DriftSettings& settings) {
  DriftVerdict verdict;
  verdict.deviation = deviation;
  verdict.log_likelihood = -std::max(0.0, deviation - settings.usual_deviations) / settings.scale;
  verdict.score = -std::expm1(verdict.log_likelihood);
  verdict.confidence = static_cast<double>(observations) / static_cast<double>(observations + settings.warm_up);
  verdict.warmed_up = warmed_up;
  verdict.observations = observations;
  return verdict;
}

// Reading a task.

Result<std::optional<double>> ReadNumber(const json::object& task, std::string_view name, double min, double max) {
  const json::value* value = task.if_contains(name);
  if (value == nullptr || value->is_null()) return std::nullopt;
  if (!value->is_number()) {
    return Fail(ErrorCode::kInvalidArgument, "expected a number, got " + DescribeJson(*value), std::string(name));
  }
  const double number = JsonToDouble(*value);
  if (!(number >= min && number <= max)) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("must be within {} and {}, got {}", min, max, number),
                std::string(name));
  }
  return number;
}

Result<std::string_view> ReadText(const json::object& task, std::string_view name) {
  const json::value* value = task.if_contains(name);
  if (value == nullptr || value->is_null()) return std::string_view();
  if (value->is_string()) return std::string_view(value->get_string());
  return Fail(ErrorCode::kInvalidArgument, "expected a string, got " + DescribeJson(*value), std::string(name));
}

Result<double> ReadHistory(const json::object& task) {
  const json::value* value = task.if_contains("history_ids");
  if (value == nullptr || value->is_null()) return 0.0;
  if (!value->is_array()) {
    return Fail(ErrorCode::kInvalidArgument, "expected an array, got " + DescribeJson(*value), "history_ids");
  }
  return std::min(static_cast<double>(value->get_array().size()) / 10.0, 1.0);
}

// The stored form.

struct StoredMoments {
  double count = 0.0;
  double mean = 0.0;
  double variance = 0.0;
  static constexpr auto kFields =
      Fields(Required("n", &StoredMoments::count, "Observations"), Required("mean", &StoredMoments::mean, "Mean"),
             Required("var", &StoredMoments::variance, "Variance"));
};

struct StoredVerdict {
  std::string id;
  double deviation = 0.0;
  std::int64_t observations = 0;
  bool warmed_up = false;
  std::int64_t expires = 0;
  static constexpr auto kFields = Fields(Required("id", &StoredVerdict::id, "Hash of the task id, or of the input"),
                                         Required("dev", &StoredVerdict::deviation, "Deviation"),
                                         Required("n", &StoredVerdict::observations, "Observations"),
                                         Required("warm", &StoredVerdict::warmed_up, "Warmed up"),
                                         Required("until", &StoredVerdict::expires, "Observations until it expires"));
};

struct StoredBaseline {
  int version = kVersion;
  std::int64_t text_count = 0;
  std::int64_t runtime_count = 0;
  std::vector<double> centroid;
  StoredMoments distance;
  std::vector<StoredMoments> runtime;
  std::vector<StoredVerdict> memo;
  [[nodiscard]] Result<void> Validate() const;
  static constexpr auto kFields = Fields(Required("version", &StoredBaseline::version, "Layout"),
                                         Required("text_count", &StoredBaseline::text_count, "Texts learned"),
                                         Required("runtime_count", &StoredBaseline::runtime_count, "Runtimes learned"),
                                         Required("centroid", &StoredBaseline::centroid, "Mean text"),
                                         Required("distance", &StoredBaseline::distance, "Distance of texts to it"),
                                         Required("runtime", &StoredBaseline::runtime, "Runtime features"),
                                         Required("memo", &StoredBaseline::memo, "Last verdicts"));
};

Result<void> StoredBaseline::Validate() const {
  if (version != kVersion) return Fail(ErrorCode::kInvalidArgument, "unknown layout", "version");
  if (!centroid.empty() && centroid.size() != kTextFeatures) {
    return Fail(ErrorCode::kInvalidArgument, "wrong length", "centroid");
  }
  if (runtime.size() != kRuntimeFeatures) return Fail(ErrorCode::kInvalidArgument, "wrong length", "runtime");
  if (text_count < 0 || runtime_count < 0 || (text_count > 0 && centroid.empty())) {
    return Fail(ErrorCode::kInvalidArgument, "counts that cannot be", "text_count");
  }
  return {};
}

StoredMoments Store(const RunningMoments& moments) { return {moments.count, moments.mean, moments.variance}; }
RunningMoments Restore(const StoredMoments& stored) {
  return {stored.count, stored.mean, std::max(stored.variance, 0.0)};
}

}  // namespace

Result<DriftObservation> ObserveTask(const json::object& task, std::string_view text) {
  constexpr double kLongestLatencyMs = 1e12;
  SEEDCORE_ASSIGN_OR_RETURN(const std::string_view type, ReadText(task, "type"));
  SEEDCORE_ASSIGN_OR_RETURN(const std::string_view description, ReadText(task, "description"));
  SEEDCORE_ASSIGN_OR_RETURN(const auto priority, ReadNumber(task, "priority", 0.0, 10.0));
  SEEDCORE_ASSIGN_OR_RETURN(const auto complexity, ReadNumber(task, "complexity", 0.0, 1.0));
  SEEDCORE_ASSIGN_OR_RETURN(const auto latency_ms, ReadNumber(task, "latency_ms", 0.0, kLongestLatencyMs));
  SEEDCORE_ASSIGN_OR_RETURN(const auto memory, ReadNumber(task, "memory_usage", 0.0, 1.0));
  SEEDCORE_ASSIGN_OR_RETURN(const auto cpu, ReadNumber(task, "cpu_usage", 0.0, 1.0));
  SEEDCORE_ASSIGN_OR_RETURN(const double history, ReadHistory(task));

  DriftObservation observation;
  RuntimeVector& runtime = observation.runtime.emplace();
  const auto latency_s = latency_ms ? std::optional(*latency_ms / 1000.0) : std::nullopt;
  runtime = {priority.value_or(5.0) / 10.0, complexity.value_or(0.5), latency_s, memory, cpu, 0, 0, 0, 0, 0, history};
  constexpr std::array<std::string_view, 4> kTypes{"general_query", "anomaly_triage", "execute", "health_check"};
  const auto known = std::ranges::find(kTypes, type);
  runtime[5 + static_cast<std::size_t>(known - kTypes.begin())] = 1.0;

  const std::string_view shown = !text.empty() ? text : !description.empty() ? description : type;
  const TextVector vector = FeaturizeText(shown);
  // Without a single word there is nothing to compare.
  if (std::ranges::any_of(vector, [](float x) { return x != 0.0F; })) observation.text = vector;
  return observation;
}

void RunningMoments::Add(double value, double weight) {
  const double delta = value - mean;
  mean += weight * delta;
  variance = (1.0 - weight) * (variance + weight * delta * delta);
  count += 1.0;
}

double DriftBaseline::TextDeviation(const TextVector& text) const {
  if (!TextWarm()) return 0.0;
  // Nearer to the centroid than usual is no drift.
  return std::max(0.0, (Distance(centroid_, text) - distance_.mean) / Deviation(distance_, kSmallestTextDeviation));
}

double DriftBaseline::RuntimeDeviation(const RuntimeVector& runtime) const {
  double largest = 0.0;
  for (std::size_t i = 0; i < kRuntimeFeatures; ++i) {
    if (!runtime[i] || runtime_[i].count < settings_.warm_up) continue;
    const double distance = std::abs(Scaled(*runtime[i], i) - runtime_[i].mean);
    largest = std::max(largest, distance / Deviation(runtime_[i], kSmallestRuntimeDeviation));
  }
  return largest;
}

DriftVerdict DriftBaseline::Score(const DriftObservation& observation) const {
  double deviation = 0.0;
  bool warmed_up = true;
  if (observation.text) {
    deviation = std::max(deviation, TextDeviation(*observation.text));
    warmed_up = warmed_up && TextWarm();
  }
  if (observation.runtime) {
    deviation = std::max(deviation, RuntimeDeviation(*observation.runtime));
    warmed_up = warmed_up && RuntimeWarm();
  }
  return MakeVerdict(deviation, std::max(text_count_, runtime_count_), warmed_up, settings_);
}

void DriftBaseline::LearnText(const TextVector& text) {
  const double smallest_weight = 1.0 / settings_.window;
  double weight = std::max(1.0 / static_cast<double>(text_count_ + 1), smallest_weight);
  if (centroid_.empty()) centroid_.assign(kTextFeatures, 0.0);
  if (text_count_ >= kCentroidTexts) {
    double distance = Distance(centroid_, text);
    const double deviation = TextDeviation(text);
    if (deviation > settings_.usual_deviations) {
      distance = distance_.mean + settings_.usual_deviations * Deviation(distance_, kSmallestTextDeviation);
      weight *= settings_.usual_deviations / deviation;
    }
    distance_.Add(distance, std::max(1.0 / (distance_.count + 1.0), smallest_weight));
  }
  for (std::size_t i = 0; i < kTextFeatures; ++i) {
    centroid_[i] += weight * (static_cast<double>(text[i]) - centroid_[i]);
  }
  ++text_count_;
}

void DriftBaseline::LearnRuntime(const RuntimeVector& runtime) {
  for (std::size_t i = 0; i < kRuntimeFeatures; ++i) {
    if (!runtime[i]) continue;
    RunningMoments& moments = runtime_[i];
    double value = Scaled(*runtime[i], i);
    if (moments.count >= settings_.warm_up) {
      const double reach = settings_.usual_deviations * Deviation(moments, kSmallestRuntimeDeviation);
      value = std::clamp(value, moments.mean - reach, moments.mean + reach);
    }
    moments.Add(value, std::max(1.0 / (moments.count + 1.0), 1.0 / settings_.window));
  }
  ++runtime_count_;
}

void DriftBaseline::Learn(const DriftObservation& observation) {
  if (observation.text) LearnText(*observation.text);
  if (observation.runtime) LearnRuntime(*observation.runtime);
}

const DriftVerdict* DriftBaseline::Recall(std::uint64_t hash) const {
  const auto known = std::ranges::find(memo_, hash, &Remembered::id_hash);
  return known == memo_.end() || runtime_count_ + text_count_ >= known->expires ? nullptr : &known->verdict;
}

void DriftBaseline::Remember(std::uint64_t hash, const DriftVerdict& verdict) {
  if (settings_.memo <= 0) return;
  std::erase_if(memo_, [&](const Remembered& known) { return known.id_hash == hash; });
  if (memo_.size() >= static_cast<std::size_t>(settings_.memo)) memo_.pop_front();
  memo_.push_back({hash, verdict, runtime_count_ + text_count_ + 2 * settings_.memo});
}

DriftVerdict DriftBaseline::Observe(const std::string& task_id, const DriftObservation& observation) {
  const bool has_id = !task_id.empty();
  const std::uint64_t hash = has_id ? StableHash(task_id) : HashOf(observation);
  const DriftVerdict* known = Recall(hash);
  if (known != nullptr && has_id) return *known;
  const DriftVerdict verdict = known != nullptr ? *known : Score(observation);
  Learn(observation);
  if (known == nullptr && (has_id || verdict.warmed_up)) Remember(hash, verdict);
  return verdict;
}

json::value DriftBaseline::ToJson() const {
  StoredBaseline stored{kVersion, text_count_, runtime_count_, centroid_, Store(distance_), {}, {}};
  for (const RunningMoments& moments : runtime_) stored.runtime.push_back(Store(moments));
  for (const Remembered& known : memo_) {
    stored.memo.push_back({fmt::format("{:016x}", known.id_hash), known.verdict.deviation, known.verdict.observations,
                           known.verdict.warmed_up, known.expires});
  }
  return seedcore::ToJson(stored);
}

Result<DriftBaseline> DriftBaseline::FromJson(const json::value& stored, const DriftSettings& settings) {
  DriftBaseline baseline(settings);
  if (stored.is_null()) return baseline;
  auto read = seedcore::FromJson<StoredBaseline>(stored);
  if (!read) return Fail(ErrorCode::kCorrupt, "stored drift baseline: " + read.error().message, read.error().path);
  baseline.text_count_ = read->text_count;
  baseline.runtime_count_ = read->runtime_count;
  baseline.centroid_ = std::move(read->centroid);
  baseline.distance_ = Restore(read->distance);
  for (std::size_t i = 0; i < kRuntimeFeatures; ++i) baseline.runtime_[i] = Restore(read->runtime[i]);
  for (const StoredVerdict& known : read->memo) {
    std::uint64_t id_hash = 0;
    std::from_chars(known.id.data(), known.id.data() + known.id.size(), id_hash, 16);
    baseline.memo_.push_back(
        {id_hash, MakeVerdict(known.deviation, known.observations, known.warmed_up, settings), known.expires});
  }
  while (baseline.memo_.size() > static_cast<std::size_t>(std::max(settings.memo, 0))) baseline.memo_.pop_front();
  return baseline;
}

std::string DriftModelChecksum(const DriftSettings& settings) {
  const std::string description = fmt::format(
      "v{} text={}/{} runtime={} floors={}/{} warm_up={} window={} usual={} scale={}", kVersion, kTextFeatures,
      kMaxTextCharacters, kRuntimeFeatures, kSmallestTextDeviation, kSmallestRuntimeDeviation, settings.warm_up,
      settings.window, settings.usual_deviations, settings.scale);
  return fmt::format("{:016x}", StableHash(description));
}

}  // namespace seedcore::ml

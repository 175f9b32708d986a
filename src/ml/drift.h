#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "ml/text_features.h"

/// Drift: how unusual a task is for its stream. A stream is the tasks of one (type, domain); its baseline is a running
/// description of what is usual there.
namespace seedcore::ml {

struct DriftSettings {
  int warm_up = 16;  ///< observations before a baseline judges; until then the score is 0
  int window = 256;  ///< effective memory of the baseline in observations (exponential forgetting after it)
  double usual_deviations = 3.0;  ///< deviations from the mean that count as usual
  double scale = 2.0;             ///< deviations beyond those at which the score reaches 1 - 1/e
  int memo = 64;  ///< verdicts remembered, so that the same task, or the same input without an id, is told the same
  int max_streams = 1024;  ///< baselines kept in memory; the longest unused is saved and dropped
  int save_every = 32;     ///< observations after which a baseline is saved
};

/// The 11 runtime features of a task (P§3.1), in this order: priority/10, complexity, latency in seconds, memory usage,
/// CPU usage, one-hot of the type (general_query, anomaly_triage, execute, health_check, any other), min(history/10,
/// 1). The three measurements (latency, memory, CPU) are empty where they were not taken.
inline constexpr std::size_t kRuntimeFeatures = 11;
using RuntimeVector = std::array<std::optional<double>, kRuntimeFeatures>;

/// One task as the detector sees it. A part that is absent is neither judged nor learnt.
struct DriftObservation {
  std::optional<TextVector> text;
  std::optional<RuntimeVector> runtime;
};

/// Reads a task object; kInvalidArgument with the path below `task` for a member of the wrong type or out of range.
/// `text` wins over the description, the description over the type.
[[nodiscard]] Result<DriftObservation> ObserveTask(const json::object& task, std::string_view text);

struct DriftVerdict {
  double score = 0.0;  ///< 1 - exp(log_likelihood), [0, 1)
  double log_likelihood =
      0.0;                  ///< -max(0, deviation - usual_deviations) / scale; deviation is the largest of all parts
  double deviation = 0.0;   ///< in standard deviations of the baseline
  double confidence = 0.0;  ///< n / (n + warm_up)
  bool warmed_up = false;
  std::int64_t observations = 0;  ///< in the baseline before this one
};

/// Mean and variance with exponential forgetting: weight 1/n up to `window` observations, 1/window from then on.
struct RunningMoments {
  double count = 0.0;
  double mean = 0.0;
  double variance = 0.0;
  void Add(double value, double weight);
};

/// What is usual in one stream. Scoring is a pure function of baseline and observation. Learning is robust: an unusual
/// observation counts as if it lay at the edge of the usual, so that a burst is not learnt in a few steps and a lasting
/// change is, in some tens. About 3 KB; not thread-safe.
class DriftBaseline {
 public:
  explicit DriftBaseline(const DriftSettings& settings = {}) : settings_(settings) {}

  [[nodiscard]] DriftVerdict Score(const DriftObservation& observation) const;
  void Learn(const DriftObservation& observation);

  /// Score and then Learn. A `task_id` among the last `memo` tasks gets the verdict it had, and nothing is learnt.
  /// Without an id, an input among the last `memo` ones gets the verdict it had as well, but is learnt: who asks twice
  /// is told the same, and a stream without ids still has a baseline. A cold verdict is not kept.
  DriftVerdict Observe(const std::string& task_id, const DriftObservation& observation);

  [[nodiscard]] std::int64_t text_observations() const { return text_count_; }
  [[nodiscard]] std::int64_t runtime_observations() const { return runtime_count_; }
  [[nodiscard]] bool TextWarm() const { return text_count_ >= settings_.warm_up; }

  [[nodiscard]] json::value ToJson() const;
  /// An empty baseline for null; kCorrupt for anything ToJson does not write.
  [[nodiscard]] static Result<DriftBaseline> FromJson(const json::value& stored, const DriftSettings& settings);

 private:
  struct Remembered {
    std::uint64_t id_hash = 0;
    DriftVerdict verdict;
    std::int64_t expires = 0;  ///< count of observations from which on it is forgotten
  };
  [[nodiscard]] const DriftVerdict* Recall(std::uint64_t hash) const;
  void Remember(std::uint64_t hash, const DriftVerdict& verdict);

  [[nodiscard]] double TextDeviation(const TextVector& text) const;
  [[nodiscard]] double RuntimeDeviation(const RuntimeVector& runtime) const;
  [[nodiscard]] bool RuntimeWarm() const { return runtime_count_ >= settings_.warm_up; }
  void LearnText(const TextVector& text);
  void LearnRuntime(const RuntimeVector& runtime);

  DriftSettings settings_;
  std::int64_t text_count_ = 0;
  std::int64_t runtime_count_ = 0;
  std::vector<double> centroid_;  // mean of the text vectors; empty before the first
  RunningMoments distance_;       // of the cosine distance of a text to the centroid before it
  std::array<RunningMoments, kRuntimeFeatures> runtime_{};
  std::deque<Remembered> memo_;  // oldest first, at most settings_.memo
};

/// 16 hex digits over the layout of the features and the constants of the score: equal checksums give equal scores.
[[nodiscard]] std::string DriftModelChecksum(const DriftSettings& settings);

}  // namespace seedcore::ml

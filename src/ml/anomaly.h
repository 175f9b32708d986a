#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "ml/alarm_filter.h"
#include "ml/evidence.h"
#include "ml/outlier_model.h"
#include "ml/tail_likelihood.h"

namespace seedcore::ml {

/// How grave an anomalous point is; a fixed function of its score: medium from 0.6, high from 0.67,
/// critical from 0.75.
enum class Severity { kLow, kMedium, kHigh, kCritical };

/// "low", "medium", "high" or "critical".
std::string_view ToString(Severity severity);

/// What counts as anomalous.
enum class Reporting {
  kPoints,  ///< every outlier (see OutlierModel), and the points at which something begins
  kEvents,  ///< only the latter: one alarm per event, for whoever is woken by it
};
constexpr std::array<std::pair<Reporting, std::string_view>, 2> EnumNames(Reporting) {
  return {{{Reporting::kPoints, "points"}, {Reporting::kEvents, "events"}}};
}

/// Settings of the detector. The defaults are meant for every series; nothing needs tuning by
/// series.
struct AnomalySettings {
  double threshold = 0.5;    ///< A point is anomalous from this score on; in (0, 1].
  std::size_t warm_up = 30;  ///< This many first points raise no alarm; outliers are told from the tenth point on.
  /// Length in points of the refractory period after an alarm (see AlarmFilter); 0 reports every
  /// point.
  std::size_t quiet_period = 200;
  Reporting report = Reporting::kPoints;
};

/// The detector's verdict on one point.
struct AnomalyScore {
  double score = 0.0;     ///< 0 (usual) to 1; 0.5 is where an alarm is worth a look.
  double expected = 0.0;  ///< Value expected from the past, in value units.
  Severity severity = Severity::kLow;
  std::string reason;  ///< The strongest evidence in one sentence; empty below the threshold.
};

/// An anomalous point of a series.
struct AnomalyPoint {
  std::size_t index = 0;  ///< Position in the series, from 0.
  double value = 0.0;
  double score = 0.0;  ///< In [threshold, 1].
  Severity severity = Severity::kLow;
  double expected = 0.0;  ///< Value expected from the past, in value units.
  std::string reason;
};

/// Online anomaly detector for a time series: one pass, no look-ahead, no labels, constant memory.
///
/// Several statistics of each value are compared with models of the past (level, season, linear
/// forecast, symbol contexts, distribution, repetition, patterns). Each statistic is turned into a
/// surprise, -log10 of its own tail probability, learnt online. Surprises beyond 1.5 decades add
/// up, together with the Good-Turing surprise of new patterns, to the strength of the evidence;
/// log10(n / 1000) is taken off after n points, a Bonferroni-like correction for the number of
/// looks. AlarmFilter then holds back repeated alarms. The score is strength / (strength + 5.1), or
/// ratio / (ratio + 1) of OutlierModel, whichever is larger: the first tells that something has
/// begun, the second that this very value is off.
///
/// The detector is deterministic. Memory is constant (about 135 KiB) and a step takes O(1),
/// microseconds. Not thread-safe; one detector per series. docs/detectors.md has the whole method.
class AnomalyDetector {
 public:
  explicit AnomalyDetector(AnomalySettings settings = {});

  /// Scores the next value of the series, then learns it. `when` is the time of the value in UTC;
  /// with it the detector knows seasons of the day and week. Times need be neither regular nor
  /// complete. A NaN or infinite value is an error and leaves the detector unchanged. Magnitudes
  /// above 1e300 count as 1e300.
  std::expected<AnomalyScore, std::string> Observe(double value, std::optional<std::chrono::sys_seconds> when);

 private:
  double Strength(const Observation& observation, std::optional<EvidenceKind>& strongest);

  AnomalySettings settings_;
  EvidenceCollector collector_;
  std::array<TailLikelihood, kEvidenceKinds> tails_;
  std::uint64_t seen_ = 0;
  AlarmFilter filter_;
  OutlierModel outliers_;
};

/// Every point of the series with a score of at least `settings.threshold`, in order. `times` is
/// empty, or has one time per value. kInvalidArgument: a non-finite value, or another number of
/// times; or the error of `check`, which is asked every few thousand points whether to go on. O(n).
Result<std::vector<AnomalyPoint>> DetectAnomalies(std::span<const double> values,
                                                  std::span<const std::chrono::sys_seconds> times,
                                                  AnomalySettings settings = {},
                                                  const std::function<Result<void>()>& check = {});

}  // namespace seedcore::ml

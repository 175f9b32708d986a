#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>
#include <string>

#include "ml/context_model.h"
#include "ml/linear_forecaster.h"
#include "ml/outlier_model.h"
#include "ml/pattern_novelty.h"
#include "ml/robust_mean.h"
#include "ml/run_model.h"
#include "ml/seasonal_baseline.h"
#include "ml/value_history.h"

namespace seedcore::ml {

/// The statistics that are watched, each for one way in which a series can depart from its past.
enum class EvidenceKind : std::size_t {
  kDeviation,       ///< Distance from the usual level, in mean absolute deviations.
  kSeason,          ///< Distance from the seasonal baseline, in usual residuals.
  kSeasonShort,     ///< |Mean seasonal residual| of the last 8 values.
  kSeasonLong,      ///< |Mean seasonal residual| of the last 48 values.
  kLevelShift,      ///< Mean of 12 values against the 144 before, in mean absolute deviations.
  kSlowLevelShift,  ///< Mean of 48 values against the 600 before, in mean absolute deviations.
  kForecastDrift,   ///< |Mean signed forecast error| in usual errors.
  kContext,         ///< Smoothed surprise of the values' order, in bits.
  kDistribution,    ///< Relative entropy of the last 48 values against the past, in nats.
  kSpread,          ///< |ln(spread of 12 values / spread of the 144 before)|.
  kFlatLine,        ///< Repetitions of the value beyond the longest run so far.
};

inline constexpr std::size_t kEvidenceKinds = 11;

/// One statistic and the numbers that a reader needs to understand it.
struct Evidence {
  double statistic = 0.0;  ///< >= 0; larger is less usual.
  double observed = 0.0;   ///< What was seen (units by kind).
  double reference = 0.0;  ///< What it was compared with (units by kind).
  /// Decades of surprise where a model knows them; elsewhere the statistic's tail must be learnt.
  std::optional<double> surprise = std::nullopt;
};

/// Everything known about one value, computed from it and earlier values only.
struct Observation {
  double value = 0.0;
  double expected = 0.0;           ///< Seasonal baseline, else linear forecast, else level; in value units.
  double lowest_before = 0.0;      ///< Least earlier value (the value itself, if it is the first).
  double highest_before = 0.0;     ///< Greatest earlier value (likewise).
  std::optional<double> seasonal;  ///< Seasonal baseline of the value, in value units; empty until known.
  std::array<std::optional<Evidence>, kEvidenceKinds> evidence;  ///< Empty: not enough data yet.
  NoveltyView novelty;
};

/// Runs all models of one series and turns each value into evidence. Memory is constant (about 110
/// KiB).
class EvidenceCollector {
 public:
  /// Compares the value with all models, then lets them learn it. Precondition: |value| <= 1e300.
  Observation Observe(double value, std::optional<std::chrono::sys_seconds> when);

 private:
  static constexpr std::size_t kHistory = 648;
  static constexpr std::size_t kBoundedHistory = 32;

  std::optional<Evidence> CompareMeans(std::size_t recent, std::size_t before, std::size_t needed) const;
  std::optional<Evidence> CompareSpreads(std::size_t recent, std::size_t before, std::size_t needed) const;
  void ObserveSeason(double value, std::optional<std::chrono::sys_seconds> when, Observation& observation);
  void ObserveSymbols(double value, Observation& observation);
  void ObserveRepetition(double value, Observation& observation);

  ValueHistory history_{kHistory};
  ValueHistory bounded_history_{kBoundedHistory};
  RobustMean level_{0.002};
  SeasonalBaseline season_;
  LinearForecaster forecaster_;
  RankCoder coder_;
  ContextModel contexts_;
  double context_surprise_ = 0.0;
  SymbolDivergence divergence_;
  PatternNovelty novelty_;
  RunModel runs_;
  double lowest_ = 0.0;
  double highest_ = 0.0;
};

/// One sentence about the evidence of this kind, for people. Precondition: the evidence is present.
std::string DescribeEvidence(const Observation& observation, EvidenceKind kind);

/// One sentence about a value too far from its forecast, for people.
std::string DescribeOutlier(double value, const OutlierView& outlier);

/// One sentence about the novelty of the value, for people.
std::string DescribeNovelty(const Observation& observation);

}  // namespace seedcore::ml

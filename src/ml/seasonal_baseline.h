#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <optional>

#include "ml/robust_mean.h"
#include "ml/value_history.h"

namespace seedcore::ml {

/// What the seasonal baseline says about one value before learning it.
struct SeasonalView {
  double expected = 0.0;   ///< Baseline for this half-hour of day and week, in value units.
  double residual = 0.0;   ///< Value minus `expected`, in value units.
  double deviation = 1.0;  ///< Usual absolute residual at this time, in value units; > 0.
};

/// Seasonal baseline of a series over the half-hours of the day (UTC) and the days of the week,
/// learnt online.
///
/// Every half-hour of the day and every half-hour of the week keeps a running mean and mean
/// absolute deviation; the weekly cell is shrunk towards the daily one by a prior weight of 1.5
/// values (empirical Bayes in the manner of James and Stein 1961), so a new series starts with a
/// daily profile and grows a weekly one. Memory is constant (48 + 336 cells); a step is O(1).
class SeasonalBaseline {
 public:
  /// Compares the value with the baseline, then learns it. Empty until the same half-hour has been
  /// seen on an earlier day with at least three values.
  std::optional<SeasonalView> Observe(double value, std::chrono::sys_seconds when);

  /// Mean of the last `length` (<= kResiduals) residuals in units of the usual residual, each
  /// clipped at 20; signed. Empty until `length` residuals have been seen.
  [[nodiscard]] std::optional<double> MeanResidual(std::size_t length) const;

 private:
  static constexpr std::size_t kHalfHours = 48;
  static constexpr std::size_t kResiduals = 48;

  struct Cell {
    double mean = 0.0;
    double deviation = 0.0;
    double count = 0.0;
  };

  std::array<Cell, kHalfHours> daily_{};
  std::array<std::chrono::sys_days, kHalfHours> first_day_{};
  std::array<Cell, 7 * kHalfHours> weekly_{};
  RobustMean residual_size_{0.002};
  ValueHistory residuals_{kResiduals};
};

}  // namespace seedcore::ml

#pragma once

#include <cstddef>
#include <optional>

#include "ml/linear_forecaster.h"
#include "ml/robust_mean.h"
#include "ml/sliding_order.h"

namespace seedcore::ml {

/// How far one value lies from its forecast.
struct OutlierView {
  double expected = 0.0;  ///< Forecast from earlier values only, in value units.
  double limit = 0.0;     ///< Distance from which a value is an outlier, in value units; > 0.
  double ratio = 0.0;     ///< Distance / limit; an outlier from 1 on.
};

/// Judges every value of a series by itself: is it further from its forecast than forecasts here usually err?
///
/// The forecast is LinearForecaster (the mean, for the first values) on a cleaned series: an outlier is replaced by its
/// forecast, so that it neither spoils the forecasts after it nor hides the next one. After `kPatience` outliers in a
/// row the values are believed, so that a lasting change becomes the new usual. Where the season is known, the distance
/// is the smaller one of those to the forecast and to the seasonal baseline.
///
/// limit = max(6 sigma, 3 q): sigma = 1.4826 median |error| is the normal-consistent robust deviation (Hampel 1974),
/// q the error that one in fifty of the last 512 exceeds. With normal errors the limit is near 7 sigma; with heavy
/// tails, or with jumps that keep coming back, q rules. While the errors are few the limit is wider. Constant memory; a
/// step is O(512) moves of doubles.
class OutlierModel {
 public:
  /// Compares the value with its forecast, then learns it. `seasonal` is the seasonal baseline of this value, where
  /// known. Empty for the first nine values. Precondition: |value| <= 1e300.
  std::optional<OutlierView> Observe(double value, std::optional<double> seasonal);

 private:
  static constexpr std::size_t kWindow = 512;
  static constexpr std::size_t kSettled = 16;

  /// What to compare the value with: the level at first, the forecaster once it has `kSettled` errors to its name.
  struct Forecast {
    double expected = 0.0;
    const SlidingOrder* errors = nullptr;  ///< of this kind of forecast
  };
  [[nodiscard]] Forecast Choose(std::optional<double> forecast) const;
  [[nodiscard]] double Limit(const SlidingOrder& errors) const;

  RobustMean level_{0.005};
  LinearForecaster forecaster_;
  SlidingOrder level_errors_{2 * kSettled};
  SlidingOrder forecast_errors_{kWindow};
  std::size_t in_a_row_ = 0;
};

}  // namespace seedcore::ml

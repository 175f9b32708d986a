#pragma once

#include <array>
#include <cstddef>
#include <optional>

namespace seedcore::ml {

/// One-step forecast of a series from its last three values and the seasonal baseline, fitted
/// online by recursive least squares with exponential forgetting (Haykin, Adaptive Filter Theory,
/// 1996, ch. 13).
///
/// All inputs are in units of the series' deviation from its level, so that the numbers stay near
/// one whatever the units of the values. Memory is constant; a step is O(kInputs^2).
class LinearForecaster {
 public:
  /// What the model knows about the coming value besides its own past.
  struct Season {
    double expected = 0.0;  ///< Seasonal baseline of the coming value, normalized; 0 without one.
    double residual = 0.0;  ///< Its seasonal residual, normalized; used one step later.
  };

  /// Forecast of the coming value, from earlier ones and `season.expected`. Empty for the first seven values.
  [[nodiscard]] std::optional<double> Forecast(const Season& season) const;

  /// Forecasts the value, then learns it. The returned forecast used only earlier values (and the
  /// baseline's expectation). Empty for the first seven values. Inputs beyond +-10 are clipped for
  /// learning.
  std::optional<double> Observe(double value, const Season& season);

  /// Exponentially weighted mean of the signed forecast errors in units of the usual absolute
  /// error; values near 0 mean an unbiased forecast, lasting values of one sign mean that the
  /// series has left the model.
  [[nodiscard]] double Drift() const { return drift_; }

 private:
  static constexpr std::size_t kLags = 3;
  static constexpr std::size_t kInputs = kLags + 3;
  using Vector = std::array<double, kInputs>;

  [[nodiscard]] Vector Inputs(const Season& season) const;
  void Learn(const Vector& input, double value, double error);
  void LimitCovariance();

  Vector weight_{};
  std::array<Vector, kInputs> covariance_ = InitialCovariance();
  std::array<double, kLags> lags_{};
  double last_residual_ = 0.0;
  double usual_error_ = 0.0;
  double drift_ = 0.0;
  std::size_t seen_ = 0;
  std::size_t learnt_ = 0;

  static std::array<Vector, kInputs> InitialCovariance();
};

}  // namespace seedcore::ml

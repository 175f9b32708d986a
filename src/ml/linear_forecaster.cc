#include "ml/linear_forecaster.h"

#include <algorithm>
#include <cmath>

namespace seedcore::ml {
namespace {

constexpr double kForgetting = 0.998;
constexpr double kInitialVariance = 10.0;
constexpr double kVarianceLimit = 100.0;
constexpr double kVarianceShrink = 0.9;
constexpr double kInputLimit = 10.0;
/// Errors beyond this steer the weights no further (bounded influence).
constexpr double kErrorLimit = 5.0;
/// Bound of a normalized value when its forecast error is measured; keeps infinities out.
constexpr double kErrorBound = 1e6;
constexpr double kBias = 0.1;
constexpr double kErrorRate = 0.003;
constexpr double kDriftRate = 0.05;
constexpr double kLeastError = 1e-6;
constexpr std::size_t kFirstForecast = 7;
constexpr std::size_t kUnclippedErrors = 20;

double Limit(double value, double limit) { return std::clamp(value, -limit, limit); }

}  // namespace

std::array<LinearForecaster::Vector, LinearForecaster::kInputs> LinearForecaster::InitialCovariance() {
  std::array<Vector, kInputs> covariance{};
  for (std::size_t i = 0; i < kInputs; ++i) covariance[i][i] = kInitialVariance;
  return covariance;
}

LinearForecaster::Vector LinearForecaster::Inputs(const Season& season) const {
  return {kBias, lags_[0], lags_[1], lags_[2], Limit(season.expected, kInputLimit), last_residual_};
}

std::optional<double> LinearForecaster::Forecast(const Season& season) const {
  if (seen_ < kFirstForecast) return std::nullopt;
  const Vector input = Inputs(season);
  double sum = 0.0;
  for (std::size_t i = 0; i < kInputs; ++i) sum += weight_[i] * input[i];
  return sum;
}

std::optional<double> LinearForecaster::Observe(double value, const Season& season) {
  const std::optional<double> forecast = Forecast(season);
  if (forecast) Learn(Inputs(season), Limit(value, kInputLimit), Limit(value, kErrorBound) - *forecast);
  ++seen_;
  lags_ = {Limit(value, kInputLimit), lags_[0], lags_[1]};
  last_residual_ = Limit(season.residual, kInputLimit);
  return forecast;
}

void LinearForecaster::Learn(const Vector& input, double value, double error) {
  Vector gain{};
  double denominator = kForgetting;
  double forecast = 0.0;
  for (std::size_t i = 0; i < kInputs; ++i) {
    for (std::size_t j = 0; j < kInputs; ++j) gain[i] += covariance_[i][j] * input[j];
    denominator += gain[i] * input[i];
    forecast += weight_[i] * input[i];
  }
  const double bounded = Limit(value - forecast, kErrorLimit);
  for (std::size_t i = 0; i < kInputs; ++i) weight_[i] += gain[i] / denominator * bounded;
  for (std::size_t i = 0; i < kInputs; ++i) {
    for (std::size_t j = 0; j < kInputs; ++j) {
      covariance_[i][j] = (covariance_[i][j] - gain[i] * gain[j] / denominator) / kForgetting;
    }
  }
  LimitCovariance();

  ++learnt_;
  double size = std::abs(error);
  if (learnt_ > kUnclippedErrors) size = std::min(size, 10.0 * std::max(usual_error_, 1e-3));
  usual_error_ += std::max(kErrorRate, 1.0 / static_cast<double>(learnt_)) * (size - usual_error_);
  drift_ += kDriftRate * (Limit(error / std::max(usual_error_, kLeastError), kInputLimit) - drift_);
}

void LinearForecaster::LimitCovariance() {
  // Inputs that stay constant let the forgetting inflate the covariance without end (wind-up).
  for (std::size_t i = 0; i < kInputs; ++i) {
    if (covariance_[i][i] <= kVarianceLimit) continue;
    for (std::size_t j = 0; j < kInputs; ++j) {
      covariance_[i][j] *= kVarianceShrink;
      covariance_[j][i] *= kVarianceShrink;
    }
  }
}

}  // namespace seedcore::ml

#include "ml/outlier_model.h"

#include <algorithm>
#include <cmath>

namespace seedcore::ml {
namespace {

/// Errors before the first judgement; while they are few, the limit is wider by 1 + 8 / n.
constexpr std::size_t kFirstErrors = 8;
constexpr double kFewErrors = 8.0;
constexpr std::size_t kPatience = 5;
constexpr double kSigmas = 6.0;
constexpr double kNormalConsistent = 1.4826;
constexpr double kUsualErrorFactor = 3.0;
/// One in so many errors may be an outlier without moving the limit.
constexpr std::size_t kOneIn = 50;
/// Below this share of the level, rounding would decide.
constexpr double kLeastShare = 1e-9;
constexpr double kLeastLimit = 1e-300;

}  // namespace

double OutlierModel::Limit(const SlidingOrder& errors) const {
  const double sigma = kNormalConsistent * errors.Median();
  const double usual = errors.Largest((errors.size() + kOneIn - 1) / kOneIn);
  const double margin = 1.0 + kFewErrors / static_cast<double>(errors.size());
  return std::max({margin * kSigmas * sigma, margin * kUsualErrorFactor * usual, kLeastShare * std::abs(level_.mean()),
                   kLeastLimit});
}

OutlierModel::Forecast OutlierModel::Choose(std::optional<double> forecast) const {
  if (forecast && forecast_errors_.size() >= kSettled) return {*forecast, &forecast_errors_};
  return {level_.mean(), &level_errors_};
}

std::optional<OutlierView> OutlierModel::Observe(double value, std::optional<double> seasonal) {
  const double scale = level_.Deviation();
  const auto normalized = [&](double x) { return (x - level_.mean()) / scale; };
  LinearForecaster::Season season;
  if (seasonal) season.expected = normalized(*seasonal);
  std::optional<double> forecast = forecaster_.Forecast(season);
  if (forecast) *forecast = level_.mean() + *forecast * scale;
  const auto error = [&](double expected) {
    const double plain = std::abs(value - expected);
    return seasonal ? std::min(plain, std::abs(value - *seasonal)) : plain;
  };

  std::optional<OutlierView> view;
  double cleaned = value;
  if (const Forecast chosen = Choose(forecast); chosen.errors->size() >= kFirstErrors) {
    const double distance = error(chosen.expected);
    const double limit = Limit(*chosen.errors);
    const bool as_the_season_says = distance < std::abs(value - chosen.expected);
    view = OutlierView{as_the_season_says ? *seasonal : chosen.expected, limit, distance / limit};
    const bool outlier = view->ratio >= 1.0;
    in_a_row_ = outlier ? in_a_row_ + 1 : 0;
    if (outlier && in_a_row_ <= kPatience) cleaned = view->expected;
  }
  if (level_.count() > 0) level_errors_.Push(error(level_.mean()));
  if (forecast) forecast_errors_.Push(error(*forecast));

  if (seasonal) season.residual = (cleaned - *seasonal) / scale;
  forecaster_.Observe(normalized(cleaned), season);
  level_.Learn(cleaned);
  return view;
}

}  // namespace seedcore::ml

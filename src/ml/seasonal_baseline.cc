#include "ml/seasonal_baseline.h"

#include <algorithm>
#include <cmath>

namespace seedcore::ml {
namespace {

constexpr double kDailyWeight = 1.5;
constexpr double kDailyRate = 0.01;
constexpr double kWeeklyRate = 0.05;
/// Share of the overall residual size in a cell's deviation, so that a quiet cell is not taken for
/// certain.
constexpr double kOverallShare = 0.3;
/// Bound of one residual in the mean of recent residuals, in usual residuals.
constexpr double kClip = 20.0;
/// Residuals beyond this many overall sizes move a cell no further.
constexpr double kLearnedClip = 100.0;
/// Counts are weights and stop here; by then the rates above rule.
constexpr double kMostCounted = 1000.0;
constexpr double kMinimumDailyCount = 3.0;
constexpr double kLeastDeviation = 1e-300;

}  // namespace

std::optional<SeasonalView> SeasonalBaseline::Observe(double value, std::chrono::sys_seconds when) {
  const auto day = std::chrono::floor<std::chrono::days>(when);
  const auto slot = static_cast<std::size_t>((when - day) / std::chrono::minutes(30));
  const auto weekday = std::chrono::weekday(day).c_encoding();
  Cell& daily = daily_[slot];
  Cell& weekly = weekly_[weekday * kHalfHours + slot];

  if (daily.count == 0.0) first_day_[slot] = day;
  const bool known = daily.count >= kMinimumDailyCount && first_day_[slot] < day;
  std::optional<SeasonalView> view;
  double learnt = value;
  if (known) {
    const double weight = weekly.count + kDailyWeight;
    const double expected = (weekly.count * weekly.mean + kDailyWeight * daily.mean) / weight;
    const double own = (weekly.count * weekly.deviation + kDailyWeight * daily.deviation) / weight;
    const double overall = residual_size_.mean();
    const double deviation = std::max({own + kOverallShare * overall, 1e-9 * std::abs(expected), kLeastDeviation});
    view = SeasonalView{expected, value - expected, deviation};
    residual_size_.Learn(std::abs(view->residual));
    residuals_.Push(std::clamp(view->residual / deviation, -kClip, kClip));
    if (residual_size_.count() > kHalfHours) {
      const double limit = kLearnedClip * std::max(residual_size_.mean(), deviation);
      learnt = expected + std::clamp(view->residual, -limit, limit);
    }
  }

  const double weekly_prior = weekly.count > 0.0 ? weekly.mean : daily.mean;
  const double weekly_error = std::abs(learnt - weekly_prior);
  const double daily_error = std::abs(learnt - daily.mean);
  daily.count = std::min(daily.count + 1.0, kMostCounted);
  weekly.count = std::min(weekly.count + 1.0, kMostCounted);
  // The very first value of a cell has no earlier mean to deviate from.
  if (daily.count > 1.0) {
    daily.deviation += std::max(1.0 / (daily.count - 1.0), kDailyRate) * (daily_error - daily.deviation);
  }
  daily.mean += std::max(1.0 / daily.count, kDailyRate) * (learnt - daily.mean);
  if (weekly.count > 1.0 || known) {
    weekly.deviation += std::max(1.0 / weekly.count, kWeeklyRate) * (weekly_error - weekly.deviation);
  }
  weekly.mean += std::max(1.0 / weekly.count, kWeeklyRate) * (learnt - weekly.mean);
  return view;
}

std::optional<double> SeasonalBaseline::MeanResidual(std::size_t length) const {
  if (residuals_.size() < length) return std::nullopt;
  return residuals_.Mean(0, length);
}

}  // namespace seedcore::ml

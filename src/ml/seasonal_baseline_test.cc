#include "ml/seasonal_baseline.h"

#include <cmath>

#include <gtest/gtest.h>

namespace seedcore::ml {
namespace {

using std::chrono::days;
using std::chrono::minutes;

constexpr std::chrono::sys_days kMonday = std::chrono::year(2024) / 1 / 1;

TEST(SeasonalBaselineTest, IsEmptyUntilTheTimeOfDayIsKnown) {
  SeasonalBaseline baseline;
  for (int i = 0; i < 6; ++i) {
    EXPECT_FALSE(baseline.Observe(5.0, kMonday + minutes(5 * i)).has_value());
  }
  EXPECT_FALSE(baseline.MeanResidual(8).has_value());
  EXPECT_TRUE(baseline.Observe(5.0, kMonday + days(1)).has_value());
}

TEST(SeasonalBaselineTest, LearnsWeekdaysAndWeekends) {
  SeasonalBaseline baseline;
  std::optional<SeasonalView> view;
  for (int half_hour = 0; half_hour < 48 * 7 * 8; ++half_hour) {
    const int day = half_hour / 48;
    const double value = (day % 7 >= 5 ? 100.0 : 10.0) + half_hour % 48 + day % 2;
    view = baseline.Observe(value, kMonday + minutes(30 * half_hour));
  }
  EXPECT_NEAR(view->expected, 147.0, 15.0) << "Sunday, 23:30";
  view = baseline.Observe(1000.0, kMonday + days(56));
  EXPECT_NEAR(view->expected, 10.0, 10.0) << "Monday, 00:00";
  EXPECT_DOUBLE_EQ(view->residual, 1000.0 - view->expected);
  EXPECT_GT(view->deviation, 0.0);
}

TEST(SeasonalBaselineTest, MeanResidualIsSignedAndBounded) {
  SeasonalBaseline baseline;
  for (int half_hour = 0; half_hour < 48 * 20; ++half_hour) {
    baseline.Observe(half_hour % 2, kMonday + minutes(30 * half_hour));
  }
  for (int half_hour = 0; half_hour < 8; ++half_hour) {
    baseline.Observe(-1e300, kMonday + days(20) + minutes(30 * half_hour));
  }
  EXPECT_DOUBLE_EQ(*baseline.MeanResidual(8), -20.0);
}

TEST(SeasonalBaselineTest, OneHugeValueBarelyMovesTheBaseline) {
  SeasonalBaseline baseline;
  for (int day = 0; day < 30; ++day) {
    for (int slot = 0; slot < 48; ++slot) {
      const bool huge = day == 20 && slot == 12;
      baseline.Observe(huge ? 1e300 : 50.0 + (day + slot) % 3, kMonday + days(day) + minutes(30 * slot));
    }
  }
  EXPECT_NEAR(baseline.Observe(51.0, kMonday + days(30) + minutes(360))->expected, 51.0, 15.0);
}

}  // namespace
}  // namespace seedcore::ml

#include "ml/linear_forecaster.h"

#include <algorithm>
#include <cmath>

#include <gtest/gtest.h>

namespace seedcore::ml {
namespace {

TEST(LinearForecasterTest, LearnsSinusoidFromItsLags) {
  LinearForecaster forecaster;
  double worst = 0.0;
  for (int i = 0; i < 1000; ++i) {
    const double value = std::sin(0.3 * i);
    const auto forecast = forecaster.Observe(value, {});
    EXPECT_EQ(forecast.has_value(), i >= 7);
    if (i > 500) worst = std::max(worst, std::abs(value - *forecast));
  }
  EXPECT_LT(worst, 0.01);
}

TEST(LinearForecasterTest, FollowsTheSeasonalExpectation) {
  LinearForecaster forecaster;
  double worst = 0.0;
  for (int i = 0; i < 1000; ++i) {
    // A square wave cannot be forecast from three lags alone.
    const double value = i % 20 < 10 ? 1.0 : -1.0;
    const auto forecast = forecaster.Observe(value, {.expected = value, .residual = 0.0});
    if (i > 500) worst = std::max(worst, std::abs(value - *forecast));
  }
  EXPECT_LT(worst, 0.05);
}

TEST(LinearForecasterTest, ConstantInputDoesNotWindUp) {
  LinearForecaster forecaster;
  for (int i = 0; i < 100000; ++i) {
    const auto forecast = forecaster.Observe(0.0, {});
    if (forecast) {
      ASSERT_TRUE(std::isfinite(*forecast));
    }
  }
  for (int i = 0; i < 100; ++i) {
    const auto forecast = forecaster.Observe(i % 2 == 0 ? 1e6 : -1e6, {});
    ASSERT_TRUE(std::isfinite(*forecast));
    ASSERT_LE(std::abs(forecaster.Drift()), 10.0);
  }
}

}  // namespace
}  // namespace seedcore::ml

#include "ml/scaling.h"

#include <gtest/gtest.h>

namespace seedcore::ml {
namespace {

ScalingAdvice Advise(std::optional<double> cpu, std::optional<double> memory,
                     std::optional<double> response = std::nullopt) {
  return AdviseScaling(
      {.cpu_usage = cpu, .memory_usage = memory, .response_time = response, .request_rate = std::nullopt});
}

TEST(ScalingTest, ABusyProcessorOrFullMemoryAsksForMore) {
  EXPECT_EQ(Advise(0.85, 0.3).action, ScalingAction::kScaleUp);
  EXPECT_EQ(Advise(0.3, 0.85).action, ScalingAction::kScaleUp);
  EXPECT_EQ(Advise(0.85, std::nullopt).action, ScalingAction::kScaleUp);
}

TEST(ScalingTest, IdleProcessorAndMemoryAskForLess) {
  EXPECT_EQ(Advise(0.1, 0.1).action, ScalingAction::kScaleDown);
  EXPECT_LT(Advise(0.1, 0.1).scale, 1.0);
}

TEST(ScalingTest, ASlowServiceIsNotMadeSmaller) { EXPECT_EQ(Advise(0.1, 0.1, 2.0).action, ScalingAction::kMaintain); }

TEST(ScalingTest, InBetweenStaysAsItIs) { EXPECT_EQ(Advise(0.5, 0.5).action, ScalingAction::kMaintain); }

TEST(ScalingTest, ASingleMetricAwayFromItsLimitsIsOnlyWatched) {
  EXPECT_EQ(Advise(0.5, std::nullopt).action, ScalingAction::kMonitor);
  EXPECT_EQ(Advise(std::nullopt, std::nullopt).action, ScalingAction::kMonitor);
}

TEST(ScalingTest, FactorsFollowTheirThresholdsAndBounds) {
  const ScalingAdvice advice = Advise(0.8, 0.3, 100.0);
  EXPECT_NEAR(advice.factors.at("cpu_usage"), 1.2, 1e-12);
  EXPECT_NEAR(advice.factors.at("memory_usage"), 0.97, 1e-12);
  EXPECT_NEAR(advice.factors.at("response_time"), 1.5, 1e-12);
  EXPECT_NEAR(advice.scale, (1.2 + 0.97 + 1.5) / 3, 1e-12);
}

TEST(ScalingTest, ConfidenceCountsTheMetricsPresent) {
  EXPECT_NEAR(Advise(0.5, std::nullopt).confidence, 1.0 / 3, 1e-12);
  EXPECT_NEAR(Advise(0.5, 0.5).confidence, 2.0 / 3, 1e-12);
  EXPECT_NEAR(
      AdviseScaling({.cpu_usage = 0.5, .memory_usage = std::nullopt, .response_time = std::nullopt, .request_rate = 9})
          .confidence,
      1.0 / 3 + 0.1, 1e-12);
  EXPECT_EQ(Advise(0.5, 0.5, 1.0).confidence, 1.0);
}

TEST(ScalingTest, MoreLoadNeverAsksForLess) {
  double last = 0.0;
  for (int step = 0; step <= 100; ++step) {
    const double scale = Advise(step / 100.0, 0.5).scale;
    EXPECT_GE(scale, last);
    last = scale;
  }
}

TEST(ScalingTest, SharesAboveOneAreRefused) {
  EXPECT_EQ(FromJsonText<ScalingMetrics>(R"({"cpu_usage":80})").error().path, "cpu_usage");
  EXPECT_EQ(FromJsonText<ScalingMetrics>(R"({"response_time":-1})").error().path, "response_time");
}

}  // namespace
}  // namespace seedcore::ml

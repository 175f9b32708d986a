#include "ml/anomaly.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <numbers>
#include <vector>

#include <gtest/gtest.h>

namespace seedcore::ml {
namespace {

using std::chrono::minutes;
using std::chrono::sys_days;
using std::chrono::sys_seconds;

/// Approximately standard normal noise, a fixed function of the index (SplitMix64, Steele et al.
/// 2014; sum of twelve uniforms).
double Noise(std::size_t index, std::uint64_t seed = 1) {
  double sum = -6.0;
  for (std::uint64_t draw = 0; draw < 12; ++draw) {
    std::uint64_t z = (index * 12 + draw + seed * 0x100000001b3) * 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    sum += static_cast<double>((z ^ (z >> 31)) >> 11) * 0x1.0p-53;
  }
  return sum;
}

std::vector<double> Series(std::size_t length, const std::function<double(std::size_t)>& value) {
  std::vector<double> values(length);
  for (std::size_t i = 0; i < length; ++i) values[i] = value(i);
  return values;
}

std::vector<sys_seconds> Every(minutes step, std::size_t length) {
  std::vector<sys_seconds> times(length);
  for (std::size_t i = 0; i < length; ++i) {
    times[i] = sys_days(std::chrono::year(2024) / 1 / 1) + static_cast<long>(i) * step;
  }
  return times;
}

std::vector<AnomalyPoint> Detect(const std::vector<double>& values, const std::vector<sys_seconds>& times = {},
                                 AnomalySettings settings = {}) {
  auto points = DetectAnomalies(values, times, settings);
  EXPECT_TRUE(points.has_value());
  return points.value_or(std::vector<AnomalyPoint>{});
}

bool Found(const std::vector<AnomalyPoint>& points, std::size_t first, std::size_t last) {
  return std::ranges::any_of(points, [&](const AnomalyPoint& p) { return p.index >= first && p.index <= last; });
}

TEST(AnomalyTest, FindsSpikeInShortNoisySeries) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    auto values = Series(60, [&](std::size_t i) { return 100.0 + Noise(i, seed); });
    values[45] = 115.0;
    const auto points = Detect(values);
    ASSERT_EQ(points.size(), 1U) << "seed " << seed;
    EXPECT_EQ(points[0].index, 45U);
    EXPECT_EQ(points[0].value, 115.0);
    EXPECT_NEAR(points[0].expected, 100.0, 2.0);
    EXPECT_GE(points[0].score, 0.5);
    EXPECT_FALSE(points[0].reason.empty());
  }
}

TEST(AnomalyTest, EverySpikeIsFoundAlsoWhenThereWereOthersBefore) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    auto values = Series(600, [&](std::size_t i) {
      return 10.0 + 3.0 * std::sin(static_cast<double>(i) / 10.0) + 0.3 * Noise(i, seed);
    });
    const std::vector<std::size_t> spikes{150, 200, 300, 320, 400, 401, 402, 500};
    for (const std::size_t at : spikes) values[at] += 8.0;
    std::vector<std::size_t> found;
    for (const AnomalyPoint& point : Detect(values)) {
      found.push_back(point.index);
      EXPECT_GE(point.severity, Severity::kMedium);
    }
    EXPECT_EQ(found, spikes) << "seed " << seed;
    EXPECT_LT(Detect(values, {}, {.report = Reporting::kEvents}).size(), spikes.size());
  }
}

TEST(AnomalyTest, ACheckThatFailsEndsTheDetection) {
  int asked = 0;
  const auto check = [&]() -> Result<void> {
    return ++asked < 3 ? Result<void>() : Fail(ErrorCode::kDeadlineExceeded, "too late");
  };
  const auto points = DetectAnomalies(std::vector<double>(100'000, 1.0), {}, {}, check);
  EXPECT_EQ(points.error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(asked, 3);
}

TEST(AnomalyTest, PureNoiseRaisesFewAlarms) {
  std::size_t alarms = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    alarms += Detect(Series(500, [&](std::size_t i) { return Noise(i, seed); })).size();
  }
  EXPECT_LE(alarms, 5U) << "in 20 series of 500 points";
}

TEST(AnomalyTest, CleanSinusoidRaisesFewAlarms) {
  for (const double period : {10.0, 24.0, 48.0, 100.0}) {
    const auto values =
        Series(500, [&](std::size_t i) { return std::sin(2.0 * std::numbers::pi * static_cast<double>(i) / period); });
    EXPECT_LE(Detect(values).size(), 1U) << "period " << period;
  }
}

TEST(AnomalyTest, FindsLevelShift) {
  const auto values = Series(400, [](std::size_t i) { return (i < 250 ? 10.0 : 16.0) + 0.5 * Noise(i); });
  const auto points = Detect(values);
  ASSERT_FALSE(points.empty());
  EXPECT_TRUE(Found(points, 250, 262));
  EXPECT_LE(points.size(), 8U) << "the change, and then it is the new usual";
  EXPECT_FALSE(Found(points, 270, 399));
}

TEST(AnomalyTest, SteadyTrendRaisesFewAlarmsAndItsSpikeIsFound) {
  auto values = Series(600, [](std::size_t i) { return 0.5 * static_cast<double>(i) + 2.0 * Noise(i); });
  EXPECT_LE(Detect(values).size(), 2U);
  values[450] += 400.0;
  EXPECT_TRUE(Found(Detect(values), 450, 450));
}

TEST(AnomalyTest, LearnsDailySeasonAndFindsValueWrongForItsTime) {
  const auto times = Every(minutes(30), 48 * 21);
  auto values = Series(times.size(), [](std::size_t i) {
    const double phase = 2.0 * std::numbers::pi * static_cast<double>(i % 48) / 48.0;
    return 1000.0 + 500.0 * std::sin(phase) + 15.0 * Noise(i);
  });
  EXPECT_LE(Detect(values, times).size(), 1U);
  const std::size_t peak = 48 * 17 + 12;
  values[peak] = 700.0;  // ordinary at night, not at the daily peak
  const auto points = Detect(values, times);
  ASSERT_TRUE(Found(points, peak, peak));
  const auto at = std::ranges::find(points, peak, &AnomalyPoint::index);
  EXPECT_NEAR(at->expected, 1500.0, 30.0);
}

TEST(AnomalyTest, ConstantSeriesIsNeverAnomalous) {
  for (const double value : {0.0, 7.0, -1e300}) {
    EXPECT_TRUE(Detect(std::vector<double>(1000, value)).empty());
    EXPECT_TRUE(Detect(std::vector<double>(1000, value), Every(minutes(5), 1000)).empty());
  }
}

TEST(AnomalyTest, FindsSingleSpikeInConstantSeries) {
  std::vector<double> values(200, 5.0);
  values[120] = 6.0;
  const auto points = Detect(values);
  ASSERT_FALSE(points.empty());
  EXPECT_EQ(points[0].index, 120U);
  EXPECT_EQ(points.size(), 1U);
}

TEST(AnomalyTest, FindsFlatLine) {
  const auto values = Series(800, [](std::size_t i) { return i >= 600 && i < 700 ? 50.0 : 50.0 + 5.0 * Noise(i); });
  const auto points = Detect(values);
  ASSERT_TRUE(Found(points, 600, 699));
  EXPECT_NE(points[0].reason.find("flat line"), std::string::npos) << points[0].reason;
}

TEST(AnomalyTest, FindsChangedPatternWithinTheUsualRange) {
  const auto values = Series(1500, [](std::size_t i) {
    const double period = i < 1200 ? 50.0 : 6.0;
    const double phase = 2.0 * std::numbers::pi * static_cast<double>(i) / period;
    return 10.0 * std::sin(phase) + 0.2 * Noise(i);
  });
  EXPECT_TRUE(Found(Detect(values), 1200, 1260));
}

TEST(AnomalyTest, HugeValuesNeitherOverflowNorBlindTheDetector) {
  auto values = Series(600, [](std::size_t i) { return 1e300 * (1.0 + 0.01 * Noise(i)); });
  for (const double value : Series(2000, [](std::size_t i) { return Noise(i); })) {
    values.push_back(value);
  }
  values[100] = -std::numeric_limits<double>::max();
  values[2000] = 40.0;
  AnomalyDetector detector;
  for (const double value : values) {
    const auto verdict = detector.Observe(value, std::nullopt);
    ASSERT_TRUE(verdict.has_value());
    ASSERT_TRUE(std::isfinite(verdict->score));
    ASSERT_TRUE(std::isfinite(verdict->expected));
    ASSERT_GE(verdict->score, 0.0);
    ASSERT_LE(verdict->score, 1.0);
  }
  EXPECT_TRUE(Found(Detect(values), 100, 100));
}

TEST(AnomalyTest, OneHugeValueDoesNotHideLaterAnomalies) {
  auto values = Series(1200, [](std::size_t i) { return 100.0 + Noise(i); });
  values[300] = 1e300;
  values[1000] = 130.0;
  const auto points = Detect(values);
  EXPECT_TRUE(Found(points, 300, 300));
  EXPECT_TRUE(Found(points, 1000, 1000));
}

TEST(AnomalyTest, HugeJumpInConstantSeriesStaysFinite) {
  for (const std::size_t jump : {3U, 10U, 15U, 40U}) {
    const auto times = Every(minutes(30), 300);
    auto values = Series(300, [](std::size_t i) { return i % 7 == 0 ? -1e300 : 0.0; });
    std::fill_n(values.begin(), jump, 0.0);
    AnomalyDetector detector;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto verdict = detector.Observe(values[i], times[i]);
      ASSERT_TRUE(std::isfinite(verdict->score));
      ASSERT_TRUE(std::isfinite(verdict->expected)) << i;
    }
  }
}

TEST(AnomalyTest, UnitsDoNotMatter) {
  auto values = Series(300, [](std::size_t i) { return Noise(i); });
  values[200] = 12.0;
  const auto plain = Detect(values);
  for (double& value : values) value *= 1024.0;
  const auto scaled = Detect(values);
  ASSERT_EQ(plain.size(), scaled.size());
  for (std::size_t i = 0; i < plain.size(); ++i) EXPECT_EQ(plain[i].index, scaled[i].index);
}

TEST(AnomalyTest, SameInputGivesSameScores) {
  const auto times = Every(minutes(5), 2000);
  const auto values = Series(2000, [](std::size_t i) { return Noise(i) * Noise(i + 1); });
  AnomalyDetector first;
  AnomalyDetector second;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto a = first.Observe(values[i], times[i]);
    const auto b = second.Observe(values[i], times[i]);
    ASSERT_EQ(a->score, b->score);
    ASSERT_EQ(a->reason, b->reason);
  }
}

TEST(AnomalyTest, LaterValuesDoNotChangeEarlierScores) {
  auto values = Series(500, [](std::size_t i) { return Noise(i); });
  values[300] = 20.0;
  auto longer = values;
  longer.insert(longer.end(), 500, 1e6);
  const auto points = Detect(values);
  const auto more = Detect(longer);
  ASSERT_GE(more.size(), points.size());
  for (std::size_t i = 0; i < points.size(); ++i) {
    EXPECT_EQ(points[i].index, more[i].index);
    EXPECT_EQ(points[i].score, more[i].score);
  }
}

TEST(AnomalyTest, NonFiniteValueIsAnErrorAndLeavesTheDetectorUnchanged) {
  AnomalyDetector clean;
  AnomalyDetector disturbed;
  for (std::size_t i = 0; i < 200; ++i) {
    EXPECT_FALSE(disturbed.Observe(std::nan(""), std::nullopt).has_value());
    EXPECT_FALSE(disturbed.Observe(-std::numeric_limits<double>::infinity(), std::nullopt));
    const double value = i == 150 ? 30.0 : Noise(i);
    EXPECT_EQ(clean.Observe(value, std::nullopt)->score, disturbed.Observe(value, std::nullopt)->score);
  }
}

TEST(AnomalyTest, DetectAnomaliesRejectsBadInput) {
  const std::vector<double> values{1.0, 2.0, std::nan("")};
  EXPECT_NE(DetectAnomalies(values, {}).error().message.find("value 2"), std::string::npos);
  const std::vector<double> two{1.0, 2.0};
  EXPECT_FALSE(DetectAnomalies(two, Every(minutes(1), 3)).has_value());
  EXPECT_TRUE(DetectAnomalies({}, {})->empty());
}

TEST(AnomalyTest, ThresholdSelectsPoints) {
  const auto values = Series(1000, [](std::size_t i) { return std::exp(1.5 * Noise(i)); });
  const auto all = Detect(values, {}, {.threshold = 0.05});
  const auto few = Detect(values, {}, {.threshold = 0.4});
  EXPECT_GT(all.size(), few.size());
  for (const AnomalyPoint& point : few) EXPECT_GE(point.score, 0.4);
}

TEST(AnomalyTest, SeverityNames) {
  EXPECT_EQ(ToString(Severity::kLow), "low");
  EXPECT_EQ(ToString(Severity::kMedium), "medium");
  EXPECT_EQ(ToString(Severity::kHigh), "high");
  EXPECT_EQ(ToString(Severity::kCritical), "critical");
}

}  // namespace
}  // namespace seedcore::ml

#include "ml/outlier_model.h"

#include <cmath>
#include <functional>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace seedcore::ml {
namespace {

using Maker = std::function<double(int, double)>;

std::vector<double> Series(int length, std::uint32_t seed, const Maker& make) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::vector<double> values;
  for (int i = 0; i < length; ++i) values.push_back(make(i, normal(random)));
  return values;
}

std::vector<std::size_t> Outliers(const std::vector<double>& values) {
  OutlierModel model;
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto view = model.Observe(values[i], std::nullopt);
    if (view && view->ratio >= 1.0) found.push_back(i);
  }
  return found;
}

TEST(OutlierModelTest, OrdinarySeriesHaveNone) {
  const std::vector<Maker> makers{[](int, double e) { return 10.0 + e; },
                                  [](int i, double e) { return 10.0 + 3.0 * std::sin(i / 10.0) + 0.3 * e; },
                                  [](int i, double e) { return 0.05 * i + e; }, [](int, double) { return 7.0; }};
  for (std::uint32_t seed = 1; seed <= 10; ++seed) {
    for (const Maker& make : makers) EXPECT_TRUE(Outliers(Series(2000, seed, make)).empty()) << "seed " << seed;
  }
}

TEST(OutlierModelTest, HeavyTailsHaveFew) {
  std::size_t found = 0;
  for (std::uint32_t seed = 1; seed <= 10; ++seed) {
    found += Outliers(Series(2000, seed, [](int, double e) { return std::exp(1.5 * e); })).size();
  }
  EXPECT_LT(found, 200U) << "of 20,000";
}

TEST(OutlierModelTest, AnOutlierInAShortSeriesIsFound) {
  EXPECT_EQ(Outliers({10, 11, 10, 9, 10, 11, 9, 10, 10, 11, 95, 10, 9, 11}), (std::vector<std::size_t>{10}));
}

TEST(OutlierModelTest, JumpsThatKeepComingBackBecomeUsual) {
  const auto values = Series(1000, 1, [](int i, double e) { return (i % 20 == 0 ? 50.0 : 10.0) + 0.2 * e; });
  for (const std::size_t at : Outliers(values)) EXPECT_LT(at, 200U);
}

TEST(OutlierModelTest, ALastingChangeBecomesTheNewUsual) {
  const auto found = Outliers(Series(600, 2, [](int i, double e) { return (i < 300 ? 10.0 : 40.0) + e; }));
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found.front(), 300U);
  EXPECT_LE(found.back(), 310U);
}

TEST(OutlierModelTest, AValueThatTheSeasonExplainsIsNone) {
  OutlierModel model;
  double last = 0.0;
  const auto values = Series(800, 3, [](int i, double e) { return (i % 48 == 20 ? 90.0 : 10.0) + 0.2 * e; });
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto view = model.Observe(values[i], i % 48 == 20 ? 90.0 : 10.0);
    if (view) last = std::max(last, view->ratio);
  }
  EXPECT_LT(last, 1.0);
  EXPECT_GT(model.Observe(90.0, 10.0)->ratio, 3.0);
}

}  // namespace
}  // namespace seedcore::ml

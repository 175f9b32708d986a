#include "cognitive/rules/anomalies.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace seedcore::cognitive::rules {
namespace {

using ::testing::HasSubstr;

std::vector<Anomaly> At(const std::vector<std::int64_t>& indices, double value = 10, double expected = 1) {
  std::vector<Anomaly> anomalies;
  for (const std::int64_t index : indices) {
    anomalies.push_back({.index = index,
                         .value = value,
                         .score = 0.8,
                         .expected = expected,
                         .has_index = true,
                         .has_expected = true,
                         .severity = "high",
                         .reason = {}});
  }
  return anomalies;
}

TEST(Measure, OnePointIsASpike) {
  const AnomalyStatistics stats = Measure(At({7}));
  EXPECT_EQ(stats.shape, Shape::kSpike);
  EXPECT_EQ(stats.above, 1u);
  EXPECT_EQ(stats.Severe(), 1u);
}

TEST(Measure, ManyInOneDirectionAreALevelShift) {
  const AnomalyStatistics stats = Measure(At({10, 11, 12, 14, 15, 16}, -3));
  EXPECT_EQ(stats.shape, Shape::kShift);
  EXPECT_EQ(stats.below, 6u);
  EXPECT_EQ(stats.first_index, 10);
  EXPECT_EQ(stats.last_index, 16);
}

TEST(Measure, ManyInChangingDirectionsAreABurst) {
  auto anomalies = At({10, 11, 12, 13, 14, 15});
  for (std::size_t i = 0; i < anomalies.size(); i += 2) anomalies[i].value = -10;
  EXPECT_EQ(Measure(anomalies).shape, Shape::kBurst);
}

TEST(Measure, RegularDistancesAreRecurring) {
  const AnomalyStatistics stats = Measure(At({100, 200, 301, 399}));
  EXPECT_EQ(stats.shape, Shape::kRecurring);
  EXPECT_NEAR(stats.period, 99.7, 0.1);
}

TEST(Measure, IrregularDistancesAreScattered) { EXPECT_EQ(Measure(At({10, 20, 500})).shape, Shape::kScattered); }

TEST(Measure, OrderDoesNotMatter) {
  EXPECT_EQ(Measure(At({16, 10, 12, 11, 15, 14})).shape, Measure(At({10, 11, 12, 14, 15, 16})).shape);
}

TEST(Measure, NothingIsNothing) { EXPECT_EQ(Measure({}).shape, Shape::kNone); }

TEST(ReadAnomalies, TakesTheOlderNameOfTheScore) {
  const auto read = ReadAnomalies(*ParseJson(R"([{"index":3,"value":1,"drift_score":0.9,"severity":"HIGH"}])"), "a");
  ASSERT_TRUE(read);
  EXPECT_EQ(read->at(0).score, 0.9);
  EXPECT_EQ(read->at(0).severity, "high");
}

TEST(ReadAnomalies, NamesThePathOfABadMember) {
  EXPECT_EQ(ReadAnomalies(*ParseJson(R"([{},{"score":"x"}])"), "a").error().path, "a[1].score");
  EXPECT_EQ(ReadAnomalies(*ParseJson("[3]"), "a").error().path, "a[0]");
  EXPECT_EQ(ReadAnomalies(*ParseJson(R"([{"index":-1}])"), "a").error().path, "a[0].index");
  EXPECT_EQ(ReadAnomalies(*ParseJson("{}"), "a").error().path, "a");
}

TEST(ReadAnomalies, RefusesEndlessLists) {
  EXPECT_FALSE(ReadAnomalies(json::array(kMaxAnomalies + 1, json::object{}), "a"));
}

}  // namespace
}  // namespace seedcore::cognitive::rules

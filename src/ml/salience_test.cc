#include "ml/salience.h"

#include <random>

#include <gtest/gtest.h>

namespace seedcore::ml {
namespace {

SalienceFeatures RandomFeatures(std::mt19937& random) {
  std::uniform_real_distribution<double> uniform(0.0, 1.0);
  SalienceFeatures features;
  SalienceFeatures::kFields.Apply([&](const auto&... field) { ((features.*(field.member) = uniform(random)), ...); });
  return features;
}

TEST(SalienceTest, HasTwelveFeaturesWithTheirDefaults) {
  EXPECT_EQ(SalienceFeatures::kFields.kCount, 12U);
  EXPECT_NEAR(ScoreSalience({}), 0.5 * (0.9 + 0.2 * 2.7 / 8.0), 1e-12);
}

TEST(SalienceTest, RisesWithEveryFeatureButCapability) {
  std::mt19937 random(5);
  for (int round = 0; round < 100; ++round) {
    const SalienceFeatures features = RandomFeatures(random);
    const double score = ScoreSalience(features);
    const auto raised = [&](const auto& field) {
      SalienceFeatures more = features;
      more.*(field.member) += (1.0 - more.*(field.member)) / 2.0;
      if (field.name == "agent_capability") {
        EXPECT_LE(ScoreSalience(more), score) << field.name;
      } else {
        EXPECT_GE(ScoreSalience(more), score) << field.name;
      }
    };
    SalienceFeatures::kFields.Apply([&](const auto&... field) { (raised(field), ...); });
  }
}

TEST(SalienceTest, StaysWithinZeroAndOne) {
  SalienceFeatures worst{1, 1, 1, 0, 1, 1, 1, 1, 100, 1, 1, 1};
  EXPECT_EQ(ScoreSalience(worst), 1.0);
  SalienceFeatures best{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0};
  EXPECT_EQ(ScoreSalience(best), 0.0);
}

TEST(SalienceTest, ATextOfDisasterIsMoreSalientThanACalmOne) {
  const double calm = ScoreSalience(FeaturesFromText("please list the open tasks of this week"));
  const double slow = ScoreSalience(FeaturesFromText("the report is a bit slow today"));
  const double disaster = ScoreSalience(FeaturesFromText("Production outage: payment service crashed, data lost!"));
  EXPECT_LT(calm, 0.25);
  EXPECT_LT(calm, slow);
  EXPECT_LT(slow, disaster);
  EXPECT_GT(disaster, 0.5);
}

TEST(SalienceTest, NegatedWordsDoNotCount) {
  EXPECT_EQ(ScoreSalience(FeaturesFromText("backup finished, no errors")),
            ScoreSalience(FeaturesFromText("backup finished")));
}

TEST(SalienceTest, WordsThatOnlyLookAlikeDoNotCount) {
  EXPECT_EQ(FeaturesFromText("allow download").user_impact, 0.1);
  EXPECT_EQ(FeaturesFromText("allow download").failure_severity, 0.1);
  EXPECT_EQ(FeaturesFromText("ALL is well").user_impact, 0.4);
}

TEST(SalienceTest, PriorityRaisesTheScore) {
  EXPECT_LT(ScoreSalience(FeaturesFromText("disk error", 1)), ScoreSalience(FeaturesFromText("disk error", 9)));
}

TEST(SalienceTest, AFeatureOutOfRangeIsRefusedByName) {
  EXPECT_EQ(FromJsonText<SalienceFeatures>(R"({"task_risk":1.5})").error().path, "task_risk");
  EXPECT_TRUE(FromJsonText<SalienceFeatures>(R"({"response_time":30})"));
}

}  // namespace
}  // namespace seedcore::ml

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cognitive/rules/reasoning_fixture.h"

namespace seedcore::cognitive::rules {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

CapabilityAssessment Assess(std::string_view members) {
  const auto answer = AssessCapabilities(RequestOf(R"({"agent_id":"a",)" + std::string(members) + "}"), {});
  EXPECT_TRUE(answer) << ToString(answer.error());
  if (!answer) return {};
  ExpectTraceable(answer->improvement_plan, answer->evidence);
  ExpectTraceable(answer->priority_recommendations, answer->evidence);
  return *answer;
}

TEST(AssessCapabilities, OrdersGapsByTheShareThatIsMissing) {
  const auto assessment =
      Assess(R"("current_capabilities":{"a":0.9,"b":2},"target_capabilities":{"a":1.0,"b":10,"c":1})");
  ASSERT_EQ(assessment.capability_gaps.size(), 3u);
  EXPECT_EQ(assessment.capability_gaps[0].capability, "c");
  EXPECT_EQ(assessment.capability_gaps[1].capability, "b");
  EXPECT_DOUBLE_EQ(assessment.capability_gaps[1].gap, 8.0);
  EXPECT_DOUBLE_EQ(assessment.capability_gaps[1].relative_gap, 0.8);
  EXPECT_EQ(assessment.capability_gaps[2].capability, "a");
}

TEST(AssessCapabilities, MeasurementCountsMoreThanClaim) {
  const auto assessment =
      Assess(R"("performance_data":{"a":0.4},"current_capabilities":{"a":0.9},"target_capabilities":{"a":0.8})");
  ASSERT_EQ(assessment.capability_gaps.size(), 1u);
  EXPECT_DOUBLE_EQ(assessment.capability_gaps[0].current, 0.4);
  EXPECT_THAT(assessment.improvement_plan[0].text, HasSubstr("measured 0.4 (claimed: 0.9)"));
}

TEST(AssessCapabilities, NoGapNoPlan) {
  EXPECT_THAT(Assess(R"("current_capabilities":{"a":{"level":2}},"target_capabilities":{"a":1})").capability_gaps,
              IsEmpty());
}

TEST(AssessCapabilities, UnknownLevelsLowerTheConfidence) {
  const double known = Assess(R"("current_capabilities":{"a":1,"b":1},"target_capabilities":{"a":2,"b":2})").confidence;
  const double half = Assess(R"("current_capabilities":{"a":1},"target_capabilities":{"a":2,"b":2})").confidence;
  EXPECT_GT(known, half);
  EXPECT_EQ(Assess(R"("target_capabilities":{"a":2})").confidence, 0.0);
}

TEST(AssessCapabilities, BadLevelsNameTheirPath) {
  const auto path = [](std::string_view members) {
    return AssessCapabilities(RequestOf(R"({"agent_id":"a",)" + std::string(members) + "}"), {}).error().path;
  };
  EXPECT_EQ(path(R"("target_capabilities":{})"), "target_capabilities");
  EXPECT_EQ(path(R"("target_capabilities":{"a":"high"})"), "target_capabilities.a");
  EXPECT_EQ(path(R"("target_capabilities":{"a":1},"current_capabilities":{"a":[]})"), "current_capabilities.a");
}

}  // namespace
}  // namespace seedcore::cognitive::rules

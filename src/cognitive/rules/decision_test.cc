#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cognitive/rules/reasoning_fixture.h"

namespace seedcore::cognitive::rules {
namespace {

using ::testing::HasSubstr;

ReasonedDecision Decide(std::string_view context, std::string_view history = "{}", const Knowledge& knowledge = {}) {
  const auto answer = MakeDecision(
      RequestOf(fmt::format(R"({{"agent_id":"a","decision_context":{},"historical_data":{}}})", context, history)),
      knowledge);
  EXPECT_TRUE(answer) << ToString(answer.error());
  if (!answer) return {};
  ExpectTraceable(answer->findings, answer->evidence);
  return *answer;
}

TEST(MakeDecision, TakesTheOptionWithTheHighestExpectedUtility) {
  const ReasonedDecision decision = Decide(
      R"({"options":[{"option":"cheap","probability":0.3,"benefit":10,"cost":1},
                     {"option":"sure","probability":0.9,"benefit":10,"cost":2}]})");
  EXPECT_EQ(decision.decision, "sure");
  ASSERT_EQ(decision.alternative_options.size(), 1u);
  EXPECT_DOUBLE_EQ(decision.alternative_options[0].score, 2.0);
}

TEST(MakeDecision, LearnsFromHistory) {
  const std::string options = R"({"options":["retry","escalate"]})";
  EXPECT_EQ(
      Decide(options, R"({"retry":{"successes":9,"failures":1},"escalate":{"successes":1,"failures":9}})").decision,
      "retry");
  const ReasonedDecision decision =
      Decide(options, R"({"past":[{"action":"retry","success":false},{"action":"escalate","success":true}]})");
  EXPECT_EQ(decision.decision, "escalate");
  EXPECT_EQ(decision.action, Action::kEscalate);
}

TEST(MakeDecision, LeavesOutWhatTheBudgetDoesNotAllow) {
  const ReasonedDecision decision = Decide(
      R"({"budget":5,"options":[{"option":"big","benefit":100,"cost":6},{"option":"small","benefit":10,"cost":4}]})");
  EXPECT_EQ(decision.decision, "small");
  EXPECT_EQ(Decide(R"({"budget":1,"options":[{"option":"big","benefit":100,"cost":6}]})").decision, "hold");
}

TEST(MakeDecision, OptionsWithoutFiguresGiveNoConfidence) {
  EXPECT_EQ(Decide(R"({"options":["a","b"]})").confidence, 0.0);
}

TEST(MakeDecision, CloseRaceGivesLessConfidence) {
  const auto with = [](double second) {
    return Decide(fmt::format(R"({{"options":[{{"option":"a","benefit":10}},{{"option":"b","benefit":{}}}]}})", second))
        .confidence;
  };
  EXPECT_GT(with(1), with(9.9));
}

TEST(MakeDecision, FollowsAWellSupportedAnalysis) {
  const ReasonedDecision decision =
      Decide(R"({"anomaly_count":4,"reason":{"thought":"t","action":"escalate","confidence_score":0.8}})");
  EXPECT_EQ(decision.action, Action::kEscalate);
  EXPECT_EQ(decision.decision, "escalate");
  EXPECT_THAT(decision.reasoning, HasSubstr("0.80"));
}

TEST(MakeDecision, TakesTheWholeAnswerOfTheAnalysis) {
  const ReasonedDecision decision = Decide(
      R"({"anomaly_count":4,"reason":{"success":true,"agent_id":"a","result":{"success":true,"result":{"thought":"t","action":"scale_up","confidence_score":0.9}}}})");
  EXPECT_EQ(decision.action, Action::kScaleUp);
}

TEST(MakeDecision, WeakSupportStepsDown) {
  const ReasonedDecision decision =
      Decide(R"({"anomaly_count":1,"reason":{"thought":"t","action":"escalate","confidence_score":0.2}})");
  EXPECT_EQ(decision.action, Action::kInvestigate);
  EXPECT_THAT(decision.reasoning, HasSubstr("below 0.40"));
}

TEST(MakeDecision, CostsMoveTheThreshold) {
  const std::string reason = R"("anomaly_count":1,"reason":{"thought":"t","action":"escalate","confidence_score":0.3})";
  EXPECT_EQ(Decide("{" + reason + R"(,"costs":{"false_alarm":1,"missed_incident":9}})").action, Action::kEscalate);
  EXPECT_EQ(Decide("{" + reason + R"(,"costs":{"false_alarm":9,"missed_incident":1}})").action, Action::kInvestigate);
}

TEST(MakeDecision, NoAnomalyNeedsNothing) { EXPECT_EQ(Decide(R"({"anomaly_count":0})").action, Action::kIgnore); }

TEST(MakeDecision, ReadsAnActionOutOfProse) {
  EXPECT_EQ(Decide(R"({"anomaly_count":1,"reason":{"thought":"x","proposed_solution":"retry","confidence_score":0.9}})")
                .action,
            Action::kRetry);
}

TEST(MakeDecision, NothingToWeighHoldsWithoutConfidence) {
  const ReasonedDecision decision = Decide(R"({"note":"hm"})");
  EXPECT_EQ(decision.action, Action::kHold);
  EXPECT_EQ(decision.confidence, 0.0);
}

TEST(MakeDecision, BadContextNamesItsPath) {
  const auto path = [](std::string_view context) {
    return MakeDecision(RequestOf(fmt::format(R"({{"agent_id":"a","decision_context":{}}})", context)), {})
        .error()
        .path;
  };
  EXPECT_EQ(path("{}"), "decision_context");
  EXPECT_EQ(path(R"({"options":3})"), "decision_context.options");
  EXPECT_EQ(path(R"({"options":[]})"), "decision_context.options");
  EXPECT_EQ(path(R"({"options":["a",{"cost":1}]})"), "decision_context.options[1]");
}

}  // namespace
}  // namespace seedcore::cognitive::rules

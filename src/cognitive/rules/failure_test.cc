#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cognitive/rules/reasoning_fixture.h"

namespace seedcore::cognitive::rules {
namespace {

using ::testing::HasSubstr;

FailureAnalysis Analyze(std::string_view incident, const Knowledge& knowledge = {}) {
  const auto answer =
      AnalyzeFailure(RequestOf(R"({"agent_id":"a","incident_context":)" + std::string(incident) + "}"), knowledge);
  EXPECT_TRUE(answer) << ToString(answer.error());
  if (!answer) return {};
  ExpectTraceable(answer->findings, answer->evidence);
  ExpectTraceable(answer->risk_factors, answer->evidence);
  return *answer;
}

std::string Series(int from, int count, std::string_view severity, double value = 100) {
  std::string list;
  for (int i = 0; i < count; ++i) {
    list += fmt::format(R"({}{{"index":{},"value":{},"expected":10,"score":0.9,"severity":"{}"}})", i == 0 ? "" : ",",
                        from + i, value, severity);
  }
  return list;
}

TEST(AnalyzeFailure, NothingReportedIsIgnored) {
  const FailureAnalysis analysis = Analyze(R"({"anomalies":[]})");
  EXPECT_EQ(analysis.action, Action::kIgnore);
}

TEST(AnalyzeFailure, OneMildSpikeIsWatched) {
  const FailureAnalysis analysis = Analyze(R"({"anomalies":[)" + Series(5, 1, "low") + "]}");
  EXPECT_EQ(analysis.action, Action::kHold);
  EXPECT_THAT(analysis.thought, HasSubstr("isolated spike above what was expected, at point 5"));
  EXPECT_LT(analysis.confidence_score, 0.5);
}

TEST(AnalyzeFailure, CriticalLevelShiftIsEscalatedWithItsPlace) {
  const FailureAnalysis analysis = Analyze(R"({"anomalies":[)" + Series(40, 8, "critical", -5) + "]}");
  EXPECT_EQ(analysis.action, Action::kEscalate);
  EXPECT_THAT(analysis.thought, HasSubstr("8 in a row below"));
  EXPECT_THAT(analysis.proposed_solution, HasSubstr("points 40 to 47"));
  EXPECT_FALSE(analysis.risk_factors.empty());
}

TEST(AnalyzeFailure, LastingDemandAsksForCapacity) {
  const FailureAnalysis analysis =
      Analyze(R"({"meta":{"metric":"requests per second"},"anomalies":[)" + Series(40, 8, "medium") + "]}");
  EXPECT_EQ(analysis.action, Action::kScaleUp);
  EXPECT_EQ(Analyze(R"({"meta":{"metric":"temperature"},"anomalies":[)" + Series(40, 8, "medium") + "]}").action,
            Action::kInvestigate);
}

TEST(AnalyzeFailure, PassingErrorIsRetriedUntilAttemptsAreUsedUp) {
  EXPECT_EQ(Analyze(R"({"error":"connection reset by peer","attempts":1,"max_attempts":3})").action, Action::kRetry);
  const FailureAnalysis last = Analyze(R"({"error":"connection reset by peer","attempts":3,"max_attempts":3})");
  EXPECT_EQ(last.action, Action::kEscalate);
  EXPECT_THAT(last.thought, HasSubstr("All 3 attempts"));
}

TEST(AnalyzeFailure, LastingErrorIsNotRetried) {
  EXPECT_EQ(Analyze(R"({"error":{"code":"invalid_argument","message":"malformed JSON"}})").action,
            Action::kInvestigate);
  EXPECT_EQ(Analyze(R"({"error_code":404})").action, Action::kInvestigate);
  EXPECT_EQ(Analyze(R"({"error_code":503})").action, Action::kRetry);
}

TEST(AnalyzeFailure, FullResourcesAskForCapacity) {
  const FailureAnalysis analysis = Analyze(R"({"metrics":{"cpu_utilization":0.97,"memory_percent":93}})");
  EXPECT_EQ(analysis.action, Action::kScaleUp);
  EXPECT_THAT(analysis.thought, HasSubstr("metrics.cpu_utilization is at 97 %"));
}

TEST(AnalyzeFailure, KnownCauseCalmsAnAlarm) {
  const std::string incident = R"({"anomalies":[)" + Series(5, 1, "high") + "]}";
  EXPECT_EQ(Analyze(incident).action, Action::kInvestigate);
  Knowledge knowledge;
  knowledge.facts = {FactOf("f1", "New York City Marathon on that Sunday", 1.0, 1.0),
                     FactOf("f2", "Taxi demand is unusual on a holiday", 1.0, 1.0)};
  const FailureAnalysis analysis = Analyze(incident, knowledge);
  EXPECT_EQ(analysis.action, Action::kHold);
  EXPECT_THAT(analysis.solution_evidence, ::testing::Contains("fact:f1"));
}

TEST(AnalyzeFailure, ContestedFactCountsHalf) {
  Knowledge knowledge;
  knowledge.facts = {FactOf("f1", "maintenance of the pump is planned", 1.0, 1.0)};
  const double sure = Analyze(R"({"note":"pump"})", knowledge).confidence_score;
  knowledge.facts[0].conflict_set = {"f2"};
  EXPECT_LT(Analyze(R"({"note":"pump"})", knowledge).confidence_score, sure);
}

TEST(AnalyzeFailure, EarlierAnswerToASimilarIncidentCounts) {
  Knowledge knowledge;
  knowledge.incidents = {{.id = "i1",
                          .salience = 0.9,
                          .similarity = 1.0,
                          .text = "checkout",
                          .event_data = {{"resolution", "scaled up"}}}};
  const FailureAnalysis analysis = Analyze(R"({"note":"checkout slow"})", knowledge);
  EXPECT_EQ(analysis.action, Action::kScaleUp);
  EXPECT_THAT(analysis.solution_evidence, ::testing::ElementsAre("incident:i1"));
}

TEST(AnalyzeFailure, NothingToWeighGivesHoldWithoutConfidence) {
  const FailureAnalysis analysis = Analyze(R"({"note":"hm"})");
  EXPECT_EQ(analysis.action, Action::kHold);
  EXPECT_EQ(analysis.confidence_score, 0.0);
}

TEST(AnalyzeFailure, MoreEvidenceForTheSameGivesMoreConfidence) {
  const double one = Analyze(R"({"errors":["timeout"]})").confidence_score;
  const double three = Analyze(R"({"errors":["timeout","HTTP 503","connection refused"]})").confidence_score;
  EXPECT_GT(three, one);
}

TEST(AnalyzeFailure, DividedEvidenceIsSaid) {
  const FailureAnalysis analysis = Analyze(R"({"errors":["timeout"],"cpu_utilization":0.99,"memory_usage":0.99})");
  EXPECT_THAT(analysis.risk_factors.back().text, HasSubstr("divided"));
}

TEST(AnalyzeFailure, EmptyContextIsAnError) {
  EXPECT_EQ(AnalyzeFailure(RequestOf(R"({"agent_id":"a"})"), {}).error().path, "incident_context");
  EXPECT_EQ(AnalyzeFailure(RequestOf(R"({"agent_id":"a","incident_context":{"anomalies":3}})"), {}).error().path,
            "incident_context.anomalies");
}

}  // namespace
}  // namespace seedcore::cognitive::rules

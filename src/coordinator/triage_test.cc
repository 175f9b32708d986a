#include "coordinator/triage.h"

#include <gtest/gtest.h>

namespace seedcore::coordinator {
namespace {

TEST(Triage, EscalatesWhenTheRulesSayOrWhenAPointIsSevere) {
  TriageFindings findings;
  AddFinding(findings, 0.6, "medium");
  EXPECT_EQ(ReasonToEscalate(RouteAction::kFastPath, "rule", findings), "");
  EXPECT_EQ(ReasonToEscalate(RouteAction::kEscalate, "rule", findings), "rule");
  AddFinding(findings, 0.95, "critical");
  AddFinding(findings, 0.5, "low");
  EXPECT_EQ(ReasonToEscalate(RouteAction::kFastPath, "rule", findings),
            "3 anomalous points, the worst of severity critical");
  EXPECT_EQ(findings.max_score, 0.95);
}

TEST(Triage, IgnoresAQuietSeriesAndWatchesAMildOne) {
  EXPECT_EQ(DecideWithoutAnalysis({}).action, "ignore");
  TriageFindings findings;
  AddFinding(findings, 0.75, "low");
  EXPECT_EQ(DecideWithoutAnalysis(findings).action, "hold");
  EXPECT_EQ(DecideWithoutAnalysis(findings).confidence, 0.25);
}

TEST(Redaction, HidesSecretsAtEveryDepth) {
  const auto value = ParseJson(R"({"a":[{"API_Key":{"x":1},"authUser":"me","n":1}],"Password":"p","plain":"text"})");
  EXPECT_EQ(WriteJson(Redact(*value)),
            R"({"a":[{"API_Key":"[REDACTED]","authUser":"[REDACTED]","n":1}],"Password":"[REDACTED]","plain":"text"})");
}

TEST(Redaction, CutsLongTextsBetweenCharacters) {
  const json::value text = json::string(std::string(999, 'x') + "Δ and more");
  EXPECT_EQ(Redact(text), json::value(std::string(999, 'x') + "... [TRUNCATED]"));
  const json::value short_text = json::string(std::string(1000, 'x'));
  EXPECT_EQ(Redact(short_text), short_text);
}

}  // namespace
}  // namespace seedcore::coordinator

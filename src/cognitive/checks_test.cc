#include "cognitive/checks.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace seedcore::cognitive {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TaskPlan Plan(std::vector<PlanStep> steps) {
  TaskPlan plan;
  plan.solution_steps = std::move(steps);
  return plan;
}

PlanStep Step(std::string id, std::vector<std::string> depends_on = {}, json::object params = {}) {
  return {std::move(id),
          {.type = "t", .domain = {}, .description = {}, .params = std::move(params)},
          std::move(depends_on)};
}

std::string Complaint(const Result<void>& result) { return result ? "" : result.error().message; }

TEST(CheckOutput, RefusesConfidenceOutsideItsRange) {
  FailureAnalysis analysis;
  for (const double bad : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    analysis.confidence_score = bad;
    EXPECT_FALSE(CheckOutput(TaskType::kFailureAnalysis, analysis)) << bad;
  }
  analysis.confidence_score = 1.0;
  EXPECT_TRUE(CheckOutput(TaskType::kFailureAnalysis, analysis));
}

TEST(CheckOutput, RefusesAnotherKindOfAnswer) { EXPECT_FALSE(CheckOutput(TaskType::kTaskPlanning, FailureAnalysis{})); }

TEST(CheckOutput, RefusesEvidenceThatIsNotListed) {
  FailureAnalysis analysis;
  analysis.findings = {{"so", {"fact:1"}}};
  EXPECT_THAT(Complaint(CheckOutput(TaskType::kFailureAnalysis, analysis)), HasSubstr("fact:1"));
  analysis.evidence = {{"fact:1", "x"}};
  EXPECT_TRUE(CheckOutput(TaskType::kFailureAnalysis, analysis));
}

TEST(CheckOutput, RefusesPlansThatCannotRun) {
  EXPECT_FALSE(CheckOutput(TaskType::kTaskPlanning, Plan({})));
  EXPECT_FALSE(CheckOutput(TaskType::kTaskPlanning, Plan({Step("a"), Step("a")})));
  EXPECT_FALSE(CheckOutput(TaskType::kTaskPlanning, Plan({Step("a", {"b"})})));
  EXPECT_FALSE(CheckOutput(TaskType::kTaskPlanning, Plan({Step("a", {"b"}), Step("b", {"a"})})));
  EXPECT_FALSE(CheckOutput(TaskType::kTaskPlanning, Plan({Step("a", {"a"})})));
  EXPECT_TRUE(CheckOutput(TaskType::kTaskPlanning, Plan({Step("a"), Step("b", {"a"}), Step("c", {"a", "b"})})));
}

TEST(CheckOutput, RefusesRoutingByNameButNotInText) {
  EXPECT_FALSE(CheckOutput(TaskType::kTaskPlanning,
                           Plan({Step("a", {}, {{"x", json::array{json::object{{"organ_id", "o"}}}}})})));
  EXPECT_TRUE(CheckOutput(TaskType::kTaskPlanning, Plan({Step("a", {}, {{"query", "what is organ_id?"}})})));
}

TEST(CheckOutput, RefusesComplexityOutsideOneToTen) {
  TaskPlan plan = Plan({Step("a")});
  plan.estimated_complexity = 11;
  EXPECT_FALSE(CheckOutput(TaskType::kTaskPlanning, plan));
}

TEST(FindViolations, NamesPersonalDataAndCode) {
  FailureAnalysis analysis;
  analysis.thought = "The Social Security number and `code`.";
  EXPECT_THAT(FindViolations(analysis), ElementsAre("thought: mentions \"social security\"", "thought: holds code"));
  analysis.thought = "The passwordless session";
  EXPECT_THAT(FindViolations(analysis), IsEmpty());
}

}  // namespace
}  // namespace seedcore::cognitive

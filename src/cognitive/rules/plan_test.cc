#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cognitive/checks.h"
#include "cognitive/rules/reasoning_fixture.h"

namespace seedcore::cognitive::rules {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TaskPlan Plan(std::string_view members) {
  const auto plan = PlanTask(RequestOf(R"({"agent_id":"a",)" + std::string(members) + "}"), {});
  EXPECT_TRUE(plan) << ToString(plan.error());
  if (!plan) return {};
  const auto checked = CheckOutput(TaskType::kTaskPlanning, *plan);
  EXPECT_TRUE(checked) << ToString(checked.error());
  EXPECT_EQ(plan->meta.step_count, static_cast<int>(plan->solution_steps.size()));
  return *plan;
}

TEST(PlanTask, TriageRunsBesideASearchForFacts) {
  const TaskPlan plan = Plan(
      R"("task":{"type":"anomaly_triage","domain":"anomaly","description":"taxi demand","params":{"data":[1,2,3]}})");
  ASSERT_EQ(plan.solution_steps.size(), 2u);
  EXPECT_EQ(plan.solution_steps[0].task.type, "fact_search");
  EXPECT_EQ(plan.solution_steps[0].task.params.at("query").as_string(), "taxi demand");
  EXPECT_EQ(plan.solution_steps[1].task.type, "anomaly_triage");
  EXPECT_EQ(plan.solution_steps[1].task.params.at("data").as_array().size(), 3u);
  EXPECT_THAT(plan.solution_steps[1].depends_on, IsEmpty());
}

TEST(PlanTask, ConjunctionBecomesIndependentSteps) {
  const TaskPlan plan = Plan(
      R"("task":{"type":"general_query","description":"what time is it and list the failed tasks","params":{"query":"what time is it and list the failed tasks","style":"brief"}})");
  ASSERT_EQ(plan.solution_steps.size(), 2u);
  EXPECT_EQ(plan.solution_steps[1].task.description, "list the failed tasks");
  EXPECT_EQ(plan.solution_steps[1].task.params.at("query").as_string(), "list the failed tasks");
  EXPECT_EQ(plan.solution_steps[1].task.params.at("style").as_string(), "brief");
  EXPECT_THAT(plan.solution_steps[1].depends_on, IsEmpty());
}

TEST(PlanTask, SequenceBecomesAChain) {
  const TaskPlan plan = Plan(R"("task_description":"compute 3 * 4, then store it as a fact")");
  ASSERT_EQ(plan.solution_steps.size(), 2u);
  EXPECT_THAT(plan.solution_steps[1].depends_on, ElementsAre("step_1"));
}

TEST(PlanTask, SingleQuestionIsOneStepOfTheOriginalTask) {
  const TaskPlan plan = Plan(R"("task":{"type":"execute","description":"turn the valve","params":{"tool":"valve"}})");
  ASSERT_EQ(plan.solution_steps.size(), 1u);
  EXPECT_EQ(plan.solution_steps[0].task.type, "execute");
  EXPECT_EQ(plan.solution_steps[0].task.params.at("tool").as_string(), "valve");
}

TEST(PlanTask, KnownTypesGetTheirDomainAndDefaults) {
  const TaskPlan plan = Plan(R"("task":{"type":"graph_rag_query_v2","params":{"start_node_ids":[1],"k":3}})");
  const StepTask& task = plan.solution_steps.at(0).task;
  EXPECT_EQ(task.domain, "graph");
  EXPECT_EQ(task.params.at("k").as_int64(), 3);
  EXPECT_EQ(task.params.at("topk").as_int64(), 10);
  EXPECT_EQ(plan.confidence, 0.9);
}

TEST(PlanTask, MissingParameterHalvesTheConfidence) {
  const TaskPlan plan = Plan(R"("task":{"type":"graph_embed"})");
  EXPECT_EQ(plan.confidence, 0.4);
  EXPECT_THAT(plan.risk_assessment, HasSubstr("start_node_ids"));
}

TEST(PlanTask, SearchTakesItsQueryFromTheDescription) {
  const TaskPlan plan = Plan(R"("task":{"type":"fact_search","domain":"fact","description":"pumps"})");
  EXPECT_EQ(plan.solution_steps.at(0).task.params.at("query").as_string(), "pumps");
  EXPECT_EQ(plan.solution_steps.at(0).task.domain, "facts");
}

TEST(PlanTask, UnknownTypeIsLeftAsItIsWithLittleConfidence) {
  const TaskPlan plan = Plan(R"("task":{"type":"paint_fence","params":{"color":"red"}})");
  EXPECT_EQ(plan.solution_steps.at(0).task.type, "paint_fence");
  EXPECT_LE(plan.confidence, 0.4);
}

TEST(PlanTask, NeverSaysWhereToRun) {
  const TaskPlan plan =
      Plan(R"("task":{"type":"execute","params":{"organ_id":"o","nested":[{"instance_id":"i","keep":1}],"tool":"t"}})");
  EXPECT_EQ(WriteJson(plan.solution_steps.at(0).task.params), R"({"nested":[{"keep":1}],"tool":"t"})");
  EXPECT_THAT(plan.rationale, HasSubstr("left out"));
}

TEST(PlanTask, TakesTheShapeThatTheCoordinatorsOfOldSend) {
  const TaskPlan plan = Plan(
      R"("problem_statement":"is the system healthy?","task_id":"t1","type":"general_query","constraints":{"latency_ms":1000},"context":{"features":{}})");
  EXPECT_EQ(plan.solution_steps.at(0).task.description, "is the system healthy?");
}

TEST(PlanTask, ComplexityGrowsWithStepsAndStaysInRange) {
  EXPECT_LT(Plan(R"("task_description":"what is new?")").estimated_complexity,
            Plan(R"("task_description":"what is new? how is it going? show the status.")").estimated_complexity);
  EXPECT_EQ(Plan(R"("task_description":")" + std::string(5000, 'a') + " " +
                 [] {
                   std::string words;
                   for (int i = 0; i < 1000; ++i) words += "w ";
                   return words;
                 }() +
                 R"(")")
                .estimated_complexity,
            10.0);
}

TEST(PlanTask, WithoutTaskAndTextThereIsNothingToPlan) {
  EXPECT_EQ(PlanTask(RequestOf(R"({"agent_id":"a"})"), {}).error().path, "task_description");
  EXPECT_EQ(PlanTask(RequestOf(R"({"agent_id":"a","task":{"type":" "}})"), {}).error().path, "task.type");
}

}  // namespace
}  // namespace seedcore::cognitive::rules

#include <latch>

#include "service/coordinator_test_world.h"

namespace seedcore::service {
namespace {

class PlanExecutionTest : public CoordinatorTest {};

using std::chrono::seconds;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(PlanExecutionTest, EscalationRunsThePlanAndPassesOutputsOn) {
  AnswerPlan(kTwoSteps);
  const RouteResponse response = Route({.id = "t1", .type = "other", .params = {{"priority", 9}}});
  EXPECT_TRUE(response.success) << response.error.value_or("");
  EXPECT_EQ(response.kind, "escalated");
  EXPECT_EQ(response.path, "hgnn");
  ASSERT_EQ(response.results.size(), 2u);
  EXPECT_EQ(response.results[1].status, "done");
  EXPECT_EQ(response.results[1].agent_id, "agent_0");
  EXPECT_EQ(response.payload.at("plan_source"), json::value("cognitive_service"));
  EXPECT_EQ(response.payload.at("solution_steps").as_array().size(), 2u);
  EXPECT_EQ(executed_[1].at("task").at("params").at("about"), json::value("done"));
  EXPECT_EQ(executed_[1].at("task").at("idempotency_key"), json::value("t1:b"));
}

TEST_F(PlanExecutionTest, AFailedAttemptContinuesWhereItStopped) {
  AnswerPlan(kTwoSteps);
  bool broken = true;
  On("/organism/execute-on-organ", [&](const json::object& request, const CallContext&) -> Result<json::value> {
    executed_.push_back(request);
    const bool second = request.at("task").at("type") == "general_query";
    return second && broken ? Failure(request, ErrorCode::kUnavailable) : Reply(request, json::object{{"answer", 1}});
  });
  KeepPlans();
  store::Task task = Submitted();
  RouteRequest request = RouteRequestOf(task, {.idempotency_key = task.id});
  const RouteResponse first = Route(request);
  EXPECT_EQ(first.kind, "error");
  EXPECT_EQ(first.error, "step 'b': broken tool");
  EXPECT_EQ(first.error_code, "unavailable");
  EXPECT_EQ(first.HttpStatus(), 503);
  EXPECT_EQ(first.results[0].status, "done");
  EXPECT_EQ(first.results[1].status, "failed");

  ASSERT_TRUE(Finish(task, OutcomeOf(first, seconds(1))));
  EXPECT_EQ(StepsOf(task.id), "a:completed b:failed ");
  broken = false;
  task = Claim();
  request = RouteRequestOf(task, {.idempotency_key = task.id});
  EXPECT_EQ(request.attempt, 2);
  const RouteResponse second = Route(request);
  EXPECT_TRUE(second.success);
  EXPECT_EQ(second.results[0].status, "reused");
  EXPECT_EQ(second.results[0].agent_id, "agent_0");
  EXPECT_EQ(executed_.size(), 3u);
  EXPECT_EQ(CallsTo("/cognitive/plan-task"), 1);
  EXPECT_EQ(executed_[1].at("task").at("idempotency_key"), executed_[2].at("task").at("idempotency_key"));
}

TEST_F(PlanExecutionTest, EffectsOfStepsAreWrittenOnceWithTheirCheckpointsAndTheLastWithTheEnd) {
  AnswerPlan(kTwoSteps);
  KeepPlans();
  const store::Task task = Submitted();
  auto outcome = service_->HandleTask(task, {});
  EXPECT_EQ(StepsOf(task.id), "a:completed b:running ");
  EXPECT_EQ(store_->facts().Count().value(), 1);
  ASSERT_TRUE(Finish(task, std::move(outcome)));
  EXPECT_EQ(StepsOf(task.id), "a:completed b:completed ");
  EXPECT_EQ(store_->facts().Count().value(), 2);
  EXPECT_EQ(executed_[0].at("effects"), "return");
}

TEST_F(PlanExecutionTest, AnExecutionThatLostItsTaskRunsAndWritesNoStep) {
  AnswerPlan(kTwoSteps);
  KeepPlans();
  const store::Task zombie = Submitted();
  env_.Advance(seconds(31));
  EXPECT_EQ(store_->tasks().Reap(10).value(), 1);
  const store::Task task = Claim();
  const auto outcome = service_->HandleTask(zombie, {});
  EXPECT_EQ(std::get<queue::Failure>(outcome.verdict).error.code, ErrorCode::kLeaseLost);
  EXPECT_THAT(executed_, IsEmpty());
  EXPECT_EQ(StepsOf(task.id), "");
}

TEST_F(PlanExecutionTest, AStepIsRetriedAsItsPolicySaysAndKeepsItsKey) {
  KeepPlans();
  int calls = 0;
  On("/organism/execute-on-organ", [&](const json::object& request, const CallContext&) -> Result<json::value> {
    executed_.push_back(request);
    return ++calls < 3 ? Failure(request, ErrorCode::kUnavailable) : Reply(request, json::object{{"answer", 1}});
  });
  const json::value steps =
      ParseJson(R"([{"step_id":"a","task":{"type":"x"},"retry":{"max_attempts":3,"base_s":0}}])").value();
  const store::Task task = Submitted({{"steps", steps}}, "workflow");
  ASSERT_TRUE(Finish(task, service_->HandleTask(task, {.idempotency_key = task.id})));
  const auto kept = store_->steps().Steps(task.id).value();
  EXPECT_EQ(kept.at(0).attempt, 3);
  EXPECT_EQ(kept.at(0).status, store::TaskStepStatus::kCompleted);
  EXPECT_EQ(executed_[0].at("task").at("idempotency_key"), json::value(task.id + ":a"));
  EXPECT_EQ(executed_[2].at("task").at("idempotency_key"), json::value(task.id + ":a"));
  EXPECT_EQ(CallsTo("/cognitive/plan-task"), 0);
}

TEST_F(PlanExecutionTest, AHoldParksTheTaskAndItsAnswerIsPassedOn) {
  KeepPlans();
  const json::value steps = ParseJson(R"([
      {"step_id":"ask","hold":{"reason":"how many?"}},
      {"step_id":"do","task":{"type":"x","params":{"n":"${ask.n}"}},"depends_on":["ask"]}])")
                                .value();
  store::Task task = Submitted({{"steps", steps}}, "workflow");
  auto outcome = service_->HandleTask(task, {});
  EXPECT_TRUE(std::get<store::Held>(outcome.verdict).for_step);
  ASSERT_TRUE(Finish(task, std::move(outcome)));
  EXPECT_EQ(StepsOf(task.id), "ask:waiting do:pending ");
  EXPECT_THAT(executed_, IsEmpty());
  ASSERT_TRUE(store_->steps().Answer(task.id, "ask", {json::object{{"n", 7}}, false, ""}));
  task = Claim();
  ASSERT_TRUE(Finish(task, service_->HandleTask(task, {})));
  EXPECT_EQ(StepsOf(task.id), "ask:completed do:completed ");
  EXPECT_EQ(executed_[0].at("task").at("params").at("n"), json::value(7));
}

TEST_F(PlanExecutionTest, AWorkflowThatNobodyCheckedFailsWithThePlaceOfItsFault) {
  KeepPlans();
  const json::value steps = ParseJson(R"([{"task":{"type":"x"},"depends_on":["nobody"]}])").value();
  const store::Task task = Submitted({{"steps", steps}}, "workflow");
  const RouteResponse response = Route(RouteRequestOf(task, {}));
  EXPECT_EQ(response.error,
            "planning failed: step 'step_0': the dependency \"nobody\" names no step (params.steps[0].depends_on[0])");
  EXPECT_EQ(response.error_path, "params.steps[0].depends_on[0]");
  EXPECT_THAT(executed_, IsEmpty());
}

TEST_F(PlanExecutionTest, AFailureInsideIsAFailureOutside) {
  On("/organism/execute-on-organ", [](const json::object& request, const CallContext&) -> Result<json::value> {
    return Failure(request, ErrorCode::kNonRetryable);
  });
  const RouteResponse response = Route({.type = "fact_store"});
  EXPECT_FALSE(response.success);
  EXPECT_EQ(response.error, "broken tool");
  EXPECT_EQ(response.error_path, "params.x");
  EXPECT_EQ(response.HttpStatus(), HttpStatus(ErrorCode::kNonRetryable));
  EXPECT_EQ(response.path, "fast");
}

TEST_F(PlanExecutionTest, PlanningThatFailsFailsTheTask) {
  const RouteResponse response = Route({.type = "other", .params = {{"priority", 9}}});
  EXPECT_THAT(response.error.value_or(""), HasSubstr("planning failed"));
  EXPECT_THAT(executed_, IsEmpty());
}

TEST_F(PlanExecutionTest, APlanBeyondTheLimitIsRefused) {
  json::array steps;
  for (int i = 0; i < 17; ++i) steps.push_back(json::object{{"step_id", std::to_string(i)}, {"task", {{"type", "x"}}}});
  AnswerPlan(WriteJson(steps));
  EXPECT_THAT(Route({.type = "other", .params = {{"priority", 9}}}).error.value_or(""), HasSubstr("at most 16"));
}

TEST_F(PlanExecutionTest, EscalationsAreBounded) {
  Start({.max_inflight_escalations = 1});
  std::latch planning(1);
  std::latch refused(1);
  On("/cognitive/plan-task", [&](const json::object&, const CallContext&) -> Result<json::value> {
    planning.count_down();
    refused.wait();
    return Fail(ErrorCode::kUnavailable, "no plan");
  });
  const RouteRequest urgent{.type = "other", .params = {{"priority", 9}}};
  std::jthread first([&] { static_cast<void>(service_->RouteAndExecute(urgent, {})); });
  planning.wait();
  const RouteResponse second = Route(urgent);
  refused.count_down();
  EXPECT_EQ(second.error_code, "resource_exhausted");
  EXPECT_EQ(second.HttpStatus(), HttpStatus(ErrorCode::kResourceExhausted));
}

}  // namespace
}  // namespace seedcore::service

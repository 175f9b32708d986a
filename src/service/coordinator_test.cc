#include "service/coordinator_test_world.h"

namespace seedcore::service {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST_F(CoordinatorTest, FastPathHonorsTheOrganOfTheRuleAndReportsTheWork) {
  const RouteResponse response = Route({.id = "t1", .type = " General_Query ", .description = "what time is it"});
  EXPECT_TRUE(response.success);
  EXPECT_EQ(response.kind, "fast_path");
  EXPECT_EQ(response.path, "fast");
  EXPECT_EQ(response.organ_id, "utility_organ_1");
  EXPECT_EQ(response.routing_reason, "Matched rule: Query, fast path is quick");
  EXPECT_EQ(response.payload.at("result").at("answer"), json::value("done"));
  EXPECT_EQ(response.energy->delta, -0.25);
  EXPECT_EQ(response.drift, 0.05);
  EXPECT_EQ(response.ocps->stream, "general_query|");
  EXPECT_EQ(executed_[0].at("task").at("type"), json::value("general_query"));
  EXPECT_EQ(executed_[0].at("task").at("idempotency_key"), json::value("t1"));
}

TEST_F(CoordinatorTest, TheDirectoryDecidesWhereTheRuleNamesNoOrgan) {
  EXPECT_EQ(Route({.type = "fact_store"}).organ_id, "directory_organ");
}

TEST_F(CoordinatorTest, DriftIsMeasuredOncePerTask) {
  AnswerPlan(kTwoSteps);
  Route({.id = "t1", .type = "other", .params = {{"priority", "critical"}}});
  EXPECT_EQ(CallsTo("/ml/drift/score"), 1);
  EXPECT_EQ(executed_.size(), 2u);
}

TEST_F(CoordinatorTest, TheDriftValveIsKeptPerStreamAndSurvivesARestart) {
  AnswerDrift(0.4);
  AnswerPlan(kTwoSteps);
  EXPECT_EQ(Route({.type = "general_query", .domain = "a"}).path, "fast");
  EXPECT_EQ(Route({.type = "general_query", .domain = "b"}).path, "fast");
  Start();
  const RouteResponse second = Route({.type = "general_query", .domain = "a"});
  EXPECT_TRUE(second.ocps->escalate);
  EXPECT_EQ(second.path, "hgnn");
  EXPECT_EQ(second.routing_reason, "Matched rule: The stream of this task has drifted");
}

TEST_F(CoordinatorTest, OnlyTheFirstAttemptFeedsTheValve) {
  AnswerDrift(0.4);
  Route({.id = "t", .type = "fact_store"});
  const RouteResponse again = Route({.id = "t", .type = "fact_store", .attempt = 2});
  EXPECT_EQ(again.ocps->fast, 1);
  EXPECT_FALSE(again.ocps->escalate);
}

TEST_F(CoordinatorTest, ATaskIsRoutedWithoutDriftAndSaysSo) {
  On("/ml/drift/score", nullptr);
  const RouteResponse response = Route({.type = "health_check"});
  EXPECT_TRUE(response.success);
  EXPECT_FALSE(response.drift || response.ocps);
  EXPECT_THAT(response.warnings, ElementsAre(HasSubstr("no drift: unavailable")));
}

TEST_F(CoordinatorTest, HoldAndRetryReachTheQueue) {
  UseRules("[{when: task.type == 'a', do: hold, description: not now}, {when: '1', do: retry, description: later}]");
  const auto held = service_->HandleTask(StoredTask("a"), {});
  EXPECT_EQ(std::get<store::Held>(held.verdict).reason, "Matched rule: not now");
  const auto retried = service_->HandleTask(StoredTask("b"), {});
  EXPECT_EQ(std::get<queue::Failure>(retried.verdict).delay, seconds(10));
  EXPECT_THAT(executed_, IsEmpty());
  EXPECT_EQ(Route({.type = "a"}).kind, "held");
  EXPECT_EQ(Route({.type = "b"}).retry_after_s, 10.0);
}

TEST_F(CoordinatorTest, AStoredTaskCompletesWithItsEffects) {
  const auto outcome = service_->HandleTask(StoredTask("fact_store"), {});
  const auto& result = std::get<store::Completed>(outcome.verdict).result;
  EXPECT_EQ(result.at("path"), json::value("fast"));
  EXPECT_FALSE(result.as_object().contains("effects"));
  ASSERT_EQ(outcome.effects.facts.size(), 1u);
  EXPECT_EQ(outcome.effects.facts[0].text, "learnt");
}

TEST_F(CoordinatorTest, AStoredTaskThatFailsKeepsItsEnvelope) {
  On("/organism/execute-on-organ", [](const json::object& request, const CallContext&) -> Result<json::value> {
    return Failure(request, ErrorCode::kUnavailable);
  });
  const auto outcome = service_->HandleTask(StoredTask("fact_store"), {});
  const auto& failure = std::get<queue::Failure>(outcome.verdict);
  EXPECT_EQ(failure.error, (Error{ErrorCode::kUnavailable, "broken tool", "params.x"}));
  EXPECT_EQ(failure.result.at("kind"), json::value("error"));
}

TEST_F(CoordinatorTest, NothingStartsPastTheDeadline) {
  CallContext call;
  call.deadline = env_.Now();
  EXPECT_EQ(service_->RouteAndExecute({.type = "a"}, call).error().code, ErrorCode::kDeadlineExceeded);
  EXPECT_EQ(CallsTo("/ml/drift/score"), 0);
}

TEST_F(CoordinatorTest, OneDeadlineHoldsForEveryCallOfATask) {
  CallContext call;
  call.deadline = env_.Now() + seconds(3);
  Instant latest{};
  On("/organism/execute-on-organ", [&](const json::object& request, const CallContext& inner) -> Result<json::value> {
    latest = inner.deadline;
    return Reply(request, nullptr);
  });
  ASSERT_TRUE(service_->RouteAndExecute({.type = "a"}, call));
  EXPECT_EQ(latest, call.deadline);
}

TEST_F(CoordinatorTest, AMissingTypeIsRefused) {
  EXPECT_EQ(service_->RouteAndExecute({.type = "  "}, {}).error().path, "type");
}

TEST_F(CoordinatorTest, TheLoadOfTheMachineIsNoDriftOfATask) {
  ASSERT_TRUE(service_->RouteAndExecute({.type = "a"}, {}));
  EXPECT_FALSE(drift_request_.at("task").as_object().contains("cpu_usage"));
  EXPECT_FALSE(drift_request_.at("task").as_object().contains("memory_usage"));
}

TEST_F(CoordinatorTest, IncidentsOfAnExecutorAreWrittenWithTheCompletion) {
  On("/organism/execute-on-organ", [](const json::object& request, const CallContext&) -> Result<json::value> {
    ExecuteReply reply = FromJson<ExecuteReply>(Reply(request, nullptr)).value();
    reply.effects.incidents.push_back({0.7, {{"kind", "test"}}});
    return ToJson(reply);
  });
  const auto outcome = service_->HandleTask(StoredTask("anything"), {});
  ASSERT_EQ(outcome.effects.incidents.size(), 1U);
  EXPECT_EQ(outcome.effects.incidents[0].salience_score, 0.7);
}

TEST(TaskParameters, AreNormalized) {
  EXPECT_EQ(NormalizedPriority({{"priority", "high"}}, 3), 8);
  EXPECT_EQ(NormalizedPriority({{"priority", 42}}, 3), 10);
  EXPECT_EQ(NormalizedPriority({{"priority", json::array{}}}, 3), 3);
  EXPECT_EQ(NormalizedPriority({}, std::nullopt), 5);
  EXPECT_EQ(NormalizedOrganTimeout({{"organ_timeout_s", 0.5}}), 1.0);
  EXPECT_EQ(NormalizedOrganTimeout({{"organ_timeout_s", 500}}), 300.0);
  EXPECT_EQ(NormalizedOrganTimeout({{"organ_timeout_s", "invalid"}}), 30.0);
  EXPECT_EQ(NormalizedOrganTimeout({{"organ_timeout_s", nullptr}}), 30.0);
  EXPECT_EQ(NormalizedComplexity({{"complexity", 7}}), 1.0);
}

TEST(TaskParameters, DriftIsMeasuredOnWordsNotOnData) {
  RoutedTask task;
  task.type = "execute";
  task.domain = "ops";
  task.description = "Restart it";
  task.params = {{"tool", "restart"}, {"series", json::array{1, 2, 3}}, {"n", 2}};
  EXPECT_EQ(DriftText(task), "Description: Restart it Domain: ops Type: execute Parameters: tool=restart, n=2");
}

TEST_F(CoordinatorTest, ARefusedRuleFileIsAnErrorWithItsLineAndIsShown) {
  UseRules("[{when: '1', do: hold}]");  // whose file is gone by now
  EXPECT_EQ(service_->ReloadPredicates({}, {}).error().code, ErrorCode::kNotFound);
  const auto status = service_->PredicatesStatus({}, {});
  ASSERT_TRUE(status);
  EXPECT_EQ(status->predicate_config.failed_loads, 1);
  EXPECT_TRUE(status->predicate_config.last_error);
  EXPECT_EQ(status->predicate_config.routing_rules, 1);
}

TEST_F(CoordinatorTest, StatusShowsLiveSignalsAndValves) {
  Route({.type = "fact_store"});
  const auto status = service_->PredicatesStatus({}, {});
  ASSERT_TRUE(status);
  EXPECT_EQ(status->escalation_ratio, 0.0);
  EXPECT_EQ(status->signals.at("success_rate"), json::value(1.0));
  EXPECT_FALSE(status->signals.contains("s_drift"));
  EXPECT_EQ(status->ocps.at("fact_store|").fast, 1);
  EXPECT_FALSE(status->predicate_config.is_fallback);
}

TEST_F(CoordinatorTest, ConfigIsTheWholeRuleFile) {
  const auto config = service_->PredicatesConfig({}, {});
  ASSERT_TRUE(config) << ToString(config.error());
  EXPECT_EQ(config->routing.as_array().size(), rules_.Current()->routing.size());
  EXPECT_EQ(config->fallback.at("routing"), json::value("escalate"));
}

TEST_F(CoordinatorTest, MetricsCountWhatHappened) {
  Route({.type = "fact_store"});
  Route({.type = "other", .params = {{"priority", 9}}});
  const auto metrics = service_->GetMetrics({}, {});
  EXPECT_EQ(metrics->total_tasks, 2);
  EXPECT_EQ(metrics->fast_path_tasks, 1);
  EXPECT_EQ(metrics->escalation_failures, 1);
  EXPECT_EQ(metrics->success_rate, 0.5);
  EXPECT_EQ(service_->RoutingShares(), std::pair(0.5, 0.5));
  EXPECT_THAT(metrics_.Expose(), HasSubstr("coord_requests_total{path=\"fast\",success=\"true\"} 1"));
}

TEST_F(CoordinatorTest, HealthIsThatOfItsParts) {
  EXPECT_EQ(service_->Health({}, {})->HttpStatus(), 503);
  const auto healthy = [](json::value reply) {
    return [reply](const json::object&, const CallContext&) -> Result<json::value> { return reply; };
  };
  On("/organism/health",
     healthy(ToJson(OrganismHealthReply{.status = "healthy", .organism_initialized = true, .agents = 1})));
  EXPECT_EQ(service_->Health({}, {})->status, "degraded");
  On("/ml/health", healthy(ToJson(MlHealth{})));
  CognitiveHealth cognitive;
  cognitive.status = "healthy";
  cognitive.cognitive_core_available = true;
  On("/cognitive/health", healthy(ToJson(cognitive)));
  EXPECT_EQ(service_->Health({}, {})->status, "healthy");
  env_.ArmFault("store.read", {ErrorCode::kUnavailable, "the disk reported an error", {}});
  EXPECT_EQ(service_->Health({}, {})->parts.at("store"), "unavailable: the disk reported an error");
  env_.ArmFault("store.read", {ErrorCode::kUnavailable,
                               "PostgreSQL refused the password (PostgreSQL at db:5432/x: failed for user \"u\")",
                               {}});
  EXPECT_EQ(service_->Health({}, {})->parts.at("store"), "PostgreSQL refused the password") << "anybody may ask";
}

}  // namespace
}  // namespace seedcore::service

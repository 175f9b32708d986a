#include "service/coordinator.h"

#include <filesystem>
#include <fstream>
#include <latch>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/sim_env.h"
#include "service/coordinator_impl.h"
#include "service/task_route.h"
#include "store/sqlite/sqlite_store.h"

namespace seedcore::service {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// Streams in memory.
class MemoryStreams final : public store::StreamStore {
 public:
  Result<json::value> Load(const std::string& kind, const std::string& key) override {
    const std::lock_guard lock(mutex_);
    if (broken) return Fail(ErrorCode::kUnavailable, "disk full");
    const auto found = states_.find({kind, key});
    return found == states_.end() ? json::value() : found->second;
  }
  Result<json::value> Update(const std::string& kind, const std::string& key,
                             const std::function<json::value(const json::value&)>& update) override {
    const std::lock_guard lock(mutex_);
    if (broken) return Fail(ErrorCode::kUnavailable, "disk full");
    json::value& state = states_[{kind, key}];
    return state = update(state);
  }
  Result<std::vector<std::pair<std::string, json::value>>> List(const std::string& kind) override {
    const std::lock_guard lock(mutex_);
    std::vector<std::pair<std::string, json::value>> out;
    for (const auto& [key, state] : states_) {
      if (key.first == kind) out.emplace_back(key.second, state);
    }
    return out;
  }

  bool broken = false;

 private:
  std::mutex mutex_;
  std::map<std::pair<std::string, std::string>, json::value> states_;
};

class MemoryIncidents final : public store::IncidentStore {
 public:
  Result<store::Incident> Add(const store::NewIncident& incident) override {
    added.push_back(incident);
    return store::Incident{.incident_id = "incident-1", .salience_score = incident.salience_score, .event_data = {}};
  }
  Result<std::vector<store::Incident>> Search(double, int) override { return std::vector<store::Incident>{}; }

  std::vector<store::NewIncident> added;
};

/// The coordinator among services that answer over the wire what each test tells them to.
class CoordinatorTest : public testing::Test {
 protected:
  using Answer = std::function<Result<json::value>(const json::object& request, const CallContext& call)>;

  ~CoordinatorTest() override {
    service_.reset();
    store_.reset();
    if (!folder_.empty()) std::filesystem::remove_all(folder_);
  }
  CoordinatorTest() {
    const Transport transport = [this](net::Method, const std::string& path, const std::string& body,
                                       const CallContext& call) -> Result<net::Response> {
      Answer answer;
      {
        const std::lock_guard lock(mutex_);
        calls_.push_back(path);
        answer = answers_[path];
      }
      if (!answer) return Fail(ErrorCode::kUnavailable, path + " does not answer");
      SEEDCORE_ASSIGN_OR_RETURN(const json::value reply,
                                answer(body.empty() ? json::object() : ParseJson(body)->as_object(), call));
      return net::JsonResponse(WriteJson(reply));
    };
    ml_.BindRemote(MlOperations(), transport);
    cognitive_.BindRemote(CognitiveOperations(), transport);
    organism_.BindRemote(OrganismOperations(), transport);
    AnswerDrift(0.05);
    On("/organism/resolve-route", [](const json::object& request, const CallContext&) -> Result<json::value> {
      const json::value* preferred = request.if_contains("preferred_logical_id");
      const bool has = preferred != nullptr && !preferred->as_string().empty();
      return json::object{{"logical_id", has ? preferred->as_string() : json::string("directory_organ")},
                          {"resolved_from", "default"},
                          {"epoch", "e"}};
    });
    On("/organism/execute-on-organ", [this](const json::object& request, const CallContext&) -> Result<json::value> {
      const std::lock_guard lock(mutex_);
      executed_.push_back(request);
      return Reply(request, json::object{{"answer", "done"}});
    });
    Start();
  }

  void Start(CoordinatorServiceSettings settings = {}) {
    service_ = std::make_unique<CoordinatorService>(CoordinatorDependencies{.env = env_,
                                                                            .metrics = metrics_,
                                                                            .streams = streams_,
                                                                            .steps = steps_,
                                                                            .incidents = incidents_,
                                                                            .rules = rules_,
                                                                            .ml = ml_,
                                                                            .cognitive = cognitive_,
                                                                            .organism = organism_,
                                                                            .settings = settings});
  }

  void On(const std::string& path, Answer answer) {
    const std::lock_guard lock(mutex_);
    answers_[path] = std::move(answer);
  }
  int CallsTo(const std::string& path) {
    const std::lock_guard lock(mutex_);
    return static_cast<int>(std::ranges::count(calls_, path));
  }

  void AnswerDrift(double score) {
    On("/ml/drift/score", [this, score](const json::object& request, const CallContext&) -> Result<json::value> {
      drift_request_ = request;
      DriftResponse reply;
      reply.drift_score = score;
      reply.stream = std::string(request.at("task").at("type").as_string()) + "|" +
                     std::string(request.at("task").at("domain").as_string());
      return ToJson(reply);
    });
  }

  static json::value Reply(const json::object& request, json::value result) {
    AgentReport report{.agent_id = "agent_0",
                       .success = true,
                       .quality = 0.9,
                       .result = std::move(result),
                       .delta_e_realized = -0.25,
                       .energy_before = 2.0,
                       .energy_after = 1.75};
    ExecuteReply reply{.success = true, .organ_id = std::string(request.at("organ_id").as_string()), .result = report};
    if (request.at("effects") == "return")
      reply.effects.facts.push_back({.text = "learnt", .tags = {}, .meta_data = {}});
    return ToJson(reply);
  }
  static json::value Failure(const json::object& request, ErrorCode code) {
    return ToJson(ExecuteReply{.success = false,
                               .organ_id = std::string(request.at("organ_id").as_string()),
                               .error = "broken tool",
                               .error_code = std::string(ToString(code)),
                               .error_path = "params.x",
                               .retryable = IsRetryable(code)});
  }

  /// A plan whose last step uses what the first put out.
  void AnswerPlan(std::string_view steps) {
    On("/cognitive/plan-task",
       [text = std::string(steps)](const json::object&, const CallContext&) -> Result<json::value> {
         PlanTaskResponse reply;
         reply.agent_id = "coordinator";
         reply.result.result.solution_steps = *FromJsonText<std::vector<cognitive::PlanStep>>(text);
         reply.result.result.rationale = "because";
         reply.result.metadata.provider = "rules";
         return ToJson(reply);
       });
  }
  static constexpr std::string_view kTwoSteps =
      R"([{"step_id":"a","task":{"type":"fact_search","params":{"query":"x"}}},
          {"step_id":"b","task":{"type":"general_query","params":{"about":"${a.answer}"}},"depends_on":["a"]}])";

  RouteResponse Route(RouteRequest request) {
    auto response = service_->RouteAndExecute(request, {});
    EXPECT_TRUE(response) << ToString(response.error());
    return response ? *response : RouteResponse{};
  }
  static store::Task StoredTask(std::string type) {
    store::Task task;
    task.id = "0190-task";
    task.type = std::move(type);
    task.attempts = 1;
    return task;
  }
  void UseRules(const std::string& routing, const std::string& mutations = "[{when: '1', do: hold}]") {
    std::string pattern = (std::filesystem::temp_directory_path() / "coordinator_XXXXXX").string();
    const int file = mkstemp(pattern.data());
    ASSERT_GE(file, 0);
    close(file);
    std::ofstream(pattern) << "routing: " << routing << "\nmutations: " << mutations << "\n";
    coordinator::RuleBook& book = file_rules_.emplace_back(env_, pattern);
    ASSERT_TRUE(book.Load());
    std::filesystem::remove(pattern);
    service_ = std::make_unique<CoordinatorService>(CoordinatorDependencies{.env = env_,
                                                                            .metrics = metrics_,
                                                                            .streams = streams_,
                                                                            .incidents = incidents_,
                                                                            .rules = book,
                                                                            .ml = ml_,
                                                                            .cognitive = cognitive_,
                                                                            .organism = organism_,
                                                                            .settings = {}});
  }

  /// From here on the coordinator keeps plans, and the tasks it is given are those of a real store.
  void UseStore() {
    folder_ = (std::filesystem::temp_directory_path() / "coordinator_XXXXXX").string();
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
    auto opened = store::sqlite::OpenSqliteStore({.path = folder_ + "/seedcore.db"}, env_, metrics_);
    ASSERT_TRUE(opened) << ToString(opened.error());
    store_ = std::move(*opened);
    steps_ = &store_->steps();
    Start();
  }
  store::Task Claim() { return store_->tasks().ClaimTasks({.owner_id = "w"}).value().at(0).task; }
  store::Task Submitted(json::object params = {{"priority", 9}}, std::string type = "other") {
    const store::NewTask task{.type = std::move(type), .params = std::move(params)};
    (void)store_->tasks().Submit({&task, 1}).value();
    return Claim();
  }
  /// Ends the claim with what the coordinator made of it, as the dispatcher does.
  Result<void> Finish(const store::Task& task, queue::TaskOutcome outcome) {
    store::Finish finish{store::Claim{task}.lease(), store::HandedBack{}, std::move(outcome.effects),
                         std::move(outcome.steps)};
    if (auto* completed = std::get_if<store::Completed>(&outcome.verdict)) finish.outcome = std::move(*completed);
    if (auto* held = std::get_if<store::Held>(&outcome.verdict)) finish.outcome = std::move(*held);
    if (auto* failure = std::get_if<queue::Failure>(&outcome.verdict)) {
      finish.outcome = store::RetryLater{failure->error, std::chrono::milliseconds(0)};
    }
    return store_->tasks().FinishTasks({&finish, 1}).value().at(0);
  }
  std::string StepsOf(const std::string& id) {
    std::string out;
    const std::vector<store::TaskStep> steps = store_->steps().Steps(id).value();
    for (const store::TaskStep& step : steps) {
      out += step.name + ":" + std::string(EnumToString(step.status)) + " ";
    }
    return out;
  }

  SimEnv env_;
  Metrics metrics_;
  std::string folder_;
  std::unique_ptr<store::Store> store_;
  store::StepStore* steps_ = nullptr;
  MemoryStreams streams_;
  MemoryIncidents incidents_;
  coordinator::RuleBook rules_{env_};
  std::deque<coordinator::RuleBook> file_rules_;
  Peer<MlService> ml_;
  Peer<CognitiveService> cognitive_;
  Peer<OrganismService> organism_;
  std::mutex mutex_;  // guards the four below
  std::map<std::string, Answer> answers_;
  std::vector<std::string> calls_;
  std::vector<json::object> executed_;
  json::object drift_request_;
  std::unique_ptr<CoordinatorService> service_;
};

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

TEST_F(CoordinatorTest, EscalationRunsThePlanAndPassesOutputsOn) {
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

TEST_F(CoordinatorTest, AFailedAttemptContinuesWhereItStopped) {
  AnswerPlan(kTwoSteps);
  bool broken = true;
  On("/organism/execute-on-organ", [&](const json::object& request, const CallContext&) -> Result<json::value> {
    executed_.push_back(request);
    const bool second = request.at("task").at("type") == "general_query";
    return second && broken ? Failure(request, ErrorCode::kUnavailable) : Reply(request, json::object{{"answer", 1}});
  });
  UseStore();
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

TEST_F(CoordinatorTest, EffectsOfStepsAreWrittenOnceWithTheirCheckpointsAndTheLastWithTheEnd) {
  AnswerPlan(kTwoSteps);
  UseStore();
  const store::Task task = Submitted();
  auto outcome = service_->HandleTask(task, {});
  EXPECT_EQ(StepsOf(task.id), "a:completed b:running ");
  EXPECT_EQ(store_->facts().Count().value(), 1);
  ASSERT_TRUE(Finish(task, std::move(outcome)));
  EXPECT_EQ(StepsOf(task.id), "a:completed b:completed ");
  EXPECT_EQ(store_->facts().Count().value(), 2);
  EXPECT_EQ(executed_[0].at("effects"), "return");
}

TEST_F(CoordinatorTest, AnExecutionThatLostItsTaskRunsAndWritesNoStep) {
  AnswerPlan(kTwoSteps);
  UseStore();
  const store::Task zombie = Submitted();
  env_.Advance(seconds(31));
  EXPECT_EQ(store_->tasks().Reap(10).value(), 1);
  const store::Task task = Claim();
  const auto outcome = service_->HandleTask(zombie, {});
  EXPECT_EQ(std::get<queue::Failure>(outcome.verdict).error.code, ErrorCode::kLeaseLost);
  EXPECT_THAT(executed_, IsEmpty());
  EXPECT_EQ(StepsOf(task.id), "");
}

TEST_F(CoordinatorTest, AStepIsRetriedAsItsPolicySaysAndKeepsItsKey) {
  UseStore();
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

TEST_F(CoordinatorTest, AHoldParksTheTaskAndItsAnswerIsPassedOn) {
  UseStore();
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

TEST_F(CoordinatorTest, AFailureInsideIsAFailureOutside) {
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

TEST_F(CoordinatorTest, PlanningThatFailsFailsTheTask) {
  const RouteResponse response = Route({.type = "other", .params = {{"priority", 9}}});
  EXPECT_THAT(response.error.value_or(""), HasSubstr("planning failed"));
  EXPECT_THAT(executed_, IsEmpty());
}

TEST_F(CoordinatorTest, APlanBeyondTheLimitIsRefused) {
  json::array steps;
  for (int i = 0; i < 17; ++i) steps.push_back(json::object{{"step_id", std::to_string(i)}, {"task", {{"type", "x"}}}});
  AnswerPlan(WriteJson(steps));
  EXPECT_THAT(Route({.type = "other", .params = {{"priority", 9}}}).error.value_or(""), HasSubstr("at most 16"));
}

TEST_F(CoordinatorTest, EscalationsAreBounded) {
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

class TriageTest : public CoordinatorTest {
 protected:
  TriageTest() {
    On("/cognitive/reason-about-failure",
       [this](const json::object& request, const CallContext&) -> Result<json::value> {
         reasoned_ = request;
         ReasonAboutFailureResponse reply;
         reply.result.result.thought = "demand doubled";
         reply.result.result.proposed_solution = "look at it";
         reply.result.metadata.provider = "rules";
         return ToJson(reply);
       });
    On("/cognitive/make-decision", [this](const json::object& request, const CallContext&) -> Result<json::value> {
      decided_ = request;
      MakeDecisionResponse reply;
      reply.result.result.decision = "investigate";
      reply.result.result.action = cognitive::Action::kInvestigate;
      reply.result.result.reasoning = "well supported";
      reply.result.result.confidence = 0.8;
      return ToJson(reply);
    });
    On("/cognitive/synthesize-memory", [this](const json::object& request, const CallContext&) -> Result<json::value> {
      synthesized_ = request;
      SynthesizeMemoryResponse reply;
      reply.result.result.synthesized_insight = "insight";
      return ToJson(reply);
    });
  }

  void AnswerAnomaly(std::optional<std::string> severity) {
    On("/ml/detect/anomaly", [severity](const json::object& request, const CallContext&) -> Result<json::value> {
      AnomalyResponse reply;
      reply.summary.points = static_cast<std::int64_t>(request.at("data").as_array().size());
      if (severity) {
        reply.anomalies.push_back({.index = 1, .value = 9.0, .score = 0.9, .severity = *severity, .reason = "jump"});
        reply.summary.count = 1;
        reply.summary.max_score = 0.9;
      }
      return ToJson(reply);
    });
  }

  AnomalyTriageResponse Triage(json::object context = {}, const CallContext& call = {}) {
    auto response =
        service_->AnomalyTriage({.agent_id = "sensor", .series = {1, 9, 1}, .context = std::move(context)}, call);
    EXPECT_TRUE(response) << ToString(response.error());
    return response ? *response : AnomalyTriageResponse{};
  }

  json::object reasoned_;
  json::object decided_;
  json::object synthesized_;
};

TEST_F(TriageTest, AQuietSeriesNeedsNoReasoning) {
  AnswerAnomaly(std::nullopt);
  const auto response = Triage();
  EXPECT_FALSE(response.escalated);
  EXPECT_EQ(response.decision.at("action"), json::value("ignore"));
  EXPECT_EQ(CallsTo("/cognitive/reason-about-failure"), 0);
  EXPECT_EQ(response.mutation.action, "hold");
}

TEST_F(TriageTest, ATriageWithinATaskLeavesTheIncidentToTheCompletion) {
  AnswerAnomaly("critical");
  const auto response = service_->AnomalyTriage(
      {.agent_id = "sensor", .series = {1, 9, 1}, .context = {}, .effects = EffectsMode::kReturn}, {});
  ASSERT_TRUE(response);
  EXPECT_TRUE(incidents_.added.empty());
  EXPECT_FALSE(response->incident_id);
  ASSERT_TRUE(response->effects);
  EXPECT_EQ(response->effects->incidents.at(0).salience_score, 0.9);
}

TEST_F(TriageTest, ASevereAnomalyIsReasonedAboutDecidedAndKept) {
  AnswerAnomaly("critical");
  const auto response = Triage({{"station", "north"}, {"api_key", "hush"}});
  EXPECT_TRUE(response.escalated);
  EXPECT_EQ(response.routing_reason, "1 anomalous point, the worst of severity critical");
  EXPECT_EQ(response.reason.at("thought"), json::value("demand doubled"));
  EXPECT_EQ(response.decision.at("action"), json::value("investigate"));
  EXPECT_EQ(decided_.at("decision_context").at("reason").at("thought"), json::value("demand doubled"));
  EXPECT_EQ(reasoned_.at("agent_id"), json::value("sensor"));
  EXPECT_EQ(response.incident_id, "incident-1");
  ASSERT_EQ(incidents_.added.size(), 1u);
  EXPECT_EQ(incidents_.added[0].salience_score, 0.9);
  EXPECT_EQ(incidents_.added[0].event_data.at("context").at("station"), json::value("north"));
  EXPECT_EQ(incidents_.added[0].event_data.at("context").at("api_key"), json::value("[REDACTED]"));
  EXPECT_EQ(incidents_.added[0].event_data.at("decision").at("action"), json::value("investigate"));
}

TEST_F(TriageTest, AMildAnomalyIsWatched) {
  AnswerAnomaly("low");
  const auto response = Triage();
  EXPECT_FALSE(response.escalated);
  EXPECT_EQ(response.decision.at("action"), json::value("hold"));
  EXPECT_THAT(incidents_.added, IsEmpty());
}

TEST_F(TriageTest, HighDriftEscalatesEvenAMildAnomaly) {
  AnswerDrift(0.8);
  AnswerAnomaly("low");
  EXPECT_EQ(Triage().routing_reason, "Matched rule: Anomaly with high drift");
}

TEST_F(TriageTest, ReasoningThatFailsFailsTheTriage) {
  AnswerAnomaly("critical");
  On("/cognitive/make-decision", nullptr);
  const auto response = service_->AnomalyTriage({.agent_id = "sensor", .series = {1}}, {});
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kUnavailable);
}

TEST_F(TriageTest, WithoutASummaryTheIncidentIsKeptAllTheSame) {
  AnswerAnomaly("critical");
  On("/cognitive/synthesize-memory", nullptr);
  const auto response = Triage();
  EXPECT_EQ(incidents_.added.size(), 1u);
  EXPECT_THAT(response.warnings, ElementsAre(HasSubstr("no summary for memory")));
}

TEST_F(TriageTest, TuningIsReportedAsNotAvailable) {
  UseRules("[{when: '1', do: fast_path}]",
           "[{when: \"decision.action == 'ignore' and p_fast == 1\", do: submit_tuning}]");
  AnswerAnomaly(std::nullopt);
  const auto response = Triage();
  EXPECT_EQ(response.mutation.action, "submit_tuning");
  EXPECT_EQ(response.tuning_job->at("status"), json::value("not available"));
}

TEST_F(TriageTest, TimestampsMayComeWithTheContext) {
  json::object seen;
  On("/ml/detect/anomaly", [&](const json::object& request, const CallContext&) -> Result<json::value> {
    seen = request;
    return ToJson(AnomalyResponse{});
  });
  Triage({{"timestamps", json::array{1, 2, 3}}, {"report_from", 2}});
  EXPECT_EQ(seen.at("timestamps").as_array().size(), 3u);
  EXPECT_EQ(seen.at("report_from"), json::value(2));
}

// The executor of anomaly_triage tasks calls the coordinator back: the drift of the task was measured before.
TEST_F(TriageTest, WithinATaskItsDriftIsUsed) {
  AnswerAnomaly("low");
  AnswerDrift(0.3);
  On("/organism/execute-on-organ", [this](const json::object& request, const CallContext& call) -> Result<json::value> {
    // The executor hands on what came with the task, to whichever replica of the coordinator answers: another one here.
    AnomalyTriageRequest back{.agent_id = "sensor", .series = {1, 9, 1}};
    back.evidence = FromJson<Evidence>(request.at("task").at("evidence")).value();
    CoordinatorService replica({.env = env_,
                                .metrics = metrics_,
                                .streams = streams_,
                                .incidents = incidents_,
                                .rules = rules_,
                                .ml = ml_,
                                .cognitive = cognitive_,
                                .organism = organism_,
                                .settings = {}});
    const auto triage = replica.AnomalyTriage(back, call);
    EXPECT_EQ(triage->drift, 0.3);
    EXPECT_EQ(triage->ocps->stream, "anomaly_triage|");
    return Reply(request, ToJson(*triage));
  });
  EXPECT_TRUE(Route({.id = "t", .type = "anomaly_triage"}).success);
  EXPECT_EQ(CallsTo("/ml/drift/score"), 1);
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
  streams_.broken = true;
  EXPECT_EQ(service_->Health({}, {})->parts.at("store"), "unavailable: disk full");
}

}  // namespace
}  // namespace seedcore::service

#pragma once

#include <algorithm>
#include <deque>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/sim_env.h"
#include "base/testing.h"
#include "service/coordinator.h"
#include "service/coordinator_impl.h"
#include "service/task_route.h"
#include "store/sqlite/sqlite_store.h"

/// For the tests of the Coordinator service.
namespace seedcore::service {

/// The coordinator on a real store, among services that answer over the wire what each test tells them to.
class CoordinatorTest : public testing::Test {
 protected:
  using Answer = std::function<Result<json::value>(const json::object& request, const CallContext& call)>;

  ~CoordinatorTest() override {
    service_.reset();
    store_.reset();
  }
  CoordinatorTest() {
    auto opened = store::sqlite::OpenSqliteStore({.path = folder_.File("seedcore.db")}, env_, metrics_);
    if (!opened) throw std::runtime_error(ToString(opened.error()));
    store_ = std::move(*opened);
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

  /// Those of every coordinator of the test: on its store, and among its services.
  CoordinatorDependencies Dependencies(coordinator::RuleBook& rules, CoordinatorServiceSettings settings = {}) {
    return {.env = env_,
            .metrics = metrics_,
            .streams = store_->streams(),
            .steps = steps_,
            .incidents = store_->incidents(),
            .rules = rules,
            .shared_rules = store_->rules(),
            .ml = ml_,
            .cognitive = cognitive_,
            .organism = organism_,
            .settings = settings};
  }
  void Start(CoordinatorServiceSettings settings = {}) {
    service_ = std::make_unique<CoordinatorService>(Dependencies(rules_, settings));
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
    const std::string file = folder_.File("rules.yaml");
    std::ofstream(file) << "routing: " << routing << "\nmutations: " << mutations << "\n";
    coordinator::RuleBook& book = file_rules_.emplace_back(env_, coordinator::RuleSources{.file = file});
    ASSERT_TRUE(book.Load());
    std::filesystem::remove(file);
    service_ = std::make_unique<CoordinatorService>(Dependencies(book));
  }

  /// From here on the coordinator keeps plans, and the tasks it is given are those of the store.
  void KeepPlans() {
    steps_ = &store_->steps();
    Start();
  }
  std::vector<store::Incident> Incidents() { return store_->incidents().Search(0.0, 100).value(); }
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
  test::TemporaryFolder folder_;
  std::unique_ptr<store::Store> store_;
  store::StepStore* steps_ = nullptr;
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

}  // namespace seedcore::service

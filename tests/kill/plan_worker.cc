// The victim of plan_test: opens a store, submits workflows and executes them by the real coordinator, until it is
// killed. The organism answers in this process: each step writes down that it began, takes a moment and leaves a fact.
//
//   plan_worker PLACE load|drain

#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include <fmt/format.h>

#include "base/env.h"
#include "base/log.h"
#include "base/metrics.h"
#include "kill/open_store.h"
#include "queue/dispatcher.h"
#include "queue/reaper.h"
#include "service/coordinator.h"

namespace seedcore {
namespace {

using namespace std::chrono_literals;

[[noreturn]] void Die(std::string_view what, const Error& error) {
  fmt::print(stderr, "plan_worker: {}: {}\n", what, ToString(error));
  std::exit(2);
}

/// One write of less than PIPE_BUF bytes: the parent sees all of it or nothing.
void Say(const std::string& line) {
  if (::write(STDOUT_FILENO, line.data(), line.size()) != static_cast<ssize_t>(line.size())) std::exit(3);
}

/// The real steps, and a line for each checkpoint that was acknowledged.
class SayingSteps final : public store::StepStore {
 public:
  explicit SayingSteps(store::StepStore& real) : real_(real) {}
  Result<std::vector<store::TaskStep>> SavePlan(const store::Lease& lease, const store::NewPlan& plan) override {
    return real_.SavePlan(lease, plan);
  }
  Result<void> WriteSteps(const store::Lease& lease, std::span<const store::StepWrite> writes,
                          const store::Effects& effects) override {
    for (const store::StepWrite& write : writes) {
      if (write.status == store::TaskStepStatus::kRunning) {
        Say(fmt::format("began {} {} {}\n", lease.task_id, write.name, lease.fencing_token));
      }
    }
    SEEDCORE_RETURN_IF_ERROR(real_.WriteSteps(lease, writes, effects));
    for (const store::StepWrite& write : writes) {
      if (write.status == store::TaskStepStatus::kCompleted) {
        Say(fmt::format("kept {} {} {}\n", lease.task_id, write.name, lease.fencing_token));
      }
    }
    return {};
  }
  Result<std::vector<store::TaskStep>> Steps(const std::string& task_id) override { return real_.Steps(task_id); }
  Result<store::Task> Answer(const std::string& id, const std::string& step, const store::StepAnswer& answer) override {
    return real_.Answer(id, step, answer);
  }
  Result<store::Task> Replay(const std::string& id, const std::string& step) override { return real_.Replay(id, step); }
  Result<store::Task> Fork(const std::string& id, const std::string& step) override { return real_.Fork(id, step); }

 private:
  store::StepStore& real_;
};

Result<net::Response> Organism(const std::string& path, const std::string& body) {
  const json::value request = ParseJson(body).value();
  if (path == "/organism/resolve-route") {
    return net::JsonResponse(
        WriteJson(ToJson(service::ResolveRouteReply{.logical_id = "o", .resolved_from = "default", .epoch = "e"})));
  }
  RealEnv().SleepFor(std::chrono::milliseconds(5 + RealEnv().Random() % 40), {});
  service::ExecuteReply reply{.success = true, .organ_id = "o", .result = service::AgentReport{.agent_id = "a"}};
  reply.effects.facts.push_back(
      {.text = WriteJson(request.at("task").at("idempotency_key")), .tags = {}, .meta_data = {}});
  return net::JsonResponse(WriteJson(ToJson(reply)));
}

store::NewTask Workflow() {
  json::array steps;
  const auto add = [&](std::string_view id, json::array depends_on) {
    steps.push_back({{"step_id", id}, {"task", {{"type", "work"}}}, {"depends_on", std::move(depends_on)}});
  };
  add("a", {});
  add("b", {"a"});
  add("c", {"a"});
  add("d", {"b", "c"});
  add("e", {"d"});
  return {.type = "workflow",
          .params = {{"steps", std::move(steps)}},
          .retry = {.max_attempts = 100, .base = 5ms, .max = 50ms}};
}

bool AllEnded(store::TaskStore& tasks) {
  const auto counts = tasks.Counts();
  if (!counts) Die("counts", counts.error());
  for (const auto& [status, count] : counts->by_status) {
    if (!IsTerminal(status) && count > 0) return false;
  }
  return true;
}

int Main(const std::string& place, bool load) {
  Env& env = RealEnv();
  Metrics metrics;
  auto store = test::OpenStore(place, env, metrics);
  if (!store) Die("open", store.error());
  store::TaskStore& tasks = (*store)->tasks();
  SayingSteps steps((*store)->steps());
  coordinator::RuleBook rules(env);
  service::Peer<service::MlService> ml;  // not there: tasks are routed without drift
  service::Peer<service::CognitiveService> cognitive;
  service::Peer<service::OrganismService> organism;
  organism.BindRemote(service::OrganismOperations(), [](net::Method, const std::string& path, const std::string& body,
                                                        const CallContext&) { return Organism(path, body); });
  ml.BindRemote(service::MlOperations(),
                [](net::Method, const std::string&, const std::string&, const CallContext&) -> Result<net::Response> {
                  return Fail(ErrorCode::kUnavailable, "no ML here");
                });
  service::CoordinatorService coordinator({.env = env,
                                           .metrics = metrics,
                                           .streams = (*store)->streams(),
                                           .steps = &steps,
                                           .incidents = (*store)->incidents(),
                                           .rules = rules,
                                           .shared_rules = (*store)->rules(),
                                           .ml = ml,
                                           .cognitive = cognitive,
                                           .organism = organism,
                                           .settings = {}});
  queue::Reaper reaper(env, tasks, metrics, {.period = 50ms});
  queue::Dispatcher dispatcher(
      env, tasks, metrics, {.name = "victim", .concurrency = 8, .lease = 500ms, .poll = 200ms},
      [&](const store::Task& task, const CallContext& call) { return coordinator.HandleTask(task, call); });
  if (load) {
    for (;;) {
      const store::NewTask task = Workflow();
      if (auto submitted = tasks.Submit({&task, 1}); !submitted) Die("submit", submitted.error());
      env.SleepFor(100ms, {});
    }
  }
  while (!AllEnded(tasks)) env.SleepFor(20ms, {});
  dispatcher.Stop(env.Now() + 5s);
  reaper.Stop();
  return 0;
}

}  // namespace
}  // namespace seedcore

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  seedcore::log::Configure(seedcore::log::Level::kError, seedcore::log::Format::kText);
  return seedcore::Main(argv[1], std::string_view(argv[2]) == "load");
}

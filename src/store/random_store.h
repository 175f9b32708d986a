#pragma once

#include <random>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/sim_env.h"
#include "store/conformance.h"
#include "store/graph_store.h"

/// For tests: a store with a bit of everything, made by what users of a store call.
namespace seedcore::store {

class RandomStore {
 public:
  RandomStore(Store& store, SimEnv& env, unsigned seed) : store_(store), env_(env), random_(seed) {}

  void Live(int steps) {
    for (int i = 0; i < steps; ++i) {
      env_.Advance(std::chrono::milliseconds(random_() % 5000));
      switch (random_() % 8) {
        case 0:
        case 1:
        case 2: Submit(); break;
        case 3:
        case 4: Work(); break;
        case 5: Must(store_.tasks().Reap(10)); break;
        case 6: Know(); break;
        default: Steer(); break;
      }
    }
    Must(store_.tasks().DeleteFinished(env_.WallNow() - std::chrono::hours(1), 5));
    Register();
    Relate();
    Plan();
  }

 private:
  bool Often() { return random_() % 3 != 0; }
  std::string Text() {
    static const std::vector<std::string> kTexts{"",
                                                 "plain",
                                                 "two words",
                                                 "it's \"quoted\" \\ and \\u0041",
                                                 "Zo\xc3\xab \xf0\x9f\x90\x98\n\ttabs",
                                                 "%_'--",
                                                 "[1, 2, {}]",
                                                 std::string(3000, 'x')};
    return kTexts[random_() % kTexts.size()];
  }
  json::object Object() {
    return {
        {"text", Text()}, {"n", static_cast<int>(random_() % 100)}, {"x", 0.1 * static_cast<double>(random_() % 100)}};
  }

  void Submit() {
    std::vector<NewTask> tasks(1 + random_() % 4);
    for (NewTask& task : tasks) {
      task.type = fmt::format("type_{}", random_() % 3);
      task.description = Text();
      task.params = Object();
      task.priority = 1 + static_cast<int>(random_() % 10);
      task.drift_score = 0.1 * static_cast<double>(random_() % 7);
      task.run_immediately = random_() % 8 != 0;
      task.retry.max_attempts = 1 + static_cast<int>(random_() % 3);
      if (Often()) task.domain = "somebody";
      if (!Often()) task.idempotency_key = env_.NewId();
      if (!Often()) task.run_after = env_.WallNow() + std::chrono::seconds(random_() % 60);
      if (!Often()) task.deadline = env_.WallNow() + std::chrono::seconds(60 + random_() % 600);
      if (!Often() && !ids_.empty()) task.depends_on = {ids_[random_() % ids_.size()]};
    }
    const auto submitted = store_.tasks().Submit(tasks);
    if (!submitted) return;  // a dependency that retention has deleted
    for (const SubmitResult& result : *submitted) ids_.push_back(result.task.id);
  }

  void Work() {
    const auto claims =
        Must(store_.tasks().ClaimTasks({.owner_id = "w", .limit = 1 + static_cast<int>(random_() % 4)}));
    std::vector<Finish> finishes;
    for (const Claim& claim : claims) {
      if (claim.task.params.at("n").as_int64() % 2 == 0) Step(claim);
      switch (random_() % 7) {
        case 0:  // stays running
          Must(store_.tasks().ReportProgress(std::vector<ProgressReport>{
              {claim.lease(),
               {.fraction = 0.01 * static_cast<double>(random_() % 101), .note = "so far", .data = 7}}}));
          break;
        case 1: finishes.push_back({claim.lease(), RetryLater{WorkFailed(), std::chrono::seconds(5)}, {}}); break;
        case 2: finishes.push_back({claim.lease(), FailedForGood{WorkFailed(), Object()}, {}}); break;
        case 3: finishes.push_back({claim.lease(), Held{"ask somebody"}, {}}); break;
        case 4: finishes.push_back({claim.lease(), Snoozed{std::chrono::seconds(3), Text()}, {}}); break;
        default:
          finishes.push_back({claim.lease(),
                              Completed{Object()},
                              {.facts = {{Text() + "fact", {"a b", "\"c\""}, Object()}},
                               .ledger = {{.scope = "agent",
                                           .scope_id = "a1",
                                           .task_id = claim.task.id,
                                           .delta_e = -0.3,
                                           .cost = 0.1,
                                           .breakdown = Object()}},
                               .incidents = {{0.7, Object()}}}});
      }
    }
    Must(store_.tasks().FinishTasks(finishes));
  }

  void Step(const Claim& claim) {
    const NewPlan plan{.steps = {{"look", {}, {{"do", "look"}}}, {"ask \"him\"", {"look"}, {}}}, .note = {{"by", "w"}}};
    Must(store_.steps().SavePlan(claim.lease(), plan));
    const std::vector<StepWrite> writes{
        {.name = "ask \"him\"", .status = TaskStepStatus::kWaiting, .error = "may I?", .wait_until = env_.WallNow()},
        {.name = std::to_string(claim.task.attempts), .result = {{"n", claim.task.attempts}}, .may_add = true}};
    (void)store_.steps().WriteSteps(claim.lease(), writes, {});  // refused where the name is taken
  }

  void Know() {
    Must(store_.facts().Add({Text() + "known", {}, Object()}));
    Must(store_.ledger().Append({.scope = "organ", .scope_id = Text(), .delta_e = 0.7, .cost = 0.2}));
    Must(store_.streams().Update("drift", Text(), [&](const json::value&) -> json::value { return Object(); }));
  }

  void Steer() {
    if (ids_.empty()) return;
    const std::string& id = ids_[random_() % ids_.size()];
    if (Often())
      (void)store_.tasks().Cancel(id);
    else
      (void)store_.tasks().Run(id);
  }

  void Register() {
    const std::string epoch = Must(store_.registry().CurrentEpoch());
    Must(store_.registry().Register({.instance_id = env_.NewId(),
                                     .logical_id = "o1",
                                     .cluster_epoch = epoch,
                                     .status = InstanceStatus::kAlive,
                                     .actor_name = "Organ"}));
    for (const char* organ : {"o1", "B", "\xc3\xa9"}) Must(store_.registry().EnsureOrgan(organ, "utility", Object()));
    Must(store_.registry().EnsureAgent("a1", "o1", Object()));
    Must(store_.registry().EnsureAgent("a2", "", {}));
    Must(
        store_.registry().ChangeRoutingRules(std::vector<RoutingRule>{{"type_1", "", "o1"}, {"type_2", "d", "B"}}, {}));
  }

  void Relate() {
    GraphStore& graph = store_.graph();
    const NodeRef artifact = Must(graph.PutEntity(
        {.ref = {NodeKind::kArtifact, ""}, .name = "s3://" + Text(), .scope = "log", .props = Object()}));
    const NodeRef cell =
        Must(graph.PutEntity({.ref = {NodeKind::kMemoryCell, ""}, .name = "k", .scope = "global", .props = {}}));
    Must(graph.PutEntity({.ref = {NodeKind::kCapability, ""}, .name = "sums", .scope = {}, .props = Object()}));
    Must(graph.PutEdge({EdgeKind::kOrganProvidesSkill, "B", "Zo\xc3\xab's skill"}));
    Must(graph.PutEdge({EdgeKind::kAgentOwnsMemoryCell, "a2", cell.id}));
    std::vector<NodeRef> nodes{{NodeKind::kAgent, "a1"}, artifact};
    for (const std::string& id : ids_) {
      if (!store_.tasks().Get(id)) continue;  // deleted by retention
      Must(graph.PutEdge({EdgeKind::kTaskProducesArtifact, id, artifact.id}));
      nodes.push_back({NodeKind::kTask, id});
    }
    const auto node_ids = Must(graph.EnsureNodes(nodes));
    std::vector<NodeEmbedding> embeddings;
    for (const std::int64_t id : node_ids) {
      NodeEmbedding embedding;
      embedding.node_id = id;
      embedding.model = Often() ? "m" : "M2";
      embedding.model_version = "1";
      embedding.label = Text();
      embedding.vector = {static_cast<float>(random_()) / 3.0F, -0.1F, 1e-30F, static_cast<float>(random_() % 5)};
      embedding.content_hash = env_.NewId();
      embedding.props = Object();
      embeddings.push_back(std::move(embedding));
    }
    Must(graph.PutEmbeddings(embeddings));
  }

  void Plan() {
    for (const char* name : {"hourly", "B", "often"}) {
      Schedule schedule{.name = name, .cron = "0 * * * *", .time_zone = "Europe/Berlin"};
      schedule.task = {.type = "planned", .description = Text(), .params = Object()};
      schedule.next_run_at = env_.WallNow();
      if (schedule.name == "often") schedule.cron.clear(), schedule.every = std::chrono::milliseconds(1500);
      const Schedule put = Must(store_.schedules().PutSchedule(schedule));
      Must(store_.schedules().Fire({.name = name,
                                    .revision = put.revision,
                                    .due = *put.next_run_at,
                                    .next = env_.WallNow() + std::chrono::hours(1),
                                    .last_run = put.next_run_at,
                                    .tasks = {TaskOf(put, env_.WallNow())},
                                    .error = {}}));
    }
    Must(store_.schedules().MoveSchedule("B", std::nullopt));
    Must(store_.queues().AddExternalTypes(std::vector<std::string>{"*", "outside", "Größe"}));
    Must(store_.rules().PutRules({.text = Text() + "rules", .note = "why"}, std::nullopt));
    Must(store_.rules().PutRules({.text = std::nullopt, .note = {}}, std::nullopt));
  }

  Store& store_;
  SimEnv& env_;
  std::mt19937 random_;
  std::vector<std::string> ids_{};
};

}  // namespace seedcore::store

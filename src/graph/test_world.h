#pragma once

#include <memory>
#include <string>
#include <vector>

#include "graph/engine.h"
#include "store/conformance.h"
#include "store/sqlite/sqlite_store.h"

/// For tests: a store of its own with tasks that were really executed.
namespace seedcore::graph {

using store::Must;

struct World {
  World() : store(Must(store::sqlite::OpenSqliteStore({.path = directory.path() + "/seedcore.db"}, env, metrics))) {
    Must(store->registry().EnsureOrgan("o1", "utility", {}));
    Must(store->registry().EnsureAgent("a1", "o1", {}));
  }

  store::GraphStore& graph() { return store->graph(); }
  std::unique_ptr<Engine> MakeEngine(EngineSettings settings = {}) {
    return Must(Engine::Make(graph(), env, settings));
  }

  std::string Submit(std::string type, std::string description = {}, std::vector<std::string> depends_on = {}) {
    env.Advance(std::chrono::milliseconds(5));
    store::NewTask task;
    task.type = std::move(type);
    task.description = std::move(description);
    task.depends_on = std::move(depends_on);
    return Must(store->tasks().Submit(std::vector{task})).front().task.id;
  }

  /// Agent a1 executes the next task; it produces the fact. Returns the fact's id.
  std::string Work(const std::string& fact) {
    const auto claims = Must(store->tasks().ClaimTasks({.owner_id = "w", .limit = 1, .types = {}}));
    store::Effects effects;
    effects.facts.push_back({fact, {}, {}});
    store::NewLedgerEntry entry;
    entry.scope = "agent";
    entry.scope_id = "a1";
    entry.task_id = claims.at(0).task.id;
    effects.ledger.push_back(entry);
    const std::vector<store::Finish> finishes{{claims[0].lease(), store::Completed{}, std::move(effects)}};
    Must(Must(store->tasks().FinishTasks(finishes)).front());
    return Must(store->facts().Search({})).front().id;
  }

  static store::NodeRef Task(const std::string& id) { return {store::NodeKind::kTask, id}; }
  static store::NodeRef FactNode(const std::string& id) { return {store::NodeKind::kFact, id}; }

  store::TempDirectory directory;
  SimEnv env;
  Metrics metrics;
  std::unique_ptr<store::Store> store;
  CallContext call;
};

}  // namespace seedcore::graph

#pragma once

#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/metrics.h"
#include "base/sim_env.h"
#include "base/testing.h"
#include "organism/organism.h"
#include "store/sqlite/sqlite_store.h"

/// For the tests of this room: the real SQLite store on a simulated clock.
namespace seedcore::organism {

using test::Eventually;

class World : public testing::Test {
 private:
  test::TemporaryFolder folder_;  // outlives the store

 protected:
  World() {
    auto opened = store::sqlite::OpenSqliteStore({.path = folder_.File("seedcore.db")}, env, metrics);
    if (!opened) throw std::runtime_error(ToString(opened.error()));
    store = std::move(*opened);
  }

  store::RegistryStore& registry() { return store->registry(); }
  [[nodiscard]] std::vector<std::string> ActiveInstanceIds(const std::string& organ_id) {
    const auto active = registry().ActiveInstances(organ_id);
    EXPECT_TRUE(active);
    std::vector<std::string> ids;
    for (const auto& instance : *active) ids.push_back(instance.instance_id);
    return ids;
  }

  SimEnv env;
  Metrics metrics;
  std::unique_ptr<store::Store> store;
  CallContext call;
};

/// The real registry, for tests that change one method of it.
class ForwardingRegistry : public store::RegistryStore {
 public:
  explicit ForwardingRegistry(store::RegistryStore& real) : real_(real) {}
  Result<std::string> CurrentEpoch() override { return real_.CurrentEpoch(); }
  Result<void> SetCurrentEpoch(const std::string& epoch) override { return real_.SetCurrentEpoch(epoch); }
  Result<void> Register(const store::Instance& instance) override { return real_.Register(instance); }
  Result<void> SetStatus(const std::string& id, store::InstanceStatus status) override {
    return real_.SetStatus(id, status);
  }
  Result<void> Beat(const std::string& id) override { return real_.Beat(id); }
  Result<std::vector<store::Instance>> ActiveInstances(const std::string& id) override {
    return real_.ActiveInstances(id);
  }
  Result<std::vector<store::Instance>> ActiveListeners() override { return real_.ActiveListeners(); }
  Result<int> ExpireInstances(std::chrono::seconds older_than) override { return real_.ExpireInstances(older_than); }
  Result<void> EnsureOrgan(const std::string& id, const std::string& kind, const json::object& props) override {
    return real_.EnsureOrgan(id, kind, props);
  }
  Result<void> EnsureAgent(const std::string& id, const std::string& organ, const json::object& props) override {
    return real_.EnsureAgent(id, organ, props);
  }
  Result<void> MoveAgent(const std::string& id, const std::string& organ) override {
    return real_.MoveAgent(id, organ);
  }
  Result<void> RemoveOrgan(const std::string& id) override { return real_.RemoveOrgan(id); }
  Result<std::vector<OrganRow>> Organs() override { return real_.Organs(); }
  Result<std::vector<store::RoutingRule>> RoutingRules() override { return real_.RoutingRules(); }
  Result<void> ChangeRoutingRules(std::span<const store::RoutingRule> add,
                                  std::span<const store::RoutingRule> remove) override {
    return real_.ChangeRoutingRules(add, remove);
  }

 private:
  store::RegistryStore& real_;
};

/// The real store with another registry.
class StoreWithRegistry final : public store::Store {
 public:
  StoreWithRegistry(store::Store& real, store::RegistryStore& registry) : real_(real), registry_(registry) {}
  store::TaskStore& tasks() override { return real_.tasks(); }
  store::FactStore& facts() override { return real_.facts(); }
  store::IncidentStore& incidents() override { return real_.incidents(); }
  store::LedgerStore& ledger() override { return real_.ledger(); }
  store::StreamStore& streams() override { return real_.streams(); }
  store::RegistryStore& registry() override { return registry_; }
  store::QueueStore& queues() override { return real_.queues(); }
  store::GraphStore& graph() override { return real_.graph(); }
  store::StepStore& steps() override { return real_.steps(); }
  store::ScheduleStore& schedules() override { return real_.schedules(); }
  store::RuleStore& rules() override { return real_.rules(); }
  Health CheckHealth() override { return real_.CheckHealth(); }

 private:
  store::Store& real_;
  store::RegistryStore& registry_;
};

/// One organ per id, `agents` agents each.
inline OrganismConfig SmallConfig(std::vector<std::string> ids = {"left", "right"}, int agents = 2,
                                  int concurrency = 4) {
  OrganismConfig config;
  for (const std::string& id : ids) {
    config.organs.push_back({.id = id,
                             .type = "Utility",
                             .description = "",
                             .agent_count = agents,
                             .agent_concurrency = concurrency,
                             .task_types = {}});
  }
  config.organs.front().task_types = {"echo"};
  config.default_organ = ids.back();
  return config;
}

/// Answers with its own parameters; fails as `params.fail` says.
inline Executor Echo(std::string type = "echo") {
  return {.type = std::move(type),
          .doc = "Echo",
          .params_schema = {},
          .execute = [](const TaskSpec& task, const CallContext&) {
            if (const auto* code = task.params.if_contains("fail")) {
              return ExecutionResult::Failure(
                  {ErrorCodeFromString(std::string_view(code->as_string())), "as asked", "params.fail"});
            }
            return ExecutionResult::Success(task.params, 0.75, 2);
          }};
}

}  // namespace seedcore::organism

#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <unistd.h>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/metrics.h"
#include "base/sim_env.h"
#include "organism/organism.h"
#include "store/sqlite/sqlite_store.h"

/// For the tests of this room: the real SQLite store on a simulated clock.
namespace seedcore::organism {

/// Waits until `holds()`. The work of other threads takes real time even where the clock is simulated; the limit is
/// only there to end a test that fails.
template <class Predicate>
[[nodiscard]] bool Eventually(const Predicate& holds) {
  Env& real = RealEnv();
  const Instant give_up = real.Now() + std::chrono::seconds(20);
  while (!holds()) {
    if (real.Now() > give_up) return false;
    real.SleepFor(std::chrono::microseconds(200), {});
  }
  return true;
}

class World : public testing::Test {
 protected:
  World() {
    directory_ = std::filesystem::temp_directory_path() / fmt::format("seedcore-{}-{}", ::getpid(), RealEnv().NewId());
    std::filesystem::create_directories(directory_);
    auto opened = store::sqlite::OpenSqliteStore({.path = (directory_ / "seedcore.db").string()}, env, metrics);
    if (!opened) throw std::runtime_error(ToString(opened.error()));
    store = std::move(*opened);
  }
  ~World() override {
    store.reset();
    std::filesystem::remove_all(directory_);
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

 private:
  std::filesystem::path directory_;
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

#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/metrics.h"
#include "base/sim_env.h"
#include "base/testing.h"
#include "queue/dispatcher.h"
#include "store/sqlite/sqlite_store.h"
#include "store/store.h"

/// For the tests of this room: the real SQLite store on a simulated clock.
namespace seedcore::queue {

using test::Eventually;

/// Keeps handlers waiting until the test lets them go.
class Gate {
 public:
  void Open() {
    const std::scoped_lock lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  /// Until open, or until `stop`. Returns whether it is open.
  bool Await(std::stop_token stop = {}) {
    std::unique_lock lock(mutex_);
    return changed_.wait(lock, std::move(stop), [&] { return open_; });
  }

 private:
  std::mutex mutex_;  // guards open_
  std::condition_variable_any changed_;
  bool open_ = false;
};

class World : public testing::Test {
 private:
  test::TemporaryFolder folder_;  // outlives the store

 protected:
  World() {
    auto opened = store::sqlite::OpenSqliteStore({.path = folder_.File("seedcore.db")}, env, metrics);
    if (!opened) throw std::runtime_error(ToString(opened.error()));
    store = std::move(*opened);
  }

  store::TaskStore& tasks() { return store->tasks(); }

  std::string Submit(store::NewTask task = {}) {
    if (task.type.empty()) task.type = "work";
    auto submitted = tasks().Submit(std::span(&task, 1));
    EXPECT_TRUE(submitted) << ToString(submitted.error());
    return submitted ? submitted->front().task.id : "";
  }
  std::vector<std::string> SubmitMany(int count) {
    store::NewTask task;
    task.type = "work";
    auto submitted = tasks().Submit(std::vector<store::NewTask>(static_cast<std::size_t>(count), task));
    EXPECT_TRUE(submitted);
    std::vector<std::string> ids;
    for (const auto& result : *submitted) ids.push_back(result.task.id);
    return ids;
  }
  store::Task Get(const std::string& id) {
    auto task = tasks().Get(id);
    EXPECT_TRUE(task) << ToString(task.error());
    return task ? *task : store::Task{};
  }
  bool Reaches(const std::string& id, store::TaskStatus status) {
    return Eventually([&] { return Get(id).status == status; });
  }
  std::int64_t Count(store::TaskStatus status) {
    const auto counts = tasks().Counts();
    EXPECT_TRUE(counts);
    const auto found = counts->by_status.find(status);
    return found == counts->by_status.end() ? 0 : found->second;
  }

  SimEnv env{7};
  Metrics metrics;
  std::unique_ptr<store::Store> store;
};

/// A world with dispatchers.
class DispatcherWorld : public World {
 protected:
  std::unique_ptr<Dispatcher> Start(TaskHandler handler, DispatcherSettings settings = {}) {
    return std::make_unique<Dispatcher>(env, tasks(), metrics, std::move(settings), std::move(handler));
  }
  static TaskOutcome Done(const store::Task&, const CallContext&) { return TaskOutcome::Complete("done"); }
};

}  // namespace seedcore::queue

// The whole way of a result whose task an application keeps locked by its open transaction.
#include <algorithm>
#include <atomic>

#include <fmt/format.h>

#include "queue/test_world.h"
#include "store/postgres/connection.h"
#include "store/postgres/postgres_store.h"
#include "store/postgres/testing.h"

namespace seedcore::queue {
namespace {

using namespace std::chrono_literals;
using store::TaskStatus;

TEST(LockedResultOnPostgres, HoldsUpNoneOfTheOthersAndIsCompletedOnce) {
  namespace pg = store::postgres;
  auto& server = pg::TestServer::Shared();
  server.CreateDatabase("locked_result");
  SimEnv env{7};
  Metrics metrics;
  const auto store = pg::OpenPostgresStore({.dsn = server.Dsn("locked_result")}, env, metrics).value();
  store::TaskStore& tasks = store->tasks();
  const auto submit = [&](int n) {
    return tasks.Submit(std::vector<store::NewTask>(static_cast<std::size_t>(n), {.type = "work"})).value();
  };
  const auto completed = [&] { return tasks.Counts().value().by_status[TaskStatus::kCompleted]; };

  const std::string id = submit(1).front().task.id;
  const auto application = pg::Connection::Open({.dsn = server.Dsn("locked_result"), .setup = {}}).value();
  Gate gate;
  std::atomic<int> executions = 0;
  std::atomic<bool> started = false;
  Dispatcher dispatcher(env, tasks, metrics, {}, [&](const store::Task& task, const CallContext& call) {
    if (task.id == id) {
      ++executions;
      started = true;
      gate.Await(call.stop);
    }
    return TaskOutcome::Complete("done");
  });
  ASSERT_TRUE(Eventually([&] {
    env.Advance(10ms);
    return started.load();
  }));
  ASSERT_TRUE(application->Script("BEGIN"));
  ASSERT_TRUE(
      application->RunOnce(fmt::format("SELECT seedcore_enqueue('next', depends_on => '{{{}}}')", id), {}).has_value());
  gate.Open();
  submit(300);
  ASSERT_TRUE(Eventually([&] {
    env.Advance(10ms);
    return completed() == 300;
  }));
  ASSERT_EQ(tasks.Get(id)->status, TaskStatus::kRunning) << "it is still locked";
  for (int i = 0; i < 40; ++i) {
    env.Advance(1s);
    ASSERT_EQ(tasks.Reap(10), 0);
  }
  submit(100);
  ASSERT_TRUE(Eventually([&] {
    env.Advance(10ms);
    return completed() == 400;
  }));
  ASSERT_EQ(tasks.Get(id)->status, TaskStatus::kRunning);
  ASSERT_TRUE(application->Script("COMMIT"));
  ASSERT_TRUE(Eventually([&] {
    env.Advance(50ms);
    return completed() == 402;  // and what depends on it
  }));
  EXPECT_EQ(executions, 1);
  const auto events = tasks.Events(id).value();
  EXPECT_EQ(std::ranges::count(events, "completed", &store::TaskEvent::kind), 1);
  EXPECT_EQ(dispatcher.Status().lease_lost, 0);
}

}  // namespace
}  // namespace seedcore::queue

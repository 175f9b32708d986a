#include <chrono>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/metrics.h"
#include "base/sim_env.h"
#include "queue/reaper.h"
#include "store/postgres/postgres_store.h"
#include "store/postgres/testing.h"

namespace seedcore::queue {
namespace {

using namespace std::chrono_literals;

// The store looks at so many finished tasks at a time. When all of those have been queued anew nothing is deleted, and
// more is left.
TEST(PostgresReaper, GoesOnWithWhatTheStoreHasLeft) {
  auto& server = store::postgres::TestServer::Shared();
  server.CreateDatabase("reaper");
  SimEnv env;
  Metrics metrics;
  auto store = store::postgres::OpenPostgresStore({.dsn = server.Dsn("reaper")}, env, metrics);
  ASSERT_TRUE(store) << ToString(store.error());
  store::TaskStore& tasks = (*store)->tasks();
  constexpr std::size_t kTasks = 26;  // more than one look of pages of one task
  const auto submitted = tasks.Submit(std::vector<store::NewTask>(kTasks, {.type = "work"}));
  ASSERT_TRUE(submitted) << ToString(submitted.error());
  for (const store::SubmitResult& one : *submitted) {
    ASSERT_TRUE(tasks.Cancel(one.task.id));
    env.Advance(1s);
  }
  for (std::size_t i = 0; i + 1 < kTasks; ++i) ASSERT_TRUE(tasks.Run((*submitted)[i].task.id));
  env.Advance(25h);

  ReaperRounds rounds(env, tasks, metrics, {.batch = 1, .keep_finished = 24h});
  const auto pause = rounds.Round({});
  EXPECT_LT(pause, 2s);
  EXPECT_EQ(rounds.Status().deleted, 0);
  env.Advance(std::chrono::ceil<std::chrono::milliseconds>(pause));
  static_cast<void>(rounds.Round({}));
  EXPECT_EQ(rounds.Status().deleted, 1);
  EXPECT_EQ(rounds.Status().store_error, "");
}

}  // namespace
}  // namespace seedcore::queue

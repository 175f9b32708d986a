#include "store/sqlite/sqlite_store.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "base/sim_env.h"

namespace seedcore::store::sqlite {
namespace {

TEST(SqliteStore, Smoke) {
  std::string dir = testing::TempDir() + "seedcoreXXXXXX";
  ASSERT_NE(mkdtemp(dir.data()), nullptr);
  SimEnv env;
  Metrics metrics;
  auto store = OpenSqliteStore({.path = dir + "/s.db"}, env, metrics);
  ASSERT_TRUE(store) << ToString(store.error());
  TaskStore& tasks = (*store)->tasks();
  auto submitted = tasks.Submit(std::vector<NewTask>{{.type = "a", .params = {{"x", 1}}}});
  ASSERT_TRUE(submitted) << ToString(submitted.error());
  auto claims = tasks.ClaimTasks({.owner_id = "w"});
  ASSERT_TRUE(claims) << ToString(claims.error());
  ASSERT_EQ(claims->size(), 1U);
  auto done = tasks.FinishTasks(std::vector<Finish>{{claims->front().lease(), Completed{{{"ok", true}}}, {}}});
  ASSERT_TRUE(done) << ToString(done.error());
  ASSERT_TRUE(done->front());
  auto task = tasks.Get(claims->front().task.id);
  ASSERT_TRUE(task) << ToString(task.error());
  EXPECT_EQ(task->status, TaskStatus::kCompleted);
  auto events = tasks.Events(task->id);
  ASSERT_TRUE(events);
  EXPECT_EQ(events->size(), 3U);
  auto health = (*store)->CheckHealth();
  EXPECT_TRUE(health.writable) << health.error;
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace seedcore::store::sqlite

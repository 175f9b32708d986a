#include "queue/reaper.h"

#include "queue/test_world.h"

namespace seedcore::queue {
namespace {

using namespace std::chrono_literals;
using store::TaskStatus;

using ReaperTest = World;

TEST_F(ReaperTest, ATaskOfADeadWorkerIsClaimableAgainAtMostLeasePlusTwoSecondsLater) {
  Reaper reaper(env, tasks(), metrics, {});
  const std::string id = Submit();
  ASSERT_TRUE(tasks().ClaimTasks({.owner_id = "dead", .limit = 1, .lease = 30s}));
  for (int second = 0; second < 29; ++second) {
    env.AwaitWaiters(1);
    env.Advance(1s);
  }
  EXPECT_EQ(Get(id).status, TaskStatus::kRunning);
  // Second by second, as real time would pass: the reaper has to be asleep again before the clock moves on.
  for (int second = 0; second < 3; ++second) {
    env.AwaitWaiters(1);
    env.Advance(1s);
  }
  ASSERT_TRUE(Reaches(id, TaskStatus::kRetry));
  EXPECT_TRUE(Eventually([&] { return reaper.Status().reaped == 1; }));
}

TEST_F(ReaperTest, ATaskPastItsDeadlineFails) {
  Reaper reaper(env, tasks(), metrics, {});
  store::NewTask task;
  task.deadline = env.WallNow() + 5s;
  const std::string id = Submit(task);
  ASSERT_TRUE(Eventually([&] {
    env.Advance(1s);
    return Get(id).status == TaskStatus::kFailed;
  }));
  EXPECT_EQ(Get(id).error_code, "deadline_exceeded");
}

TEST_F(ReaperTest, TakesMoreThanOneBatchAtATime) {
  SubmitMany(25);
  ASSERT_EQ(tasks().ClaimTasks({.owner_id = "dead", .limit = 25, .lease = 1s})->size(), 25U);
  env.Advance(2s);
  Reaper reaper(env, tasks(), metrics, {.batch = 10});
  EXPECT_TRUE(Eventually([&] { return reaper.Status().reaped == 25; }));
}

TEST_F(ReaperTest, DeletesFinishedTasksThatAreOldEnough) {
  const std::string old = Submit();
  ASSERT_TRUE(tasks().Cancel(old));
  env.Advance(std::chrono::hours(25));
  const std::string young = Submit();
  ASSERT_TRUE(tasks().Cancel(young));
  Reaper reaper(env, tasks(), metrics, {.keep_finished = std::chrono::hours(24)});
  ASSERT_TRUE(Eventually([&] { return reaper.Status().deleted == 1; }));
  EXPECT_FALSE(tasks().Get(old));
  EXPECT_TRUE(tasks().Get(young));
}

TEST_F(ReaperTest, BearsWithAStoreThatFailsForAWhile) {
  SubmitMany(1);
  ASSERT_TRUE(tasks().ClaimTasks({.owner_id = "dead", .limit = 1, .lease = 1s}));
  env.ArmFault("reaper.reap", {ErrorCode::kUnavailable, "disk full", {}}, 3);
  Reaper reaper(env, tasks(), metrics, {});
  ASSERT_TRUE(Eventually([&] { return !reaper.Status().store_error.empty(); }));
  ASSERT_TRUE(Eventually([&] {
    env.Advance(1s);
    return reaper.Status().reaped == 1;
  }));
  EXPECT_TRUE(Eventually([&] { return reaper.Status().store_error.empty(); }));
}

TEST_F(ReaperTest, StopsAtOnceAndMoreThanOnce) {
  Reaper reaper(env, tasks(), metrics, {});
  reaper.Stop();
  reaper.Stop();
  EXPECT_FALSE(reaper.Status().running);
}

}  // namespace
}  // namespace seedcore::queue

#include "service/queues.h"

#include <gmock/gmock.h>

#include "base/metrics.h"
#include "base/sim_env.h"
#include "base/testing.h"
#include "service/tasks.h"
#include "store/sqlite/sqlite_store.h"

namespace seedcore::service {
namespace {

class QueuesTest : public testing::Test {
 protected:
  QueuesTest() {
    store_ = store::sqlite::OpenSqliteStore({.path = folder_.File("seedcore.db")}, env_, metrics_).value();
    queues_ = std::make_unique<QueueService>(store_->queues());
    tasks_ = std::make_unique<TaskService>(TaskService::Dependencies{
        .tasks = &store_->tasks(), .default_retry = {}, .on_cancelled = {}, .check_task = {}});
  }

  TaskRead Submit(TaskCreate task) { return tasks_->Submit(task, {}).value(); }

  SimEnv env_;
  Metrics metrics_;
  test::TemporaryFolder folder_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<QueueService> queues_;
  std::unique_ptr<TaskService> tasks_;
};

TEST_F(QueuesTest, PausedTypeIsListedWithItsReasonAndWhatWaits) {
  Submit({.type = "resize"});
  const QueueRead paused = queues_->Pause({.type = " Resize", .reason = "disk swap"}, {}).value();
  EXPECT_TRUE(paused.paused);
  EXPECT_EQ(paused.type, "resize");
  EXPECT_EQ(paused.pause_reason, "disk swap");
  EXPECT_EQ(paused.ready, 1);
  EXPECT_TRUE(store_->tasks().ClaimTasks({.owner_id = "w"}).value().empty());
  EXPECT_FALSE(queues_->Resume({.type = "resize"}, {}).value().paused);
  EXPECT_EQ(store_->tasks().ClaimTasks({.owner_id = "w"}).value().size(), 1U);
}

TEST_F(QueuesTest, LimitGoesInAndComesOutAsItWasPut) {
  const LimitRead put = queues_
                            ->PutLimit({.scope = store::LimitScope::kType,
                                        .name = "Resize",
                                        .max_running = 2,
                                        .rate = RateRead{.tasks = 60, .interval_s = 60.0, .burst = {}}},
                                       {})
                            .value();
  EXPECT_EQ(put.name, "resize");
  EXPECT_EQ(put.rate->burst, 60);
  const LimitList all = queues_->Limits({}, {}).value();
  ASSERT_EQ(all.items.size(), 1U);
  EXPECT_EQ(all.items[0].rate->interval_s, 60.0);
  EXPECT_EQ(queues_->List({}, {}).value().items.at(0).limit->max_running, 2);
  EXPECT_TRUE(queues_->DeleteLimit({.scope = store::LimitScope::kType, .name = "resize"}, {}).value().deleted);
  EXPECT_EQ(queues_->DeleteLimit({.scope = store::LimitScope::kType, .name = "resize"}, {}).error().code,
            ErrorCode::kNotFound);
}

TEST_F(QueuesTest, KeysOfATaskAreShownAndAUniqueOneIsNotStoredTwice) {
  const TaskRead first = Submit({.type = "a", .concurrency_key = "tenant-1", .unique_key = "nightly"});
  EXPECT_EQ(first.concurrency_key, "tenant-1");
  EXPECT_EQ(first.unique_key, "nightly");
  EXPECT_EQ(Submit({.type = "a", .unique_key = "nightly"}).id, first.id);
  EXPECT_EQ(tasks_->Submit({.type = "a", .concurrency_key = "*"}, {}).error().path, "concurrency_key");
}

}  // namespace
}  // namespace seedcore::service

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

TEST_F(QueuesTest, TypeLeftToWorkersOutsideIsListedUntilItIsEmbeddedAgain) {
  EXPECT_TRUE(queues_->External({.type = " Resize"}, {}).value().external);
  EXPECT_TRUE(queues_->External({.type = "*"}, {}).value().external);
  Submit({.type = "echo"});
  const QueueList list = queues_->List({}, {}).value();
  ASSERT_EQ(list.items.size(), 3U);
  EXPECT_EQ(list.items[0].type, "*");
  EXPECT_FALSE(list.items[1].external);
  EXPECT_EQ(list.items[2].type, "resize");
  EXPECT_TRUE(list.items[2].external);
  EXPECT_FALSE(queues_->Embedded({.type = "Resize"}, {}).value().external);
  EXPECT_FALSE(queues_->Embedded({.type = "resize"}, {}).value().external) << "it was embedded already";
  EXPECT_EQ(queues_->External({.type = " "}, {}).error().path, "type");
}

}  // namespace
}  // namespace seedcore::service

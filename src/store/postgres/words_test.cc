// What a store tells other processes of its commits: how many tasks can run, and whether some of them run later.

#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "store/postgres/notice.h"
#include "store/postgres/store_fixture.h"

namespace seedcore::store::postgres {
namespace {

using std::chrono::seconds;
using testing::SizeIs;

/// A store that knows of more processes which claim than all look at once.
class PostgresWords : public PostgresTasks {
 protected:
  PostgresWords() {
    store_.reset();
    for (int i = 0; i < 9; ++i)
      Must(claimers_.emplace_back(Connect())->Script("SET application_name = 'seedcore claims'"));
    Must(listener_->Script("LISTEN seedcore"));
    Begin();
  }

  void Begin() {
    store_ = Must(Open());
    // Returns when the store has counted.
    const Subscription subscription = tasks().OnRunnable([] {});
  }

  struct Told {
    std::int64_t tasks = 0;
    bool later = false;  ///< nobody is spared a look
  };
  /// What it has told since it was opened. It is closed for that.
  Told End() {
    store_.reset();
    // A word behind a commit may still be on its way.
    const auto connected = [&] {
      return Must(listener_->Query("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND "
                                   "backend_type = 'client backend'"))
          .Int(0, 0);
    };
    while (connected() > std::ssize(claimers_) + 1) continue;
    Must(listener_->Query("SELECT 1"));
    Told told;
    for (const auto& notification : listener_->TakeNotifications()) {
      const Runnable runnable = ReadPayload(notification.payload).runnable;
      told.tasks += runnable.tasks;
      told.later = told.later || (runnable.tasks > 0 && runnable.mark == 0);
    }
    return told;
  }

  std::vector<std::unique_ptr<Connection>> claimers_;
  std::unique_ptr<Connection> listener_ = Connect();
};

TEST_F(PostgresWords, NameEachTaskThatIsSubmitted) {
  Submit(1);
  Submit(30);
  std::vector<NewTask> keyed(7, NewTask{.type = "a"});
  for (std::size_t i = 0; i < keyed.size(); ++i) keyed[i].idempotency_key = "key" + std::to_string(i);
  Must(tasks().Submit(keyed));
  Must(tasks().Submit(keyed));
  const Told told = End();
  EXPECT_EQ(told.tasks, 38) << "those that were there are not told of again";
  EXPECT_FALSE(told.later);
}

TEST_F(PostgresWords, AreNotAboutTasksThatWaitForOthers) {
  const auto first = Submit(1, {.type = "a", .run_immediately = false});
  Submit(5, {.type = "a", .depends_on = {first[0]}});
  EXPECT_EQ(End().tasks, 0);
}

TEST_F(PostgresWords, NameEachTaskThatIsReleased) {
  const auto first = Submit(2);
  Submit(30, {.type = "a", .depends_on = {first[0], first[1]}});
  FinishAll(ClaimSome(2));
  const Told told = End();
  EXPECT_EQ(told.tasks, 32);
  EXPECT_FALSE(told.later);
}

TEST_F(PostgresWords, NameEachTaskThatIsRedriven) {
  Submit(5);
  FinishAll(ClaimSome(5), FailedForGood{.error = WorkFailed()});
  EXPECT_EQ(Must(tasks().Redrive({}, 10)), 5);
  EXPECT_EQ(End().tasks, 10);
}

TEST_F(PostgresWords, NameEachTaskOfADeadWorker) {
  Submit(5);
  ClaimSome(5, "dead", seconds(1));
  env_.Advance(seconds(2));
  EXPECT_EQ(Must(tasks().Reap(10)), 5);
  EXPECT_EQ(End().tasks, 10);
}

TEST_F(PostgresWords, NameEachTaskThatIsHandedBack) {
  Submit(5);
  FinishAll(ClaimSome(5), HandedBack{});
  EXPECT_EQ(End().tasks, 10);
}

TEST_F(PostgresWords, NameEachTaskOfAQueueThatIsResumed) {
  Must(store_->queues().Pause("a", ""));
  Submit(5);
  Submit(40);
  EXPECT_TRUE(Must(store_->queues().Resume("a")));
  EXPECT_EQ(End().tasks, 90);
}

TEST_F(PostgresWords, NameTheRoomUnderALimit) {
  Submit(5);
  Must(store_->queues().PutLimit({.scope = LimitScope::kType, .name = "b", .max_running = 1}));
  const auto claims = ClaimSome(5);
  ASSERT_THAT(claims, SizeIs(5));
  End();
  Begin();
  FinishAll(claims);
  EXPECT_EQ(End().tasks, 5);
}

TEST_F(PostgresWords, NameWhatHasComeDueAndWasLeft) {
  Submit(3, {.type = "b", .run_after = env_.WallNow() + seconds(1)});
  End();
  Begin();
  env_.Advance(seconds(2));
  EXPECT_TRUE(Must(tasks().ClaimTasks({.owner_id = "w", .limit = 5, .types = {"a"}})).empty());
  EXPECT_EQ(End().tasks, 3);
}

TEST_F(PostgresWords, SpareNobodyWhoHasToLearnATime) {
  Submit(3, {.type = "a", .run_after = env_.WallNow() + seconds(60)});
  const Told told = End();
  EXPECT_EQ(told.tasks, 1);
  EXPECT_TRUE(told.later);
}

TEST_F(PostgresWords, SpareNobodyWhenATaskIsRepeatedLater) {
  Submit(1);
  FinishAll(ClaimSome(1), RetryLater{WorkFailed(), seconds(60)});
  EXPECT_TRUE(End().later);
}

TEST_F(PostgresWords, SpareNobodyWhenATaskIsPutOff) {
  Submit(1);
  FinishAll(ClaimSome(1), Snoozed{.delay = seconds(60)});
  EXPECT_TRUE(End().later);
}

TEST_F(PostgresWords, SpareNobodyWhenAReleasedTaskRunsLater) {
  const auto first = Submit(1);
  Submit(1, {.type = "a", .run_after = env_.WallNow() + seconds(60), .depends_on = {first[0]}});
  FinishAll(ClaimSome(1));
  EXPECT_TRUE(End().later);
}

TEST_F(PostgresWords, AreNotSentWhenACancelledTaskMakesNoRoom) {
  const auto ids = Submit(1);
  Must(tasks().Cancel(ids[0]));
  EXPECT_EQ(End().tasks, 1);
}

}  // namespace
}  // namespace seedcore::store::postgres

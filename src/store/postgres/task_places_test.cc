// Where claims, the reaper and retention find tasks (schema/places.cc): what must hold of these tables when several are
// at work, and that a task's row changes without a change of its indexes.

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <set>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "store/conformance.h"
#include "store/postgres/connection.h"
#include "store/postgres/store_fixture.h"

namespace seedcore::store::postgres {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class TaskPlaces : public CheckedPostgresTasks {
 protected:
  std::unique_ptr<Connection> BeginAClaim() {
    auto connection = Connect();
    Must(connection->Script("BEGIN; SET LOCAL lock_timeout = '10s'"));
    return connection;
  }
  /// As a claim of all types does ahead of its update: its place in the queue of those who claim, and how many tasks it
  /// has chosen.
  static Rows Choose(Connection& connection, int limit) {
    return Must(connection.Query(
        "WITH chosen AS MATERIALIZED (SELECT place FROM seedcore_choose(now(), 10, '', '', 0, $1, NULL, 'w', now())) "
        "SELECT place, cardinality(current_setting('seedcore.claim_tids')::tid[]) FROM chosen",
        limit));
  }
};

TEST_F(TaskPlaces, ATaskThatIsClaimedAndEndsAddsToNoIndexOfTasks) {
  Submit(200);
  // Updates that left the indexes as they were.
  const char* const entries =
      "SELECT sum(pg_stat_get_tuples_hot_updated(c.oid))::bigint FROM pg_class c WHERE relname = 'tasks'";
  FinishAll(ClaimSome(200));
  store_.reset();  // its connections tell what they have counted
  std::int64_t hot = 0;
  for (const Instant until = RealEnv().Now() + seconds(10); hot < 400 && RealEnv().Now() < until;)
    hot = QueryInt(entries);
  EXPECT_EQ(hot, 400);
}

TEST_F(TaskPlaces, ALineHasThoseThatCanRunAndNobodyElse) {
  const auto ids = Submit(6);
  Submit(1, {.type = "a", .run_after = env_.WallNow() + seconds(60)});
  EXPECT_EQ(Count("task_ready"), 6);
  const auto claims = ClaimSome(3);
  EXPECT_EQ(Count("task_ready"), 3);
  Must(tasks().Cancel(ids[5]));
  EXPECT_EQ(Count("task_ready"), 2);
  FinishAll({claims[0]}, RetryLater{.error = WorkFailed(), .delay = std::chrono::milliseconds(0)});
  FinishAll({claims[1]}, HandedBack{});
  EXPECT_EQ(Count("task_ready"), 4);
  Must(tasks().Run(ids[5]));
  EXPECT_EQ(Count("task_ready"), 5);
  env_.Advance(seconds(61));
  EXPECT_THAT(ClaimSome(10), SizeIs(6)) << "five, and the one whose time has come";
  EXPECT_EQ(Count("task_ready"), 0);
}

TEST_F(TaskPlaces, MoreThanABatchIsClaimedInOneCall) {
  Submit(1000);
  Submit(1000);
  EXPECT_THAT(ClaimSome(1990), SizeIs(1990));
  EXPECT_EQ(Count("lease_batch"), 3);
  EXPECT_EQ(Count("task_line"), 10);
}

TEST_F(TaskPlaces, WhoClaimsBehindOthersTakesWhatTheyLeave) {
  for (int i = 0; i < 10; ++i) Submit(10);
  // Somebody is about to claim, and has the first place.
  const auto first = Connect();
  Must(first->Script("BEGIN"));
  Must(first->Query("SELECT pg_advisory_xact_lock(24306, 0)"));
  const auto claims = ClaimSome(30);
  ASSERT_THAT(claims, SizeIs(30));
  std::set<std::int64_t> behind;
  for (const Claim& claim : claims) {
    behind.insert(QueryInt(fmt::format("SELECT seq FROM tasks WHERE id = '{}'", claim.task.id)));
  }
  EXPECT_THAT(behind, testing::AllOf(testing::Contains(31), testing::Contains(60))) << "it began where they would end";
  // The first never claims: nothing stays behind.
  EXPECT_THAT(ClaimSome(80), SizeIs(70));
  Must(first->Script("ROLLBACK"));
}

TEST_F(TaskPlaces, ALargeClaimWaitsForEightOthersAndASmallOneForNobody) {
  for (int i = 0; i < 2; ++i) Submit(1000);
  std::vector<std::unique_ptr<Connection>> others;
  for (int i = 0; i < 8; ++i) {
    others.push_back(BeginAClaim());
    EXPECT_EQ(Choose(*others.back(), 128).Int(0, 0), i);
  }
  others.push_back(BeginAClaim());
  EXPECT_EQ(Choose(*others.back(), 10).Int(0, 0), 8);
  EXPECT_THAT(ClaimSome(10), SizeIs(10));
  auto large = std::async(std::launch::async, [&] { return ClaimSome(128); });
  AwaitAWaiter();
  for (const auto& other : others) Must(other->Script("ROLLBACK"));
  EXPECT_THAT(large.get(), SizeIs(128));
}

TEST_F(TaskPlaces, WhoBeginsBehindOthersAndFindsNothingLooksFromTheFirstTaskOn) {
  Submit(6);
  std::vector<std::unique_ptr<Connection>> others;
  for (int i = 0; i < 3; ++i) {
    others.push_back(BeginAClaim());
    EXPECT_EQ(Choose(*others.back(), 2).Int(0, 0), i);
  }
  Must(others[1]->Script("ROLLBACK; BEGIN"));
  const Rows again = Choose(*others[1], 10);
  EXPECT_EQ(again.Int(0, 0), 0) << "it has seen all: nobody has to look again";
  EXPECT_EQ(again.Int(0, 1), 2);
  for (const auto& other : others) Must(other->Script("ROLLBACK"));
  EXPECT_THAT(ClaimSome(10), SizeIs(6));
}

TEST_F(TaskPlaces, TheReaperForgetsWhatHasEndedAndKeepsWhatRuns) {
  Submit(5);
  const auto claims = ClaimSome(5);
  FinishAll({claims[0], claims[1]});
  EXPECT_EQ(QueryInt("SELECT cardinality(seqs) FROM lease_batch"), 5);
  env_.Advance(seconds(6));
  EXPECT_EQ(Must(tasks().Reap(100)), 0);
  EXPECT_EQ(QueryInt("SELECT cardinality(seqs) FROM lease_batch"), 3);
  FinishAll({claims[2]});
  for (const Claim& claim : {claims[3], claims[4]}) {
    EXPECT_TRUE(Must(tasks().Renew(std::vector<Lease>{claim.lease()}, seconds(60))).front().renewed);
  }
  env_.Advance(seconds(30));
  EXPECT_EQ(Must(tasks().Reap(100)), 0) << "they have been renewed";
  EXPECT_EQ(QueryInt("SELECT cardinality(seqs) FROM lease_batch"), 2);
  FinishAll({claims[3], claims[4]});
  env_.Advance(seconds(40));
  EXPECT_EQ(Must(tasks().Reap(100)), 0);
  EXPECT_EQ(Count("lease_batch"), 0);
}

TEST_F(TaskPlaces, AReaperThatFindsNothingMakesNoTransaction) {
  ClaimSome(static_cast<int>(Submit(5).size()));
  Counter& transactions = metrics_.GetCounter("seedcore_store_transactions_total", "");
  const double before = transactions.Value();
  EXPECT_EQ(Must(tasks().Reap(100)), 0);
  EXPECT_EQ(transactions.Value(), before);
  env_.Advance(seconds(31));
  EXPECT_EQ(Must(tasks().Reap(100)), 5);
  EXPECT_EQ(transactions.Value(), before + 1);
}

TEST_F(TaskPlaces, TheReaperTakesNoMoreThanItsLimitAndComesBackForTheRest) {
  Submit(7);
  ClaimSome(7, "w", seconds(3));
  env_.Advance(seconds(4));
  EXPECT_EQ(Must(tasks().Reap(3)), 3);
  EXPECT_EQ(Must(tasks().Reap(3)), 3);
  EXPECT_EQ(Must(tasks().Reap(3)), 1);
  EXPECT_EQ(Must(tasks().Reap(3)), 0);
  EXPECT_EQ(Count("lease_batch"), 0);
}

TEST_F(TaskPlaces, TwoReapersShareTheWork) {
  Submit(40);
  for (int i = 0; i < 20; ++i) ClaimSome(2, "w", seconds(3));
  env_.Advance(seconds(4));
  const auto reap = [&] {
    int touched = 0;
    for (int i = 0; i < 20; ++i) touched += Must(tasks().Reap(5));
    return touched;
  };
  auto one = std::async(std::launch::async, reap);
  const int two = reap();
  EXPECT_EQ(one.get() + two + Must(tasks().Reap(100)), 40);
}

TEST_F(TaskPlaces, RetentionTakesTheOldestFirstAndForgetsEmptyBatches) {
  for (int day = 0; day < 3; ++day) {
    Submit(4);
    FinishAll(ClaimSome(4));
    env_.Advance(std::chrono::hours(24));
  }
  EXPECT_EQ(Count("finished_batch"), 3);
  const WallTime before = env_.WallNow() - std::chrono::hours(30);
  EXPECT_EQ(Must(tasks().DeleteFinished(before, 6)), 6);
  EXPECT_EQ(Count("finished_batch"), 2) << "one is gone, and of one the half";
  EXPECT_EQ(Must(tasks().DeleteFinished(before, 6)), 2);
  EXPECT_EQ(Must(tasks().DeleteFinished(before, 6)), 0);
  EXPECT_EQ(Count("finished_batch"), 1);
  EXPECT_EQ(Count("tasks"), 4);
}

TEST_F(TaskPlaces, RetentionLooksAtTwentyPagesAtATime) {
  const auto ids = Submit(26);
  for (const std::string& id : ids) {
    Must(tasks().Cancel(id));
    env_.Advance(seconds(1));
  }
  for (std::size_t i = 0; i + 1 < ids.size(); ++i) Must(tasks().Run(ids[i]));
  EXPECT_EQ(Must(tasks().DeleteFinished(env_.WallNow(), 1)), 0);
  EXPECT_EQ(Count("finished_batch"), 6);
  EXPECT_TRUE(Must(tasks().HasFinished(env_.WallNow())));
  EXPECT_EQ(Must(tasks().DeleteFinished(env_.WallNow(), 1)), 1);
  EXPECT_EQ(Count("finished_batch"), 0);
  EXPECT_FALSE(Must(tasks().HasFinished(env_.WallNow())));
}

TEST_F(TaskPlaces, ATaskThatWasQueuedAnewIsNotDeletedByItsFirstEnd) {
  const auto ids = Submit(2);
  FinishAll(ClaimSome(2), FailedForGood{.error = WorkFailed()});
  env_.Advance(std::chrono::hours(24));
  Must(tasks().Run(ids[0]));
  EXPECT_EQ(Must(tasks().DeleteFinished(env_.WallNow(), 10)), 1);
  EXPECT_EQ(Count("finished_batch"), 0) << "what was queued anew is named no more";
  FinishAll(ClaimSome(1));
  EXPECT_EQ(Count("finished_batch"), 1);
  env_.Advance(std::chrono::hours(24));
  EXPECT_EQ(Must(tasks().DeleteFinished(env_.WallNow(), 10)), 1);
  EXPECT_EQ(Count("tasks"), 0);
}

TEST_F(TaskPlaces, ARunningTaskIsFoundByItsState) {
  const auto ids = Submit(3);
  const auto claims = ClaimSome(2);
  FinishAll({claims[0]});
  const auto page = Must(tasks().List({.status = TaskStatus::kRunning}, 10, ""));
  ASSERT_THAT(page.items, SizeIs(1));
  EXPECT_EQ(page.items[0].id, claims[1].task.id);
  Must(tasks().Cancel(ids[2]));
  EXPECT_THAT(Must(tasks().List({.status = TaskStatus::kCancelled}, 10, "")).items, SizeIs(1));
}

}  // namespace
}  // namespace seedcore::store::postgres

// The statements that keep counts and places themselves (schema/places.cc): what they write must be what the triggers
// would have written, in whatever mixture tasks come, and nobody may wait where nobody has to.

#include <chrono>
#include <string>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "store/conformance.h"
#include "store/postgres/store_fixture.h"
#include "store/queue_store.h"

namespace seedcore::store::postgres {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::SizeIs;

class HotPath : public CheckedPostgresTasks {
 protected:
  static Finish CompletedAs(const Claim& claim, int answer) {
    return {.lease = claim.lease(), .outcome = Completed{.result = {{"answer", answer}}}, .effects = {}};
  }
};

TEST_F(HotPath, OfCompletionsThatAreAlikeEachIsAnsweredForItself) {
  Submit(5);
  const auto claims = ClaimSome(5);
  std::vector<Finish> finishes;
  for (int i = 0; i < 5; ++i) finishes.push_back(CompletedAs(claims[static_cast<std::size_t>(i)], i));
  // 1 has ended, 3 is not known, and 4 has lost its lease to another owner's claim.
  Must(Must(tasks().FinishTasks(std::vector<Finish>{CompletedAs(claims[1], 10)})).front());
  finishes[3].lease.task_id = "01900000-0000-7000-8000-000000000003";
  FinishAll({claims[4]}, HandedBack{});
  ASSERT_THAT(ClaimSome(1, "other"), SizeIs(1));
  std::swap(finishes[0], finishes[4]);

  const auto answers = Must(tasks().FinishTasks(finishes));
  ASSERT_THAT(answers, SizeIs(5));
  EXPECT_EQ(answers[0].error().code, ErrorCode::kLeaseLost);
  EXPECT_EQ(answers[1].error().code, ErrorCode::kLeaseLost);
  EXPECT_TRUE(answers[2]);
  EXPECT_EQ(answers[3].error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(answers[4]);
  EXPECT_EQ(Must(tasks().Get(claims[0].task.id)).result.at("answer"), 0);
  EXPECT_EQ(Must(tasks().Get(claims[1].task.id)).result.at("answer"), 10);
  EXPECT_EQ(Must(tasks().Get(claims[2].task.id)).result.at("answer"), 2);
  EXPECT_EQ(Must(tasks().Get(claims[4].task.id)).status, TaskStatus::kRunning);
}

TEST_F(HotPath, ATaskGivenTwiceInOneGoIsCompletedOnce) {
  Submit(1);
  const Claim claim = ClaimSome(1).front();
  const auto answers = Must(tasks().FinishTasks(std::vector<Finish>{CompletedAs(claim, 1), CompletedAs(claim, 2)}));
  EXPECT_NE(answers[0].has_value(), answers[1].has_value());
}

TEST_F(HotPath, CompletionsThatAreAlikeReleaseWhatDependsOnThem) {
  const auto ids = Submit(3);
  Submit(1, {.type = "a", .depends_on = ids});
  FinishAll(ClaimSome(10));
  EXPECT_THAT(ClaimSome(10), SizeIs(1));
}

TEST_F(HotPath, FlowsOfOneSubmissionTakeTheirTurnsAsIfTheyCameAlone) {
  std::vector<NewTask> mixed;
  for (int i = 0; i < 6; ++i) {
    mixed.push_back({.type = i % 2 == 0 ? "a" : "b", .domain = i < 3 ? "x" : "y", .priority = 5 + i % 3});
  }
  mixed.push_back({.type = "a", .run_immediately = false});
  mixed.push_back({.type = "a", .run_after = env_.WallNow() + seconds(60)});
  Must(tasks().Submit(mixed));
  Must(tasks().Submit(mixed));
  // The second of a flow is one turn behind the first.
  EXPECT_EQ(
      QueryInt("SELECT count(*) FROM (SELECT t.turn - lag(t.turn) OVER (PARTITION BY t.type, p.domain, t.priority "
               "ORDER BY t.seq) AS step FROM tasks t JOIN task_payload p ON p.seq = t.seq WHERE t.runnable = 1) s "
               "WHERE step = 1000"),
      6);
  EXPECT_EQ(Count("task_ready"), 12);
  const auto counts = Must(tasks().Counts()).by_status;
  EXPECT_EQ(counts.at(TaskStatus::kQueued), 14);
  EXPECT_EQ(counts.at(TaskStatus::kCreated), 2);
}

TEST_F(HotPath, AClaimDoesNotWaitForAnotherThatMovesTheClock) {
  Submit(2);
  ASSERT_THAT(ClaimSome(1), SizeIs(1));
  const auto other = Connect();
  ASSERT_TRUE(other->Script("BEGIN; UPDATE queue_clock SET turn = turn + 1"));
  EXPECT_THAT(ClaimSome(1), SizeIs(1)) << "it would come back only when the other has ended";
  ASSERT_TRUE(other->Script("ROLLBACK"));
}

TEST_F(HotPath, TheFirstLimitByKeyWaitsForThoseWhoHaveSeenNone) {
  Submit(2, {.type = "a", .concurrency_key = "k"});
  const Claim first = ClaimSome(1).front();
  const auto slow = Connect();
  ASSERT_TRUE(slow->Script("BEGIN"));
  Must(slow->RunOnce(
      fmt::format("SELECT outcome FROM seedcore_complete(now(), 'w', ARRAY['{}'::uuid], NULL)", first.task.id), {}));
  std::jthread limiting([&] {
    EXPECT_TRUE(store_->queues().PutLimit({LimitScope::kKey, "k", 1, std::nullopt}));
    // Had it not waited, this would count the first as running, park the second, and nobody would let it out again.
    EXPECT_THAT(ClaimSome(1), SizeIs(1));
  });
  AwaitAWaiter();
  ASSERT_TRUE(slow->Script("COMMIT"));
}

TEST_F(HotPath, WhatSomebodyElseWritesIsFollowedByTheTriggers) {
  Submit(3);
  FinishAll(ClaimSome(1));
  const auto other = Connect();
  ASSERT_TRUE(other->Script("UPDATE tasks SET status = 'created', runnable = 0 WHERE runnable = 1"));
  EXPECT_EQ(Count("task_ready"), 0);
  EXPECT_EQ(Must(tasks().Counts()).by_status.at(TaskStatus::kCreated), 2);
  ASSERT_TRUE(other->Script("UPDATE tasks SET status = 'queued', runnable = 1 WHERE status = 'created'"));
  EXPECT_THAT(ClaimSome(5), SizeIs(2));
}

}  // namespace
}  // namespace seedcore::store::postgres

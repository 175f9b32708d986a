#include <gmock/gmock.h>

#include "store/conformance.h"

namespace seedcore::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

std::vector<std::string> Ids(const TaskPage& page) {
  std::vector<std::string> ids;
  for (const Task& task : page.items) ids.push_back(task.id);
  return ids;
}

TEST_P(StoreConformance, CancelledTaskIsNotClaimed) {
  const Task task = SubmitOfType("a");
  EXPECT_EQ(Must(tasks().Cancel(task.id)).status, TaskStatus::kCancelled);
  EXPECT_TRUE(ClaimUpTo(1).empty());
  EXPECT_EQ(Must(tasks().Cancel(task.id)).status, TaskStatus::kCancelled);
  EXPECT_THAT(EventKinds(task.id), ElementsAre("submitted", "cancelled"));
  EXPECT_EQ(CodeOf(tasks().Cancel(env_.NewId())), ErrorCode::kNotFound);
}

TEST_P(StoreConformance, CancelOfARunningTaskIsToldToItsWorkerAndItsResultRefused) {
  SubmitOfType("a");
  const Claim claim = ClaimOne();
  const Task cancelled = Must(tasks().Cancel(claim.task.id));
  EXPECT_EQ(cancelled.status, TaskStatus::kCancelled);
  EXPECT_TRUE(cancelled.cancel_requested);
  const RenewResult renewal = Must(tasks().Renew(std::vector<Lease>{claim.lease()}, seconds(30))).front();
  EXPECT_FALSE(renewal.renewed);
  EXPECT_TRUE(renewal.cancel_requested);
  EXPECT_EQ(CodeOf(End(claim, Completed{{{"late", true}}})), ErrorCode::kLeaseLost);
  EXPECT_EQ(Get(claim.task.id).status, TaskStatus::kCancelled);
  EXPECT_TRUE(Get(claim.task.id).result.is_null());
}

TEST_P(StoreConformance, CancelLeavesFinishedTasksAsTheyAre) {
  SubmitOfType("a");
  const Claim claim = ClaimOne();
  Must(End(claim, Completed{}));
  EXPECT_EQ(Must(tasks().Cancel(claim.task.id)).status, TaskStatus::kCompleted);
}

TEST_P(StoreConformance, CancelFailsWhatDependsOnTheTask) {
  const Task a = SubmitOfType("a");
  const Task b = Submit({.type = "b", .depends_on = {a.id}});
  Must(tasks().Cancel(a.id));
  EXPECT_EQ(Get(b.id).status, TaskStatus::kFailed);
}

TEST_P(StoreConformance, RunStartsAFailedTaskAfresh) {
  Submit({.type = "a", .retry = {.max_attempts = 1}});
  const Claim claim = ClaimOne();
  Must(End(claim, FailedForGood{WorkFailed(), {{"partial", 1}}}));
  const Task again = Must(tasks().Run(claim.task.id));
  EXPECT_EQ(again.status, TaskStatus::kQueued);
  EXPECT_EQ(again.attempts, 0);
  EXPECT_EQ(again.error, "");
  EXPECT_EQ(again.error_code, "");
  EXPECT_FALSE(again.dead_letter);
  EXPECT_FALSE(again.finished_at);
  EXPECT_TRUE(again.result.is_null());
  const Claim second = ClaimOne();
  EXPECT_EQ(second.task.fencing_token, claim.task.fencing_token + 1);
  EXPECT_EQ(CodeOf(End(claim, Completed{})), ErrorCode::kLeaseLost);
  EXPECT_TRUE(End(second, Completed{}));
}

TEST_P(StoreConformance, RunStartsCancelledAndWaitingTasksNow) {
  const Task cancelled = SubmitOfType("a");
  Must(tasks().Cancel(cancelled.id));
  const Task retried = SubmitOfType("b");
  Must(End(ClaimOne(), RetryLater{WorkFailed(), seconds(1000)}));
  Must(tasks().Run(cancelled.id));
  Must(tasks().Run(retried.id));
  EXPECT_EQ(ClaimUpTo(5).size(), 2U);
}

TEST_P(StoreConformance, RunLeavesQueuedRunningAndCompletedTasksAlone) {
  const Task waiting = Submit({.type = "a", .run_after = env_.WallNow() + seconds(60)});
  EXPECT_EQ(Must(tasks().Run(waiting.id)).run_after, waiting.run_after);
  const Task running = SubmitOfType("b");
  const Claim claim = ClaimOne();
  EXPECT_EQ(Must(tasks().Run(running.id)).status, TaskStatus::kRunning);
  Must(End(claim, Completed{}));
  EXPECT_EQ(Must(tasks().Run(running.id)).status, TaskStatus::kCompleted);
  EXPECT_EQ(CodeOf(tasks().Run(env_.NewId())), ErrorCode::kNotFound);
}

TEST_P(StoreConformance, RunLiftsADeadlineThatHasPassed) {
  const Task task = Submit({.type = "a", .deadline = env_.WallNow() + seconds(1)});
  Advance(seconds(1));
  Must(tasks().Reap(10));
  EXPECT_FALSE(Must(tasks().Run(task.id)).deadline);
  EXPECT_EQ(ClaimOne().task.id, task.id);
}

TEST_P(StoreConformance, DependantOfAFailedTaskCannotRunUntilThatOneDoes) {
  const Task a = SubmitOfType("a");
  const Task b = Submit({.type = "b", .depends_on = {a.id}});
  Must(tasks().Cancel(a.id));
  EXPECT_EQ(CodeOf(tasks().Run(b.id)), ErrorCode::kConflict);
  Must(tasks().Run(a.id));
  Must(tasks().Run(b.id));
  const auto claims = ClaimUpTo(5);
  ASSERT_EQ(claims.size(), 1U);
  Must(End(claims.front(), Completed{}));
  EXPECT_EQ(ClaimOne().task.id, b.id);
}

TEST_P(StoreConformance, RedriveQueuesMatchingDeadLettersOldestFirst) {
  std::vector<std::string> ids;
  for (int i = 0; i < 4; ++i) {
    ids.push_back(SubmitOfType(i == 0 ? "other" : "a").id);
    Must(End(ClaimOne(), FailedForGood{WorkFailed(), nullptr}));
  }
  EXPECT_EQ(Must(tasks().Redrive({.type = "a"}, 2)), 2);
  EXPECT_EQ(Get(ids[0]).status, TaskStatus::kFailed);
  EXPECT_EQ(Get(ids[1]).status, TaskStatus::kQueued);
  EXPECT_EQ(Get(ids[2]).status, TaskStatus::kQueued);
  EXPECT_EQ(Get(ids[3]).status, TaskStatus::kFailed);
  EXPECT_EQ(Must(tasks().Redrive({}, 100)), 2);
  EXPECT_EQ(Must(tasks().Redrive({}, 100)), 0);
  EXPECT_EQ(EventKinds(ids[1]).back(), "redriven");
}

TEST_P(StoreConformance, RedriveOfAChainQueuesTheDependencyFirst) {
  const Task a = SubmitOfType("a");
  const Task b = Submit({.type = "b", .depends_on = {a.id}});
  Must(End(ClaimOne(), FailedForGood{WorkFailed(), nullptr}));
  EXPECT_EQ(Must(tasks().Redrive({.type = "b"}, 10)), 0);
  EXPECT_EQ(Must(tasks().Redrive({}, 10)), 2);
  Must(End(ClaimOne(), Completed{}));
  EXPECT_EQ(ClaimOne().task.id, b.id);
}

TEST_P(StoreConformance, CancelledTasksAreNoDeadLetters) {
  Must(tasks().Cancel(SubmitOfType("a").id));
  EXPECT_EQ(Must(tasks().Redrive({}, 10)), 0);
}

TEST_P(StoreConformance, RetentionDeletesOldFinishedTasksWithTheirEventsOnly) {
  SubmitOfType("a");
  const Claim old = ClaimOne();
  Must(End(old, Completed{}, {.facts = {{.text = "kept"}}}));
  const Task unfinished = SubmitOfType("b");
  Advance(seconds(10));
  const WallTime before = env_.WallNow();
  const Task fresh = SubmitOfType("c");
  Must(tasks().Cancel(fresh.id));
  EXPECT_EQ(Must(tasks().DeleteFinished(before, 10)), 1);
  EXPECT_EQ(Must(tasks().DeleteFinished(before, 10)), 0);
  EXPECT_EQ(CodeOf(tasks().Get(old.task.id)), ErrorCode::kNotFound);
  EXPECT_EQ(Get(unfinished.id).status, TaskStatus::kQueued);
  EXPECT_EQ(Get(fresh.id).status, TaskStatus::kCancelled);
  EXPECT_EQ(Must(tasks().EventsAfter(0, 100)).size(), 3U);
  EXPECT_EQ(Must(store().facts().Count()), 1);
  EXPECT_EQ(Count(TaskStatus::kCompleted), 0);
}

TEST_P(StoreConformance, RetentionGoesPastAllThatWasQueuedAnew) {
  std::vector<std::string> anew;
  for (int i = 0; i < 600; ++i) {
    anew.push_back(SubmitOfType("a").id);
    Must(tasks().Cancel(anew.back()));
  }
  Advance(seconds(1));
  const Task old = SubmitOfType("a");
  Must(tasks().Cancel(old.id));
  for (const std::string& id : anew) Must(tasks().Run(id));
  Advance(seconds(1));
  EXPECT_EQ(Must(tasks().DeleteFinished(env_.WallNow(), 200)), 1) << "who deletes takes less than 200 for the end";
  EXPECT_EQ(CodeOf(tasks().Get(old.id)), ErrorCode::kNotFound);
  EXPECT_EQ(Count(TaskStatus::kQueued), 600);
}

TEST_P(StoreConformance, RetentionDeletesAsManyAsItMayAmongTasksThatWereQueuedAnew) {
  std::vector<std::string> ids;
  for (int i = 0; i < 12; ++i) {
    ids.push_back(SubmitOfType("a").id);
    Must(tasks().Cancel(ids.back()));
    Advance(seconds(1));
  }
  for (std::size_t i = 0; i < ids.size(); i += 3) Must(tasks().Run(ids[i]));
  EXPECT_EQ(Must(tasks().DeleteFinished(env_.WallNow(), 3)), 3);
  EXPECT_TRUE(Must(tasks().HasFinished(env_.WallNow())));
  EXPECT_EQ(CodeOf(tasks().Get(ids[4])), ErrorCode::kNotFound);
  EXPECT_EQ(Get(ids[5]).status, TaskStatus::kCancelled) << "the fourth oldest";
  EXPECT_EQ(Must(tasks().DeleteFinished(env_.WallNow(), 3)), 3);
  EXPECT_EQ(Must(tasks().DeleteFinished(env_.WallNow(), 3)), 2);
  EXPECT_EQ(Must(tasks().DeleteFinished(env_.WallNow(), 3)), 0);
  EXPECT_FALSE(Must(tasks().HasFinished(env_.WallNow())));
  EXPECT_EQ(Count(TaskStatus::kQueued), 4);
}

TEST_P(StoreConformance, EventCursorStaysValidWhenRetentionEmptiesTheHistory) {
  Must(tasks().Cancel(SubmitOfType("a").id));
  const std::int64_t cursor = Must(tasks().EventsAfter(0, 10)).back().seq;
  Advance(seconds(1));
  EXPECT_EQ(Must(tasks().DeleteFinished(env_.WallNow(), 10)), 1);
  Reopen();
  const Task next = SubmitOfType("b");
  const auto events = Must(tasks().EventsAfter(cursor, 10));
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events.front().task_id, next.id);
  EXPECT_GT(events.front().seq, cursor);
}

TEST_P(StoreConformance, EventsTellWhatHappenedWhenAndByWhom) {
  const Task task = SubmitOfType("a");
  Advance(seconds(1));
  const Claim claim = ClaimOne("w1");
  Must(End(claim, RetryLater{WorkFailed(), seconds(5)}));
  const auto events = Must(tasks().Events(task.id));
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[1].kind, "claimed");
  EXPECT_EQ(events[1].status, TaskStatus::kRunning);
  EXPECT_EQ(events[1].attempt, 1);
  EXPECT_EQ(events[1].fencing_token, 1);
  EXPECT_EQ(events[1].owner_id, "w1");
  EXPECT_EQ(events[1].at, env_.WallNow());
  EXPECT_EQ(events[2].kind, "retry");
  EXPECT_EQ(events[2].detail, "the work failed");
  EXPECT_LT(events[0].seq, events[1].seq);
}

TEST_P(StoreConformance, EventStreamIsReadInPiecesWithoutGaps) {
  for (int i = 0; i < 5; ++i) SubmitOfType("a");
  std::int64_t cursor = 0;
  int seen = 0;
  for (;;) {
    const auto events = Must(tasks().EventsAfter(cursor, 2));
    if (events.empty()) break;
    EXPECT_GT(events.front().seq, cursor);
    cursor = events.back().seq;
    seen += static_cast<int>(events.size());
  }
  EXPECT_EQ(seen, 5);
}

TEST_P(StoreConformance, ListIsNewestFirstAndPagesWithoutGapsWhileTasksComeIn) {
  std::vector<std::string> expected;
  for (int i = 0; i < 5; ++i) expected.insert(expected.begin(), SubmitOfType("a").id);
  std::vector<std::string> seen;
  std::string cursor;
  do {
    const TaskPage page = Must(tasks().List({}, 2, cursor));
    for (const std::string& id : Ids(page)) seen.push_back(id);
    cursor = page.next_cursor;
    SubmitOfType("newer");
  } while (!cursor.empty());
  EXPECT_EQ(seen, expected);
}

TEST_P(StoreConformance, LastFullPageHasNoCursor) {
  SubmitOfType("a");
  SubmitOfType("a");
  EXPECT_EQ(Must(tasks().List({}, 2, "")).next_cursor, "");
}

TEST_P(StoreConformance, ListRefusesAForeignCursorAndNoLimit) {
  EXPECT_EQ(CodeOf(tasks().List({}, 2, "page2")), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(tasks().List({}, 2, "-5")), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(tasks().List({}, 0, "")), ErrorCode::kInvalidArgument);
}

TEST_P(StoreConformance, ListFilters) {
  const Task a = Submit({.type = "a", .description = "100% sure", .domain = "x"});
  Must(End(ClaimOne(), FailedForGood{WorkFailed(), {{"note", "deep_blue"}}}));
  Advance(seconds(1));
  const WallTime later = env_.WallNow();
  const Task b = Submit({.type = "b", .domain = "y"});
  const Task c = Submit({.type = "b", .run_immediately = false});
  const auto ids = [&](const TaskFilter& filter) { return Ids(Must(tasks().List(filter, 10, ""))); };
  EXPECT_THAT(ids({}), ElementsAre(c.id, b.id, a.id));
  EXPECT_THAT(ids({.status = TaskStatus::kFailed}), ElementsAre(a.id));
  EXPECT_THAT(ids({.status = TaskStatus::kQueued}), ElementsAre(b.id));
  EXPECT_THAT(ids({.status = TaskStatus::kCreated}), ElementsAre(c.id));
  EXPECT_THAT(ids({.status = TaskStatus::kRunning}), ElementsAre());
  EXPECT_THAT(ids({.type = "b"}), ElementsAre(c.id, b.id));
  EXPECT_THAT(ids({.domain = "x"}), ElementsAre(a.id));
  EXPECT_THAT(ids({.created_since = later}), ElementsAre(c.id, b.id));
  EXPECT_THAT(ids({.dead_letter = true}), ElementsAre(a.id));
  EXPECT_THAT(ids({.dead_letter = false}), ElementsAre(c.id, b.id));
  EXPECT_THAT(ids({.text = "100% s"}), ElementsAre(a.id));
  EXPECT_THAT(ids({.text = "deep_blue"}), ElementsAre(a.id));
  EXPECT_THAT(ids({.text = "deep%blue"}), ElementsAre());
  EXPECT_THAT(ids({.text = b.id.substr(20)}), ElementsAre(b.id));
  EXPECT_THAT(ids({.status = TaskStatus::kQueued, .type = "a"}), ElementsAre());
}

TEST_P(StoreConformance, CountsFollowEveryTask) {
  const Task oldest = SubmitOfType("a");
  Advance(seconds(1));
  Submit({.type = "a", .priority = 10});
  Submit({.type = "a", .run_immediately = false});
  TaskCounts counts = Must(tasks().Counts());
  EXPECT_EQ(counts.by_status[TaskStatus::kQueued], 2);
  EXPECT_EQ(counts.by_status[TaskStatus::kCreated], 1);
  EXPECT_EQ(counts.by_status[TaskStatus::kRunning], 0);
  EXPECT_EQ(counts.oldest_queued, oldest.created_at);
  ClaimUpTo(2);
  counts = Must(tasks().Counts());
  EXPECT_EQ(counts.by_status[TaskStatus::kQueued], 0);
  EXPECT_EQ(counts.by_status[TaskStatus::kRunning], 2);
  EXPECT_EQ(counts.oldest_queued, std::nullopt);
}

}  // namespace
}  // namespace seedcore::store

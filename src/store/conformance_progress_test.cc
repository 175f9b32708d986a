// Executions that put their task off, and what they say about their progress.
#include <limits>

#include <gmock/gmock.h>

#include "store/conformance.h"

namespace seedcore::store {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST_P(StoreConformance, SnoozedTaskComesBackAfterItsDelayAndTheAttemptIsNotCounted) {
  const Task task = Submit({.type = "work", .retry = {.max_attempts = 1}});
  const Claim claim = ClaimOne();
  Must(End(claim, Snoozed{seconds(30), "the table is locked"}));
  const Task waiting = Get(task.id);
  EXPECT_EQ(waiting.status, TaskStatus::kQueued);
  EXPECT_EQ(waiting.attempts, 0);
  EXPECT_EQ(waiting.run_after, env_.WallNow() + seconds(30));
  EXPECT_EQ(waiting.owner_id, "");
  EXPECT_EQ(waiting.lease_expires_at, std::nullopt);
  EXPECT_EQ(Must(tasks().NextRunAfter()), env_.WallNow() + seconds(30));
  const TaskEvent event = Must(tasks().Events(task.id)).back();
  EXPECT_EQ(event.kind, "snoozed");
  EXPECT_EQ(event.status, TaskStatus::kQueued);
  EXPECT_EQ(event.detail, "the table is locked");
  EXPECT_EQ(event.fencing_token, claim.task.fencing_token);

  EXPECT_THAT(ClaimUpTo(1), IsEmpty());
  Advance(seconds(30));
  const Claim again = ClaimOne();
  EXPECT_EQ(again.task.attempts, 1);
  Must(End(again, Completed{}));
}

TEST_P(StoreConformance, SnoozeWithoutTheLeaseIsRefused) {
  const Task task = SubmitOfType("work");
  const Claim claim = ClaimOne();
  Lease stale = claim.lease();
  stale.fencing_token -= 1;
  EXPECT_EQ(CodeOf(EndLease(stale, Snoozed{seconds(1), "later"})), ErrorCode::kLeaseLost);
  EXPECT_EQ(Get(task.id).status, TaskStatus::kRunning);
  EXPECT_EQ(LeaseLostCount(), 1);
  EXPECT_EQ(CodeOf(EndLease({env_.NewId(), "w", 1}, Snoozed{seconds(1), ""})), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(EndLease({"no id", "w", 1}, Snoozed{seconds(1), ""})), ErrorCode::kNotFound);
}

TEST_P(StoreConformance, SnoozesAndOtherOutcomesOfOneBatchAreEachAnswered) {
  for (int i = 0; i < 3; ++i) SubmitOfType("work");
  const auto claims = ClaimUpTo(3);
  Lease stale = claims[2].lease();
  stale.owner_id = "somebody else";
  const std::vector<Finish> finishes{{claims[0].lease(), Completed{json::object{{"n", 1}}}, {.facts = {{"a fact"}}}},
                                     {claims[1].lease(), Snoozed{seconds(5), "later"}, {}},
                                     {stale, Snoozed{seconds(5), "later"}, {}}};
  const auto answers = Must(tasks().FinishTasks(finishes));
  ASSERT_THAT(answers, SizeIs(3));
  EXPECT_TRUE(answers[0]);
  EXPECT_TRUE(answers[1]);
  EXPECT_EQ(CodeOf(answers[2]), ErrorCode::kLeaseLost);
  EXPECT_EQ(Get(claims[0].task.id).status, TaskStatus::kCompleted);
  EXPECT_EQ(Get(claims[1].task.id).status, TaskStatus::kQueued);
  EXPECT_EQ(Get(claims[2].task.id).status, TaskStatus::kRunning);
  EXPECT_EQ(Must(store().facts().Count()), 1);
}

TEST_P(StoreConformance, TaskThatIsPutOffForTooLongInAllFailsForGood) {
  const Task task = SubmitOfType("work");
  const auto half = std::chrono::duration_cast<std::chrono::milliseconds>(kLongestSnooze) / 2;
  for (int i = 0; i < 2; ++i) {
    Must(End(ClaimOne(), Snoozed{half, "not yet"}));
    ASSERT_EQ(Get(task.id).status, TaskStatus::kQueued);
    Advance(half);
  }
  Must(End(ClaimOne(), Snoozed{seconds(1), "still not"}));
  const Task failed = Get(task.id);
  EXPECT_EQ(failed.status, TaskStatus::kFailed);
  EXPECT_TRUE(failed.dead_letter);
  EXPECT_THAT(failed.error, testing::HasSubstr("still not"));
  EXPECT_EQ(failed.error_code, "deadline_exceeded");

  Must(tasks().Run(task.id));
  Must(End(ClaimOne(), Snoozed{seconds(1), "once more"}));
  EXPECT_EQ(Get(task.id).status, TaskStatus::kQueued) << "the count begins anew";
}

TEST_P(StoreConformance, TaskThatIsPutOffTooOftenFailsForGood) {
  const Task task = SubmitOfType("work");
  for (int i = 0; i < kMaxSnoozes; ++i) {
    Must(End(ClaimOne(), Snoozed{std::chrono::milliseconds(0), "busy"}));
  }
  ASSERT_EQ(Get(task.id).status, TaskStatus::kQueued) << "so often it may";
  Must(End(ClaimOne(), Snoozed{std::chrono::milliseconds(0), "busy again"}));
  const Task failed = Get(task.id);
  EXPECT_EQ(failed.status, TaskStatus::kFailed);
  EXPECT_TRUE(failed.dead_letter);
  EXPECT_EQ(failed.attempts, 1);
  EXPECT_THAT(failed.error, testing::HasSubstr("busy again"));
  EXPECT_EQ(failed.error_code, "deadline_exceeded");
}

TEST_P(StoreConformance, ProgressIsKeptUnderTheLeaseAndTheLastReportCounts) {
  const Task task = SubmitOfType("work");
  const Claim claim = ClaimOne();
  EXPECT_THAT(Must(tasks().ProgressOf(std::vector{task.id})), IsEmpty());
  for (const double fraction : {0.25, 0.5}) {
    Advance(seconds(1));
    const std::vector<ProgressReport> reports{
        {claim.lease(), {.fraction = fraction, .note = "rows", .data = json::object{{"rows", 7}}}}};
    EXPECT_TRUE(Must(tasks().ReportProgress(reports)).front().accepted);
  }
  const auto progress = Must(tasks().ProgressOf(std::vector{task.id}));
  ASSERT_THAT(progress, SizeIs(1));
  EXPECT_EQ(progress.at(task.id).progress.fraction, 0.5);
  EXPECT_EQ(progress.at(task.id).progress.note, "rows");
  EXPECT_EQ(progress.at(task.id).progress.data, (json::object{{"rows", 7}}));
  EXPECT_EQ(progress.at(task.id).at, env_.WallNow());
  EXPECT_THAT(EventKinds(task.id), ElementsAre("submitted", "claimed", "progress"));
  EXPECT_EQ(Get(task.id).lease_expires_at, claim.task.lease_expires_at) << "a report renews nothing";

  Must(End(claim, Completed{}));
  EXPECT_THAT(Must(tasks().ProgressOf(std::vector{task.id})), IsEmpty());
  EXPECT_THAT(EventKinds(task.id), ElementsAre("submitted", "claimed", "progress", "completed"));
}

TEST_P(StoreConformance, ProgressOfAnEarlierExecutionIsNotThatOfTheNext) {
  const Task task = SubmitOfType("work");
  const Claim first = ClaimOne();
  Must(tasks().ReportProgress(std::vector<ProgressReport>{{first.lease(), {.fraction = 0.9}}}));
  Must(End(first, HandedBack{}));
  const Claim second = ClaimOne();
  EXPECT_THAT(Must(tasks().ProgressOf(std::vector{task.id})), IsEmpty());
  const auto late = Must(tasks().ReportProgress(std::vector<ProgressReport>{{first.lease(), {.fraction = 1.0}}}));
  EXPECT_FALSE(late.front().accepted);
  EXPECT_FALSE(late.front().cancel_requested);
  Must(tasks().ReportProgress(std::vector<ProgressReport>{{second.lease(), {.fraction = 0.1}}}));
  EXPECT_EQ(Must(tasks().ProgressOf(std::vector{task.id})).at(task.id).progress.fraction, 0.1);
  EXPECT_EQ(LeaseLostCount(), 0);
}

TEST_P(StoreConformance, ProgressOfACancelledTaskSaysSo) {
  const Task task = SubmitOfType("work");
  const Claim claim = ClaimOne();
  Must(tasks().Cancel(task.id));
  const auto answer = Must(tasks().ReportProgress(std::vector<ProgressReport>{{claim.lease(), {.fraction = 0.5}}}));
  EXPECT_FALSE(answer.front().accepted);
  EXPECT_TRUE(answer.front().cancel_requested);
}

TEST_P(StoreConformance, ProgressReachesListenersOfTheEventStream) {
  SubmitOfType("work");
  const Claim claim = ClaimOne();
  const std::int64_t seen = Must(tasks().EventsAfter(0, 100)).back().seq;
  for (const double fraction : {0.1, 0.2}) {
    Must(tasks().ReportProgress(std::vector<ProgressReport>{{claim.lease(), {.fraction = fraction}}}));
  }
  const auto events = Must(tasks().EventsAfter(seen, 100));
  ASSERT_THAT(events, SizeIs(1)) << "the newest report alone";
  EXPECT_EQ(events.front().kind, "progress");
  EXPECT_EQ(Must(ReadProgress(events.front().detail)).fraction, 0.2);
}

TEST_P(StoreConformance, ProgressOutOfRangeIsRefused) {
  SubmitOfType("work");
  const Lease lease = ClaimOne().lease();
  for (const Progress& progress :
       {Progress{.fraction = 1.5}, Progress{.fraction = -0.1},
        Progress{.fraction = std::numeric_limits<double>::quiet_NaN()}, Progress{.note = std::string(1001, 'x')},
        Progress{.data = json::string(9000, 'x')}}) {
    EXPECT_EQ(CodeOf(tasks().ReportProgress(std::vector<ProgressReport>{{lease, progress}})),
              ErrorCode::kInvalidArgument);
  }
}

}  // namespace
}  // namespace seedcore::store

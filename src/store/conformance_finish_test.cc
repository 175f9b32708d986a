#include <gmock/gmock.h>

#include "store/conformance.h"

namespace seedcore::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

Effects SomeEffects(const std::string& task_id) {
  return {.facts = {{.text = "the sky is blue", .tags = {"sky"}, .meta_data = {{"source", "eyes"}}}},
          .ledger = {{.scope = "cluster", .scope_id = "main", .task_id = task_id, .delta_e = -0.5, .cost = 0.1}},
          .incidents = {{.salience_score = 0.9, .event_data = {{"what", "flash"}}}}};
}

TEST_P(StoreConformance, CompletedTaskKeepsItsResultAndIsDone) {
  SubmitOfType("a");
  const Claim claim = ClaimOne();
  Advance(seconds(1));
  Must(End(claim, Completed{{{"answer", 42}}}));
  const Task task = Get(claim.task.id);
  EXPECT_EQ(task.status, TaskStatus::kCompleted);
  EXPECT_EQ(task.result.at("answer"), 42);
  EXPECT_EQ(task.finished_at, env_.WallNow());
  EXPECT_EQ(task.owner_id, "");
  EXPECT_FALSE(task.lease_expires_at);
  EXPECT_FALSE(task.dead_letter);
  EXPECT_THAT(EventKinds(task.id), ElementsAre("submitted", "claimed", "completed"));
}

TEST_P(StoreConformance, TaskIsCompletedOnlyOnce) {
  SubmitOfType("a");
  const Claim claim = ClaimOne();
  Must(End(claim, Completed{{{"n", 1}}}));
  EXPECT_EQ(CodeOf(End(claim, Completed{{{"n", 2}}})), ErrorCode::kLeaseLost);
  EXPECT_EQ(Get(claim.task.id).result.at("n"), 1);
}

TEST_P(StoreConformance, RetryWaitsForItsDelayAndKeepsTheError) {
  SubmitOfType("a");
  const Claim claim = ClaimOne();
  Must(End(claim, RetryLater{WorkFailed(), seconds(10)}));
  const Task task = Get(claim.task.id);
  EXPECT_EQ(task.status, TaskStatus::kRetry);
  EXPECT_EQ(task.error, "the work failed");
  EXPECT_EQ(task.error_code, "unavailable");
  EXPECT_EQ(task.run_after, env_.WallNow() + seconds(10));
  EXPECT_TRUE(ClaimUpTo(1).empty());
  Advance(seconds(10));
  const Claim again = ClaimOne();
  EXPECT_EQ(again.task.attempts, 2);
  EXPECT_EQ(again.task.error, "the work failed");
  Must(End(again, Completed{}));
  EXPECT_EQ(Get(claim.task.id).error, "");
}

TEST_P(StoreConformance, RetryWithoutDelayIsClaimableAtOnce) {
  SubmitOfType("a");
  Must(End(ClaimOne(), RetryLater{WorkFailed(), milliseconds(0)}));
  EXPECT_EQ(ClaimOne().task.attempts, 2);
}

TEST_P(StoreConformance, RetryWithoutAttemptLeftBecomesADeadLetter) {
  Submit({.type = "a", .retry = {.max_attempts = 2}});
  Must(End(ClaimOne(), RetryLater{WorkFailed(), milliseconds(0)}));
  const Claim last = ClaimOne();
  Must(End(last, RetryLater{WorkFailed(), milliseconds(0)}));
  const Task task = Get(last.task.id);
  EXPECT_EQ(task.status, TaskStatus::kFailed);
  EXPECT_EQ(task.attempts, 2);
  EXPECT_TRUE(task.dead_letter);
  EXPECT_TRUE(task.finished_at);
  EXPECT_TRUE(ClaimUpTo(1).empty());
  EXPECT_EQ(Must(tasks().Counts()).dead_letters, 1);
}

TEST_P(StoreConformance, FailureForGoodIsNotRetriedAndKeepsWhatResultThereIs) {
  SubmitOfType("a");
  const Claim claim = ClaimOne();
  Must(End(claim, FailedForGood{{ErrorCode::kNonRetryable, "no such type", {}}, {{"partial", true}}}));
  const Task task = Get(claim.task.id);
  EXPECT_EQ(task.status, TaskStatus::kFailed);
  EXPECT_EQ(task.error, "no such type");
  EXPECT_EQ(task.error_code, "non_retryable");
  EXPECT_EQ(task.result.at("partial"), true);
  EXPECT_TRUE(task.dead_letter);
}

TEST_P(StoreConformance, HeldTaskWaitsForRun) {
  SubmitOfType("a");
  const Claim claim = ClaimOne();
  Must(End(claim, Held{"needs a person"}));
  const Task held = Get(claim.task.id);
  EXPECT_EQ(held.status, TaskStatus::kCreated);
  EXPECT_EQ(held.hold_reason, "needs a person");
  EXPECT_TRUE(ClaimUpTo(1).empty());
  const Task resumed = Must(tasks().Run(held.id));
  EXPECT_EQ(resumed.hold_reason, "");
  EXPECT_EQ(ClaimOne().task.id, held.id);
  EXPECT_THAT(EventKinds(held.id), ElementsAre("submitted", "claimed", "held", "resumed", "claimed"));
}

TEST_P(StoreConformance, HandedBackExecutionIsNotCounted) {
  Submit({.type = "a", .retry = {.max_attempts = 1}});
  const Claim claim = ClaimOne();
  Must(End(claim, HandedBack{}));
  EXPECT_EQ(Get(claim.task.id).status, TaskStatus::kQueued);
  EXPECT_EQ(Get(claim.task.id).attempts, 0);
  const Claim again = ClaimOne();
  EXPECT_EQ(again.task.attempts, 1);
  EXPECT_EQ(again.task.fencing_token, 2);
  EXPECT_TRUE(End(again, Completed{}));
}

TEST_P(StoreConformance, EachElementOfABatchHasItsOwnAnswer) {
  Must(tasks().Submit(std::vector<NewTask>(3, {.type = "a"})));
  const auto claims = ClaimUpTo(3);
  Lease stale = claims[1].lease();
  stale.fencing_token = 99;
  const std::vector<Finish> finishes{
      {claims[0].lease(), Completed{}, {}},
      {stale, Completed{}, {}},
      {{.task_id = env_.NewId(), .owner_id = "worker", .fencing_token = 1}, Completed{}, {}},
      {claims[2].lease(), FailedForGood{WorkFailed(), nullptr}, {}}};
  const auto answers = Must(tasks().FinishTasks(finishes));
  ASSERT_EQ(answers.size(), 4U);
  EXPECT_TRUE(answers[0]);
  EXPECT_EQ(CodeOf(answers[1]), ErrorCode::kLeaseLost);
  EXPECT_EQ(CodeOf(answers[2]), ErrorCode::kNotFound);
  EXPECT_TRUE(answers[3]);
  EXPECT_EQ(Get(claims[1].task.id).status, TaskStatus::kRunning);
}

TEST_P(StoreConformance, EachOfManyCompletionsIsWhatItWouldBeAlone) {
  Must(tasks().Submit(std::vector<NewTask>(4, {.type = "a"})));
  const auto claims = ClaimUpTo(4);
  const Task dependant = Submit({.type = "b", .depends_on = {claims[0].task.id}});
  Lease of_another = claims[3].lease();
  of_another.owner_id = "another";
  Advance(seconds(1));
  const std::vector<Finish> finishes{{claims[0].lease(), Completed{{{"n", 1}}}, {}},
                                     {claims[1].lease(), Completed{}, SomeEffects(claims[1].task.id)},
                                     {claims[0].lease(), Completed{{{"n", 2}}}, {}},
                                     {claims[2].lease(), Completed{}, {}},
                                     {of_another, Completed{}, SomeEffects(claims[3].task.id)}};
  const auto answers = Must(tasks().FinishTasks(finishes));
  ASSERT_EQ(answers.size(), 5U);
  for (const std::size_t good : {0U, 1U, 3U}) EXPECT_TRUE(answers[good]) << good;
  for (const std::size_t lost : {2U, 4U}) EXPECT_EQ(CodeOf(answers[lost]), ErrorCode::kLeaseLost) << lost;
  EXPECT_EQ(Get(claims[0].task.id).result.at("n"), 1);
  EXPECT_TRUE(Get(claims[2].task.id).result.is_null());
  for (const std::size_t done : {0U, 1U, 2U}) {
    const Task task = Get(claims[done].task.id);
    EXPECT_EQ(task.status, TaskStatus::kCompleted);
    EXPECT_EQ(task.finished_at, env_.WallNow());
    EXPECT_EQ(task.owner_id, "");
  }
  EXPECT_THAT(EventKinds(claims[0].task.id), ElementsAre("submitted", "claimed", "completed", "lease_lost"));
  EXPECT_THAT(EventKinds(claims[2].task.id), ElementsAre("submitted", "claimed", "completed"));
  EXPECT_EQ(Count(TaskStatus::kCompleted), 3);
  EXPECT_EQ(Count(TaskStatus::kRunning), 1);
  EXPECT_EQ(store().facts().Count(), 1);
  EXPECT_EQ(ClaimOne().task.id, dependant.id);
}

TEST_P(StoreConformance, EffectsAreStoredWithTheCompletion) {
  SubmitOfType("a");
  const Claim claim = ClaimOne();
  Must(End(claim, Completed{}, SomeEffects(claim.task.id)));
  EXPECT_EQ(Must(store().facts().Count()), 1);
  EXPECT_EQ(Must(store().ledger().ForTask(claim.task.id)).size(), 1U);
  EXPECT_DOUBLE_EQ(Must(store().ledger().Balance("cluster", "main")), 0.4);
  EXPECT_EQ(Must(store().incidents().Search(0.0, 10)).size(), 1U);
}

TEST_P(StoreConformance, EffectsOfARefusedOrUnfinishedExecutionAreNotStored) {
  SubmitOfType("a");
  const Claim claim = ClaimOne();
  Lease stale = claim.lease();
  stale.fencing_token = 7;
  EXPECT_EQ(CodeOf(EndLease(stale, Completed{}, SomeEffects(claim.task.id))), ErrorCode::kLeaseLost);
  Must(End(claim, RetryLater{WorkFailed(), milliseconds(0)}, SomeEffects(claim.task.id)));
  EXPECT_EQ(Must(store().facts().Count()), 0);
  EXPECT_TRUE(Must(store().ledger().Recent(10)).empty());
  EXPECT_TRUE(Must(store().incidents().Search(0.0, 10)).empty());
}

TEST_P(StoreConformance, DependantRunsOnceAllItsDependenciesAreCompleted) {
  const Task a = SubmitOfType("a");
  const Task b = SubmitOfType("b");
  const Task c = Submit({.type = "c", .depends_on = {b.id, a.id, a.id}});
  EXPECT_EQ(c.status, TaskStatus::kQueued);
  const auto claims = ClaimUpTo(5);
  ASSERT_EQ(claims.size(), 2U);
  Must(End(claims[0], Completed{}));
  EXPECT_TRUE(ClaimUpTo(5).empty());
  Must(End(claims[1], Completed{}));
  EXPECT_EQ(ClaimOne().task.id, c.id);
  EXPECT_THAT(Get(c.id).depends_on, ElementsAre(b.id, a.id, a.id));
  EXPECT_THAT(EventKinds(c.id), ElementsAre("submitted", "released", "claimed"));
}

TEST_P(StoreConformance, DependencyAlreadyCompletedCountsAsMet) {
  const Task a = SubmitOfType("a");
  Must(End(ClaimOne(), Completed{}));
  const Task b = Submit({.type = "b", .depends_on = {a.id}});
  EXPECT_EQ(ClaimOne().task.id, b.id);
}

TEST_P(StoreConformance, ReleasedTaskStillWaitsForItsTime) {
  const Task a = SubmitOfType("a");
  const Task b = Submit({.type = "b", .run_after = env_.WallNow() + seconds(60), .depends_on = {a.id}});
  Must(End(ClaimOne(), Completed{}));
  EXPECT_TRUE(ClaimUpTo(1).empty());
  EXPECT_EQ(Must(tasks().NextRunAfter()), b.run_after);
  Advance(seconds(60));
  EXPECT_EQ(ClaimOne().task.id, b.id);
}

TEST_P(StoreConformance, ReleasedTaskThatWasNotToRunStaysCreated) {
  const Task a = SubmitOfType("a");
  const Task b = Submit({.type = "b", .depends_on = {a.id}, .run_immediately = false});
  Must(End(ClaimOne(), Completed{}));
  EXPECT_EQ(Get(b.id).status, TaskStatus::kCreated);
  EXPECT_TRUE(ClaimUpTo(1).empty());
  Must(tasks().Run(b.id));
  EXPECT_EQ(ClaimOne().task.id, b.id);
}

TEST_P(StoreConformance, FailureOfADependencyFailsWhatDependsOnItAllTheWay) {
  const Task a = SubmitOfType("a");
  const Task b = Submit({.type = "b", .depends_on = {a.id}});
  const Task c = Submit({.type = "c", .depends_on = {b.id}});
  Must(End(ClaimOne(), FailedForGood{WorkFailed(), nullptr}));
  for (const Task& task : {b, c}) {
    const Task failed = Get(task.id);
    EXPECT_EQ(failed.status, TaskStatus::kFailed);
    EXPECT_EQ(failed.error_code, "non_retryable");
    EXPECT_TRUE(failed.dead_letter);
  }
  EXPECT_THAT(Get(b.id).error, testing::HasSubstr(a.id));
  EXPECT_EQ(Count(TaskStatus::kFailed), 3);
}

TEST_P(StoreConformance, TaskThatDependsOnAFailedOneFailsAtOnce) {
  const Task a = SubmitOfType("a");
  Must(tasks().Cancel(a.id));
  const Task b = Submit({.type = "b", .depends_on = {a.id}});
  for (const Task& task : {b, Get(b.id)}) {
    EXPECT_EQ(task.status, TaskStatus::kFailed);
    EXPECT_EQ(task.error_code, "non_retryable");
    EXPECT_THAT(task.error, testing::HasSubstr("cancelled"));
    EXPECT_TRUE(task.finished_at);
  }
  EXPECT_THAT(EventKinds(b.id), ElementsAre("submitted", "failed"));
}

TEST_P(StoreConformance, RetryOfADependencyKeepsItsDependantsWaiting) {
  const Task a = SubmitOfType("a");
  const Task b = Submit({.type = "b", .depends_on = {a.id}});
  Must(End(ClaimOne(), RetryLater{WorkFailed(), milliseconds(0)}));
  EXPECT_EQ(Get(b.id).status, TaskStatus::kQueued);
  Must(End(ClaimOne(), Completed{}));
  EXPECT_EQ(ClaimOne().task.id, b.id);
}

}  // namespace
}  // namespace seedcore::store

// Results of tasks while an application's open transaction has some of them, or what depends on them, in its hands.
#include <future>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "store/postgres/store_fixture.h"
#include "store/step_store.h"

namespace seedcore::store::postgres {
namespace {

using testing::HasSubstr;

class FinishLocked : public CheckedPostgresTasks {
 protected:
  /// An application that has enqueued something which depends on `id`, and has not committed.
  std::unique_ptr<Connection> Hold(const std::string& id) {
    auto application = Connect();
    Must(application->Script("BEGIN"));
    Must(application->RunOnce(fmt::format("SELECT seedcore_enqueue('next', depends_on => '{{{}}}')", id), {}));
    return application;
  }
  static Finish Completes(const Claim& claim) {
    return {.lease = claim.lease(), .outcome = Completed{}, .effects = {}};
  }
  TaskStatus StatusOf(const Claim& claim) { return Must(tasks().Get(claim.task.id)).status; }
  int Completions(const std::string& id) {
    int n = 0;
    for (const TaskEvent& event : Must(tasks().Events(id))) n += event.kind == "completed" ? 1 : 0;
    return n;
  }
  /// Finishes that gave up on a lock.
  double Waited() { return metrics_.GetCounter("seedcore_store_failed_transactions_total", "").Value(); }
};

TEST_F(FinishLocked, TheOthersAreWrittenAndTheLockedOneAfterwards) {
  Submit(3);
  const auto claims = ClaimSome(3);
  const auto application = Hold(claims[1].task.id);
  const std::vector<Finish> finishes{Completes(claims[0]), Completes(claims[1]), Completes(claims[2])};
  const Instant began = RealEnv().Now();
  auto answers = Must(tasks().FinishTasks(finishes));
  EXPECT_LT(RealEnv().Now() - began, std::chrono::seconds(9)) << "it has waited for the lock";
  EXPECT_TRUE(answers[0]);
  EXPECT_EQ(CodeOf(answers[1]), ErrorCode::kUnavailable);
  EXPECT_THAT(answers[1].error().message, HasSubstr(claims[1].task.id));
  EXPECT_TRUE(answers[2]);
  EXPECT_EQ(StatusOf(claims[0]), TaskStatus::kCompleted);
  EXPECT_EQ(StatusOf(claims[1]), TaskStatus::kRunning);
  EXPECT_EQ(StatusOf(claims[2]), TaskStatus::kCompleted);

  Must(application->Script("COMMIT"));
  answers = Must(tasks().FinishTasks(std::span(finishes).subspan(1, 1)));
  EXPECT_TRUE(answers[0]);
  EXPECT_EQ(StatusOf(claims[1]), TaskStatus::kCompleted);
  EXPECT_EQ(Completions(claims[1].task.id), 1);
  EXPECT_EQ(QueryInt("SELECT count(*) FROM tasks WHERE type = 'next' AND runnable = 1"), 1) << "it is released";
}

TEST_F(FinishLocked, OnceALockWasMetNobodyWaitsForTheNext) {
  Submit(4);
  const auto claims = ClaimSome(4);
  const auto one = Hold(claims[0].task.id);
  EXPECT_EQ(CodeOf(Must(tasks().FinishTasks(std::vector{Completes(claims[0]), Completes(claims[1])}))[0]),
            ErrorCode::kUnavailable);
  EXPECT_EQ(Waited(), 1);
  const auto another = Hold(claims[2].task.id);
  const auto answers =
      Must(tasks().FinishTasks(std::vector{Completes(claims[0]), Completes(claims[2]), Completes(claims[3])}));
  EXPECT_EQ(CodeOf(answers[0]), ErrorCode::kUnavailable);
  EXPECT_EQ(CodeOf(answers[1]), ErrorCode::kUnavailable);
  EXPECT_TRUE(answers[2]);
  EXPECT_EQ(Waited(), 1);
}

TEST_F(FinishLocked, AResultWaitsForWhoHoldsATaskThatItWouldRelease) {
  const std::vector<std::string> ids = Submit(2);
  const std::string dependant = SubmitOne(*store_, {.type = "a", .depends_on = {ids[0]}});
  const auto claims = ClaimSome(2);
  const auto application = Hold(dependant);
  std::vector<Finish> finishes{Completes(claims[0]), Completes(claims[1])};
  auto answers = Must(tasks().FinishTasks(finishes));
  const std::size_t held = claims[0].task.id == ids[0] ? 0 : 1;
  EXPECT_EQ(CodeOf(answers[held]), ErrorCode::kUnavailable);
  EXPECT_TRUE(answers[1 - held]);
  Must(application->Script("ROLLBACK"));
  answers = Must(tasks().FinishTasks(std::span(finishes).subspan(held, 1)));
  EXPECT_TRUE(answers[0]);
  EXPECT_EQ(Must(tasks().Get(dependant)).status, TaskStatus::kQueued);
  EXPECT_THAT(ClaimSome(1), testing::SizeIs(1));
}

TEST_F(FinishLocked, AFailureWaitsForWhoHoldsATaskThatItWouldFailThoughNotAtOnce) {
  const std::vector<std::string> ids = Submit(2);
  const std::string first = SubmitOne(*store_, {.type = "a", .depends_on = {ids[0]}});
  const std::string second = SubmitOne(*store_, {.type = "a", .depends_on = {first}});
  const auto claims = ClaimSome(2);
  const auto application = Hold(second);
  std::vector<Finish> finishes;
  for (const Claim& claim : claims) {
    finishes.push_back({claim.lease(), FailedForGood{{ErrorCode::kNonRetryable, "broken", {}}, nullptr}, {}});
  }
  auto answers = Must(tasks().FinishTasks(finishes));
  const std::size_t held = claims[0].task.id == ids[0] ? 0 : 1;
  EXPECT_EQ(CodeOf(answers[held]), ErrorCode::kUnavailable);
  EXPECT_TRUE(answers[1 - held]);
  EXPECT_EQ(Must(tasks().Get(ids[0])).status, TaskStatus::kRunning);
  Must(application->Script("COMMIT"));
  answers = Must(tasks().FinishTasks(std::span(finishes).subspan(held, 1)));
  EXPECT_TRUE(answers[0]);
  EXPECT_EQ(Must(tasks().Get(second)).status, TaskStatus::kFailed);
}

TEST_F(FinishLocked, WhateverComesWithAResultStaysBackWithIt) {
  Submit(4);
  const auto claims = ClaimSome(4);
  const auto application = Hold(claims[0].task.id);
  const auto with_step = [&](const Claim& claim) {
    Finish finish = Completes(claim);
    finish.effects.facts = {{.text = claim.task.id, .tags = {}, .meta_data = {}}};
    finish.steps = {{.name = "s", .result = 1, .error = {}, .error_code = {}, .wait_until = {}, .may_add = true}};
    return finish;
  };
  const std::vector<Finish> finishes{with_step(claims[0]),
                                     with_step(claims[1]),
                                     {claims[2].lease(), Snoozed{std::chrono::seconds(1), "later"}, {}},
                                     {claims[3].lease(), Held{"a person must look"}, {}}};
  auto answers = Must(tasks().FinishTasks(finishes));
  EXPECT_EQ(CodeOf(answers[0]), ErrorCode::kUnavailable);
  for (std::size_t i : {1U, 2U, 3U}) EXPECT_TRUE(answers[i]) << i;
  EXPECT_EQ(Must(store_->facts().Count()), 1);
  EXPECT_EQ(Count("task_step"), 1);
  Must(application->Script("COMMIT"));
  answers = Must(tasks().FinishTasks(std::span(finishes).first(1)));
  EXPECT_TRUE(answers[0]);
  EXPECT_EQ(Must(store_->facts().Count()), 2);
  EXPECT_EQ(Count("task_step"), 2);
}

TEST_F(FinishLocked, ASnoozeOfALockedTaskIsTriedAgainLater) {
  Submit(2);
  const auto claims = ClaimSome(2);
  const auto application = Hold(claims[0].task.id);
  std::vector<Finish> finishes;
  for (const Claim& claim : claims) finishes.push_back({claim.lease(), Snoozed{std::chrono::seconds(1), "later"}, {}});
  auto answers = Must(tasks().FinishTasks(finishes));
  EXPECT_EQ(CodeOf(answers[0]), ErrorCode::kUnavailable);
  EXPECT_TRUE(answers[1]);
  EXPECT_EQ(StatusOf(claims[0]), TaskStatus::kRunning);
  Must(application->Script("COMMIT"));
  answers = Must(tasks().FinishTasks(std::span(finishes).first(1)));
  EXPECT_TRUE(answers[0]);
  EXPECT_EQ(StatusOf(claims[0]), TaskStatus::kQueued);
}

TEST_F(FinishLocked, OneCallersLockedTaskDoesNotFailTheOthers) {
  constexpr int kCallers = 8;
  Submit(kCallers);
  const auto claims = ClaimSome(kCallers);
  const auto application = Hold(claims[0].task.id);
  std::vector<std::future<Result<void>>> answers;
  for (const Claim& claim : claims) {
    answers.push_back(std::async(std::launch::async, [&, claim]() -> Result<void> {
      const Finish finish = Completes(claim);
      return Must(tasks().FinishTasks(std::span(&finish, 1))).front();
    }));
  }
  EXPECT_EQ(CodeOf(answers[0].get()), ErrorCode::kUnavailable);
  for (std::size_t i = 1; i < answers.size(); ++i) EXPECT_TRUE(answers[i].get()) << i;
  Must(application->Script("COMMIT"));
  const Finish finish = Completes(claims[0]);
  EXPECT_TRUE(Must(tasks().FinishTasks(std::span(&finish, 1))).front());
}

TEST_F(FinishLocked, TheTokenDecidesWhenTheLeaseHasRunOutUnderTheLock) {
  Submit(2);
  const auto claims = ClaimSome(2);
  const auto one = Hold(claims[0].task.id);
  const auto another = Hold(claims[1].task.id);
  env_.Advance(std::chrono::seconds(60));
  EXPECT_EQ(Must(tasks().Reap(10)), 0) << "nobody reaps what is locked";
  Must(one->Script("COMMIT"));
  const std::vector<Finish> finishes{Completes(claims[0]), Completes(claims[1])};
  EXPECT_TRUE(Must(tasks().FinishTasks(std::span(finishes).first(1))).front()) << "the result came first";
  Must(another->Script("COMMIT"));
  ASSERT_EQ(Must(tasks().Reap(10)), 1);
  EXPECT_EQ(CodeOf(Must(tasks().FinishTasks(std::span(finishes).subspan(1))).front()), ErrorCode::kLeaseLost);
}

}  // namespace
}  // namespace seedcore::store::postgres

// Executions that put their task off, report their progress, or are cancelled meanwhile.
#include <atomic>
#include <limits>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "queue/progress_keeper.h"
#include "queue/test_world.h"

namespace seedcore::queue {
namespace {

using namespace std::chrono_literals;
using store::TaskStatus;
using testing::HasSubstr;

class ProgressTest : public DispatcherWorld {
 protected:
  std::optional<store::StoredProgress> ProgressOf(const std::string& id) {
    const auto known = tasks().ProgressOf(std::vector{id}).value();
    const auto found = known.find(id);
    return found == known.end() ? std::nullopt : std::optional(found->second);
  }
  static std::int64_t Last(const Result<std::vector<store::TaskEvent>>& events) { return events->back().seq; }
  store::Claim Claim() { return tasks().ClaimTasks({.owner_id = "w"}).value().at(0); }
  double FractionOf(const std::string& id) {
    const auto progress = ProgressOf(id);
    return progress ? progress->progress.fraction : -1.0;
  }
};

TEST_F(ProgressTest, ASnoozedTaskComesBackAndItsAttemptIsNotCounted) {
  std::atomic<int> executions = 0;
  // A lease is counted from before the claim: one that a jump of the clock cannot end in between.
  auto dispatcher = Start(
      [&](const store::Task& task, const CallContext&) {
        EXPECT_EQ(task.attempts, 1);
        return ++executions < 4 ? TaskOutcome::Snooze(30s, "the other side sleeps") : TaskOutcome::Complete("done");
      },
      {.lease = 1h});
  store::NewTask once;
  once.retry.max_attempts = 1;
  const std::string id = Submit(once);
  ASSERT_TRUE(Eventually([&] {
    const store::Task task = Get(id);
    if (task.status == TaskStatus::kQueued && task.run_after > env.WallNow()) env.Advance(30s);
    return task.status == TaskStatus::kCompleted;
  }));
  EXPECT_EQ(executions, 4);
  EXPECT_EQ(Get(id).attempts, 1);
  EXPECT_TRUE(Eventually([&] { return dispatcher->Status().snoozed == 3; }));
  int snoozed = 0;
  const std::vector<store::TaskEvent> history = tasks().Events(id).value();
  for (const store::TaskEvent& event : history) {
    if (event.kind != "snoozed") continue;
    ++snoozed;
    EXPECT_EQ(event.detail, "the other side sleeps");
  }
  EXPECT_EQ(snoozed, 3);
}

TEST_F(ProgressTest, ASnoozePastTheDeadlineFailsAtOnce) {
  auto dispatcher = Start([](const store::Task&, const CallContext&) { return TaskOutcome::Snooze(60s, "not ready"); });
  store::NewTask task;
  task.deadline = env.WallNow() + 59s;
  const std::string id = Submit(task);
  ASSERT_TRUE(Reaches(id, TaskStatus::kFailed));
  EXPECT_EQ(Get(id).error_code, "deadline_exceeded");
  EXPECT_THAT(Get(id).error, HasSubstr("not ready"));
}

TEST_F(ProgressTest, AVeryShortSnoozeLastsASecond) {
  auto dispatcher = Start([](const store::Task&, const CallContext&) { return TaskOutcome::Snooze(0s, "busy"); });
  const WallTime start = env.WallNow();
  const std::string id = Submit();
  ASSERT_TRUE(Eventually([&] { return Get(id).run_after.has_value(); }));
  EXPECT_EQ(Get(id).run_after, start + 1s);
}

TEST_F(ProgressTest, WhatAHandlerReportsIsShownWhileItRuns) {
  Gate gate;
  auto dispatcher = Start([&](const store::Task&, const CallContext& call) {
    call.Report({.fraction = 0.5, .note = "half", .data = json::object{{"rows", 3}}});
    gate.Await(call.stop);
    return TaskOutcome::Complete("done");
  });
  const std::string id = Submit();
  ASSERT_TRUE(Eventually([&] { return FractionOf(id) == 0.5; }));
  EXPECT_EQ(ProgressOf(id)->progress.note, "half");
  EXPECT_EQ(ProgressOf(id)->progress.data, (json::object{{"rows", 3}}));
  gate.Open();
  ASSERT_TRUE(Reaches(id, TaskStatus::kCompleted));
  EXPECT_FALSE(ProgressOf(id));
}

TEST_F(ProgressTest, AboutOneReportPerSecondIsWrittenAndTheLastOneCounts) {
  ProgressKeeper keeper(env, tasks(), metrics);
  const std::string id = Submit();
  const auto execution = std::make_shared<Execution>(Claim(), env.Now() + 30s);
  const auto reporter = keeper.For(execution);
  reporter->Report({.fraction = 0.01});
  ASSERT_TRUE(Eventually([&] { return FractionOf(id) == 0.01; }));
  const auto events = [&] { return Last(tasks().EventsAfter(0, 1000)); };
  const std::int64_t before = events();
  for (int i = 2; i <= 90; ++i) reporter->Report({.fraction = 0.01 * i});
  env.Advance(999ms);
  EXPECT_EQ(FractionOf(id), 0.01);
  env.Advance(1ms);
  ASSERT_TRUE(Eventually([&] { return FractionOf(id) == 0.9; }));
  EXPECT_EQ(events(), before + 1);
}

TEST_F(ProgressTest, WhatIsOutOfRangeIsBroughtIntoIt) {
  ProgressKeeper keeper(env, tasks(), metrics);
  const std::string id = Submit();
  const auto execution = std::make_shared<Execution>(Claim(), env.Now() + 30s);
  keeper.For(execution)->Report({.fraction = std::numeric_limits<double>::quiet_NaN(),
                                 .note = std::string(999, 'x') + "\xc3\xa9" + "and more",
                                 .data = json::string(10'000, 'y')});
  ASSERT_TRUE(Eventually([&] { return ProgressOf(id).has_value(); }));
  EXPECT_EQ(ProgressOf(id)->progress.fraction, 0.0);
  EXPECT_EQ(ProgressOf(id)->progress.note, std::string(999, 'x')) << "no half of a character";
  EXPECT_TRUE(ProgressOf(id)->progress.data.is_null());
}

TEST_F(ProgressTest, AReporterMayOutliveItsKeeper) {
  std::shared_ptr<ProgressReporter> reporter;
  Submit();
  const auto execution = std::make_shared<Execution>(Claim(), env.Now() + 30s);
  {
    ProgressKeeper keeper(env, tasks(), metrics);
    reporter = keeper.For(execution);
  }
  reporter->Report({.fraction = 0.5});
}

TEST_F(ProgressTest, ACancelledTaskIsStoppedByItsNextReport) {
  std::atomic<bool> stopped = false;
  std::atomic<bool> go = false;
  auto dispatcher = Start([&](const store::Task&, const CallContext& call) {
    (void)Eventually([&] { return go.load(); });
    call.Report({.fraction = 0.3});
    Gate().Await(call.stop);
    stopped = true;
    return TaskOutcome::Fail({ErrorCode::kCancelled, "told to stop", {}});
  });
  const std::string id = Submit();
  ASSERT_TRUE(Reaches(id, TaskStatus::kRunning));
  // Cancelled by another process: nobody tells the dispatcher, and no renewal is due as the clock stands still.
  ASSERT_TRUE(tasks().Cancel(id));
  const Instant cancelled = RealEnv().Now();
  go = true;
  ASSERT_TRUE(Eventually([&] { return stopped.load(); }));
  fmt::print("from the cancellation to the stop, by a report: {:.1f} ms\n",
             std::chrono::duration<double, std::milli>(RealEnv().Now() - cancelled).count());
  ASSERT_TRUE(Eventually([&] { return dispatcher->Status().inflight == 0; }));
  EXPECT_EQ(dispatcher->Status().cancelled, 1);
  EXPECT_EQ(Get(id).status, TaskStatus::kCancelled);
}

TEST_F(ProgressTest, ACancellationInThisProcessStopsTheHandlerAtOnce) {
  std::atomic<bool> started = false;
  std::atomic<bool> stopped = false;
  auto dispatcher = Start([&](const store::Task&, const CallContext& call) {
    started = true;
    Gate().Await(call.stop);
    stopped = true;
    return TaskOutcome::Fail({ErrorCode::kCancelled, "told to stop", {}});
  });
  const std::string id = Submit();
  ASSERT_TRUE(Eventually([&] { return started.load(); }));
  const Instant cancelled = RealEnv().Now();
  ASSERT_TRUE(tasks().Cancel(id));
  dispatcher->RenewNow();
  ASSERT_TRUE(Eventually([&] { return stopped.load(); }));
  fmt::print("from the cancellation to the stop, in one process: {:.1f} ms\n",
             std::chrono::duration<double, std::milli>(RealEnv().Now() - cancelled).count());
}

TEST_F(ProgressTest, AWorkerElsewhereIsAnsweredAndItsReportsAreBounded) {
  ProgressKeeper keeper(env, tasks(), metrics);
  const std::string id = Submit();
  const store::Lease lease = Claim().lease();
  EXPECT_TRUE(keeper.Report(lease, {.fraction = 0.1})->accepted);
  EXPECT_EQ(FractionOf(id), 0.1);
  EXPECT_TRUE(keeper.Report(lease, {.fraction = 0.2})->accepted);
  EXPECT_EQ(FractionOf(id), 0.1) << "kept for the next second";
  env.Advance(1s);
  ASSERT_TRUE(Eventually([&] { return FractionOf(id) == 0.2; }));

  ASSERT_TRUE(tasks().Cancel(id));
  env.Advance(1s);
  const auto answer = keeper.Report(lease, {.fraction = 0.3});
  ASSERT_TRUE(answer);
  EXPECT_FALSE(answer->accepted);
  EXPECT_TRUE(answer->cancel_requested);
  EXPECT_EQ(keeper.Report(lease, {.fraction = 2.0}).error().code, ErrorCode::kInvalidArgument);
}

TEST_F(ProgressTest, BeyondItsBoundTheKeeperRefuses) {
  ProgressKeeper keeper(env, tasks(), metrics, {}, {.period = 1s, .max_tasks = 2});
  SubmitMany(3);
  const auto claims = tasks().ClaimTasks({.owner_id = "w", .limit = 3}).value();
  EXPECT_TRUE(keeper.Report(claims[0].lease(), {.fraction = 0.1}));
  EXPECT_TRUE(keeper.Report(claims[1].lease(), {.fraction = 0.1}));
  EXPECT_EQ(keeper.Report(claims[2].lease(), {.fraction = 0.1}).error().code, ErrorCode::kResourceExhausted);
  EXPECT_TRUE(Eventually([&] {
    env.Advance(1s);
    return keeper.Report(claims[2].lease(), {.fraction = 0.1}).has_value();
  })) << "those that say nothing any more are forgotten";
}

}  // namespace
}  // namespace seedcore::queue

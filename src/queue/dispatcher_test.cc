#include "queue/dispatcher.h"

#include <atomic>
#include <map>
#include <mutex>
#include <thread>

#include "queue/test_world.h"

namespace seedcore::queue {
namespace {

using namespace std::chrono_literals;
using store::TaskStatus;

class DispatcherTest : public DispatcherWorld {};

TEST_F(DispatcherTest, ExecutesWhatIsSubmittedAndStoresItsResult) {
  auto dispatcher = Start([](const store::Task& task, const CallContext& call) {
    return TaskOutcome::Complete(json::object{{"echo", task.params}, {"key", call.idempotency_key}});
  });
  store::NewTask task;
  task.params["x"] = 1;
  const std::string id = Submit(task);
  ASSERT_TRUE(Reaches(id, TaskStatus::kCompleted));
  const store::Task stored = Get(id);
  EXPECT_EQ(stored.result, (json::object{{"echo", {{"x", 1}}}, {"key", id}}));
  EXPECT_EQ(stored.attempts, 1);
}

TEST_F(DispatcherTest, ASubmitWakesAnIdleDispatcherAlthoughTheClockStandsStill) {
  auto dispatcher = Start(Done);
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(Reaches(Submit(), TaskStatus::kCompleted));
}

TEST_F(DispatcherTest, ExecutesWhatWasThereBeforeItStarted) {
  const auto ids = SubmitMany(50);
  auto dispatcher = Start(Done);
  for (const auto& id : ids) ASSERT_TRUE(Reaches(id, TaskStatus::kCompleted));
  EXPECT_TRUE(Eventually([&] { return dispatcher->Status().completed == 50; }));
  EXPECT_EQ(dispatcher->Status().claimed, 50);
}

TEST_F(DispatcherTest, ACancellationReachesARunningHandler) {
  std::atomic<int> started = 0;
  std::atomic<int> told = 0;
  auto dispatcher = Start([&](const store::Task&, const CallContext& call) {
    ++started;
    Gate().Await(call.stop);
    ++told;
    return TaskOutcome::Fail({ErrorCode::kCancelled, "told to stop", {}});
  });
  const std::string now = Submit();
  const std::string later = Submit();
  ASSERT_TRUE(Eventually([&] { return started == 2; }));
  ASSERT_TRUE(tasks().Cancel(now));
  dispatcher->RenewNow();
  ASSERT_TRUE(Eventually([&] { return told == 1; }));
  ASSERT_TRUE(tasks().Cancel(later));
  env.Advance(10s);  // a third of the lease
  ASSERT_TRUE(Eventually([&] { return told == 2; }));
  ASSERT_TRUE(Eventually([&] { return dispatcher->Status().inflight == 0; }));
  EXPECT_EQ(Get(now).status, TaskStatus::kCancelled);
  EXPECT_EQ(Get(later).status, TaskStatus::kCancelled);
  EXPECT_EQ(dispatcher->Status().cancelled, 2);
  EXPECT_EQ(dispatcher->Status().lease_lost, 0);
}

TEST_F(DispatcherTest, AFailureIsRetriedWhenItsBackoffHasPassedAndNotBefore) {
  std::atomic<int> executions = 0;
  auto dispatcher = Start([&](const store::Task&, const CallContext&) {
    return ++executions == 1 ? TaskOutcome::Fail({ErrorCode::kUnavailable, "not yet", {}})
                             : TaskOutcome::Complete(nullptr);
  });
  const WallTime start = env.WallNow();
  const std::string id = Submit();
  ASSERT_TRUE(Reaches(id, TaskStatus::kRetry));
  const store::Task waiting = Get(id);
  EXPECT_EQ(waiting.error, "not yet");
  EXPECT_EQ(waiting.error_code, "unavailable");
  ASSERT_TRUE(waiting.run_after);
  EXPECT_GE(*waiting.run_after, start + 5s);
  EXPECT_LE(*waiting.run_after, start + 10s);

  env.Advance(*waiting.run_after - start - 1ms);
  const std::string probe = Submit();  // once this one is through, the dispatcher has looked
  ASSERT_TRUE(Reaches(probe, TaskStatus::kCompleted));
  EXPECT_EQ(Get(id).status, TaskStatus::kRetry);
  // The dispatcher sleeps exactly until then; how far it has got on its way to sleep does not matter.
  ASSERT_TRUE(Eventually([&] {
    env.Advance(1ms);
    return Get(id).status == TaskStatus::kCompleted;
  }));
  EXPECT_EQ(Get(id).attempts, 2);
}

TEST_F(DispatcherTest, ANonRetryableErrorFailsAtOnce) {
  auto dispatcher = Start([](const store::Task&, const CallContext&) {
    return TaskOutcome::Fail({ErrorCode::kNonRetryable, "no such type", {}}, json::object{{"known", 3}});
  });
  const std::string id = Submit();
  ASSERT_TRUE(Reaches(id, TaskStatus::kFailed));
  const store::Task failed = Get(id);
  EXPECT_EQ(failed.attempts, 1);
  EXPECT_TRUE(failed.dead_letter);
  EXPECT_EQ(failed.error_code, "non_retryable");
  EXPECT_EQ(failed.result, (json::object{{"known", 3}}));
}

TEST_F(DispatcherTest, AttemptsCountExecutionsAndTheirNumberIsKept) {
  std::atomic<int> executions = 0;
  auto dispatcher = Start([&](const store::Task& task, const CallContext&) {
    EXPECT_EQ(task.attempts, ++executions);
    return TaskOutcome::Fail({ErrorCode::kUnavailable, "never", {}});
  });
  store::NewTask task;
  task.retry = {.max_attempts = 3, .base = 1s, .max = 1s};
  const std::string id = Submit(task);
  ASSERT_TRUE(Eventually([&] {
    env.Advance(100ms);
    return Get(id).status == TaskStatus::kFailed;
  }));
  EXPECT_EQ(executions, 3);
  EXPECT_EQ(Get(id).attempts, 3);
  EXPECT_TRUE(Eventually([&] { return dispatcher->Status().failed == 1 && dispatcher->Status().retried == 2; }));
}

TEST_F(DispatcherTest, AHandlerThatThrowsIsAnInternalErrorAndIsRetried) {
  auto dispatcher =
      Start([](const store::Task&, const CallContext&) -> TaskOutcome { throw std::runtime_error("oops"); });
  const std::string id = Submit();
  ASSERT_TRUE(Reaches(id, TaskStatus::kRetry));
  EXPECT_EQ(Get(id).error, "oops");
  EXPECT_EQ(Get(id).error_code, "internal");
}

TEST_F(DispatcherTest, AHeldTaskRunsAgainOnceResumed) {
  std::atomic<int> executions = 0;
  auto dispatcher = Start([&](const store::Task&, const CallContext&) {
    return ++executions == 1 ? TaskOutcome::Hold("budget used up") : TaskOutcome::Complete(nullptr);
  });
  const std::string id = Submit();
  ASSERT_TRUE(Reaches(id, TaskStatus::kCreated));
  EXPECT_EQ(Get(id).hold_reason, "budget used up");
  ASSERT_TRUE(tasks().Run(id));
  ASSERT_TRUE(Reaches(id, TaskStatus::kCompleted));
}

TEST_F(DispatcherTest, TheCallsDeadlineIsTheSoonerOfTimeoutAndTaskDeadline) {
  std::map<std::string, Instant> deadlines;
  std::mutex mutex;
  auto dispatcher = Start(
      [&](const store::Task& task, const CallContext& call) {
        const std::scoped_lock lock(mutex);
        deadlines[task.id] = call.deadline;
        return TaskOutcome::Complete(nullptr);
      },
      {.call_timeout = 60s});
  const std::string plain = Submit();
  store::NewTask urgent;
  urgent.deadline = env.WallNow() + 7s;
  const std::string hurried = Submit(urgent);
  ASSERT_TRUE(Reaches(plain, TaskStatus::kCompleted));
  ASSERT_TRUE(Reaches(hurried, TaskStatus::kCompleted));
  EXPECT_EQ(deadlines[plain], env.Now() + 60s);
  EXPECT_EQ(deadlines[hurried], env.Now() + 7s);
}

TEST_F(DispatcherTest, TimesInTheFarFutureAreNoTrouble) {
  auto dispatcher = Start(Done);
  const auto end_of_time = ParseRfc3339("9999-12-31T23:59:59Z");
  store::NewTask patient;
  patient.deadline = *end_of_time;
  EXPECT_TRUE(Reaches(Submit(patient), TaskStatus::kCompleted));
  store::NewTask later;
  later.run_after = *end_of_time;
  const std::string id = Submit(later);
  EXPECT_TRUE(Reaches(Submit(), TaskStatus::kCompleted));
  EXPECT_NE(Get(id).status, TaskStatus::kCompleted);
}

TEST_F(DispatcherTest, AHandlerIsStoppedAtItsDeadline) {
  auto dispatcher = Start(
      [&](const store::Task&, const CallContext& call) {
        Gate().Await(call.stop);
        return TaskOutcome::Fail({ErrorCode::kCancelled, "told to stop", {}});
      },
      {.call_timeout = 4s});
  store::NewTask once;
  once.retry.max_attempts = 1;
  const std::string id = Submit(once);
  ASSERT_TRUE(Reaches(id, TaskStatus::kRunning));
  ASSERT_TRUE(Eventually([&] {
    env.Advance(1s);  // the handler may not have begun yet
    return Get(id).status == TaskStatus::kFailed;
  }));
  EXPECT_EQ(Get(id).error_code, "deadline_exceeded");
}

TEST_F(DispatcherTest, StopLetsRunningTasksFinish) {
  Gate gate;
  std::atomic<int> running = 0;
  auto dispatcher = Start(
      [&](const store::Task&, const CallContext& call) {
        ++running;
        EXPECT_TRUE(gate.Await(call.stop));
        return TaskOutcome::Complete(nullptr);
      },
      {.concurrency = 2});
  const auto ids = SubmitMany(5);
  ASSERT_TRUE(Eventually([&] { return running == 2; }));
  std::jthread stopper([&] { dispatcher->Stop(env.Now() + 5s); });
  env.AwaitWaiters(2);
  gate.Open();
  stopper.join();
  EXPECT_EQ(Count(TaskStatus::kCompleted), 2);
  EXPECT_EQ(Count(TaskStatus::kQueued), 3);
  EXPECT_FALSE(dispatcher->Status().running);
}

TEST_F(DispatcherTest, StopHandsBackWhatDoesNotFinishInTime) {
  std::atomic<int> running = 0;
  auto dispatcher = Start([&](const store::Task&, const CallContext& call) {
    ++running;
    Gate().Await(call.stop);
    return TaskOutcome::Fail({ErrorCode::kCancelled, "told to stop", {}});
  });
  const auto ids = SubmitMany(4);
  ASSERT_TRUE(Eventually([&] { return running == 4; }));
  dispatcher->Stop(env.Now());
  for (const auto& id : ids) {
    const store::Task task = Get(id);
    EXPECT_EQ(task.status, TaskStatus::kQueued);
    EXPECT_EQ(task.attempts, 0);
    EXPECT_TRUE(task.owner_id.empty());
  }
  EXPECT_EQ(dispatcher->Status().handed_back, 4);
  dispatcher->Stop(env.Now());
  SubmitMany(1);
  dispatcher.reset();
  EXPECT_EQ(Count(TaskStatus::kQueued), 5);
}

TEST_F(DispatcherTest, WhatFinishesAfterAllWhenToldToStopIsKept) {
  std::atomic<bool> running = false;
  auto dispatcher = Start([&](const store::Task&, const CallContext& call) {
    running = true;
    Gate().Await(call.stop);
    return TaskOutcome::Complete("just in time");
  });
  const std::string id = Submit();
  ASSERT_TRUE(Eventually([&] { return running.load(); }));
  dispatcher->Stop(env.Now());
  EXPECT_EQ(Get(id).status, TaskStatus::kCompleted);
}

TEST_F(DispatcherTest, TwoDispatchersNeverExecuteTheSameTask) {
  std::mutex mutex;
  std::map<std::string, int> executions;
  const TaskHandler handler = [&](const store::Task& task, const CallContext&) {
    const std::scoped_lock lock(mutex);
    ++executions[task.id];
    return TaskOutcome::Complete(nullptr);
  };
  auto one = Start(handler, {.name = "one", .concurrency = 8});
  auto two = Start(handler, {.name = "two", .concurrency = 8});
  for (int i = 0; i < 10; ++i) SubmitMany(50);
  ASSERT_TRUE(Eventually([&] { return Count(TaskStatus::kCompleted) == 500; }));
  one.reset();
  two.reset();
  EXPECT_EQ(executions.size(), 500U);
  for (const auto& [id, count] : executions) EXPECT_EQ(count, 1) << id;
}

TEST_F(DispatcherTest, TakesOnlyItsTypes) {
  auto dispatcher = Start(Done, {.choose_types = [] { return TypeChoice{.types = {"mine", "also_mine"}}; }});
  store::NewTask task;
  task.type = "other";
  const std::string other = Submit(task);
  task.type = "mine";
  const std::string mine = Submit(task);
  task.type = "also_mine";
  const std::string also = Submit(task);
  ASSERT_TRUE(Reaches(mine, TaskStatus::kCompleted));
  ASSERT_TRUE(Reaches(also, TaskStatus::kCompleted));
  EXPECT_EQ(Get(other).status, TaskStatus::kQueued);
}

TEST_F(DispatcherTest, HandsATaskBackForOthersAndClaimsWhatItIsToldToFromThenOn) {
  std::atomic<bool> leaves_others = false;
  auto dispatcher = Start(
      [&](const store::Task& task, const CallContext&) {
        if (task.type == "mine") return TaskOutcome::Complete("done");
        leaves_others = true;
        return TaskOutcome::HandBack();
      },
      {.choose_types = [&] { return leaves_others ? TypeChoice{.except = {"other"}} : TypeChoice{}; }});
  store::NewTask task;
  task.type = "other";
  const std::string other = Submit(task);
  ASSERT_TRUE(Eventually([&] { return dispatcher->Status().handed_back == 1; }));
  task.type = "mine";
  ASSERT_TRUE(Reaches(Submit(task), TaskStatus::kCompleted));
  EXPECT_EQ(Get(other).status, TaskStatus::kQueued);
  EXPECT_EQ(Get(other).attempts, 0);
  EXPECT_EQ(dispatcher->Status().claimed, 2);
}

TEST_F(DispatcherTest, EffectsAreStoredWithTheCompletion) {
  auto dispatcher = Start([](const store::Task&, const CallContext&) {
    store::Effects effects;
    effects.facts.push_back({.text = "the bridge is closed", .tags = {"traffic"}, .meta_data = {}});
    return TaskOutcome::Complete(nullptr, std::move(effects));
  });
  ASSERT_TRUE(Reaches(Submit(), TaskStatus::kCompleted));
  EXPECT_EQ(store->facts().Count(), 1);
}

TEST_F(DispatcherTest, StatusAndMetricsShowWhatItDid) {
  auto dispatcher = Start(Done, {.name = "tasks"});
  ASSERT_TRUE(Reaches(Submit(), TaskStatus::kCompleted));
  ASSERT_TRUE(Eventually([&] { return dispatcher->Status().completed == 1; }));
  const json::value status = ToJson(dispatcher->Status());
  EXPECT_EQ(status.at("name"), "tasks");
  EXPECT_EQ(status.at("running"), true);
  EXPECT_EQ(status.at("capacity"), 16);
  const std::string exposed = metrics.Expose();
  EXPECT_TRUE(exposed.contains("seedcore_tasks_completed_total{dispatcher=\"tasks\"} 1")) << exposed;
  const auto help = exposed.find("# HELP seedcore_lease_lost_total");  // shared with the store
  EXPECT_NE(help, std::string::npos);
  EXPECT_EQ(exposed.find("# HELP seedcore_lease_lost_total", help + 1), std::string::npos);
  EXPECT_TRUE(exposed.contains("seedcore_dispatcher_inflight{dispatcher=\"tasks\"} 0"));
  EXPECT_TRUE(exposed.contains("seedcore_task_run_seconds_count{dispatcher=\"tasks\",type=\"work\"} 1"));
  EXPECT_TRUE(exposed.contains("seedcore_task_wait_seconds_count{dispatcher=\"tasks\"} 1"));
}

}  // namespace
}  // namespace seedcore::queue

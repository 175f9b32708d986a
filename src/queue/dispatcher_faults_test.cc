// What a dispatcher does when leases are lost and the store fails or refuses.
#include <atomic>

#include "queue/test_world.h"

namespace seedcore::queue {
namespace {

using namespace std::chrono_literals;
using store::TaskStatus;

class DispatcherFaultsTest : public DispatcherWorld {};

TEST_F(DispatcherFaultsTest, RenewsTheLeaseOfALongTask) {
  Gate gate;
  std::atomic<bool> started = false;
  auto dispatcher = Start([&](const store::Task&, const CallContext& call) {
    started = true;
    gate.Await(call.stop);
    return TaskOutcome::Complete(nullptr);
  });
  const std::string id = Submit();
  ASSERT_TRUE(Eventually([&] { return started.load(); }));
  for (int third = 0; third < 9; ++third) {
    const auto before = Get(id).lease_expires_at;
    env.Advance(10s);
    ASSERT_TRUE(Eventually([&] { return Get(id).lease_expires_at > before; }));
  }
  EXPECT_EQ(tasks().Reap(10), 0);
  gate.Open();
  ASSERT_TRUE(Reaches(id, TaskStatus::kCompleted));
  EXPECT_EQ(Get(id).attempts, 1);
  EXPECT_EQ(dispatcher->Status().lease_lost, 0);
}

TEST_F(DispatcherFaultsTest, ALostLeaseStopsTheHandlerAndItsResultIsDropped) {
  std::atomic<bool> started = false;
  std::atomic<bool> stopped = false;
  auto dispatcher = Start([&](const store::Task&, const CallContext& call) {
    started = true;
    Gate().Await(call.stop);
    stopped = true;
    return TaskOutcome::Complete("of the late worker");
  });
  const std::string id = Submit();
  ASSERT_TRUE(Eventually([&] { return started.load(); }));
  env.ArmFault("dispatcher.claim", {ErrorCode::kUnavailable, "cut off", {}}, 1'000'000);
  env.ArmFault("dispatcher.renew", {ErrorCode::kUnavailable, "cut off", {}}, 1'000'000);
  env.Advance(31s);
  ASSERT_TRUE(Eventually([&] { return stopped.load(); }));
  ASSERT_EQ(tasks().Reap(10), 1);
  const auto claims = tasks().ClaimTasks({.owner_id = "another", .limit = 1});
  ASSERT_TRUE(claims && claims->size() == 1);
  const store::Finish finish{claims->front().lease(), store::Completed{"of the new owner"}, {}};
  ASSERT_TRUE(tasks().FinishTasks(std::span(&finish, 1))->front());
  ASSERT_TRUE(Eventually([&] { return dispatcher->Status().inflight == 0; }));
  EXPECT_EQ(dispatcher->Status().lease_lost, 1);
  EXPECT_EQ(dispatcher->Status().completed, 0);
  EXPECT_EQ(Get(id).result, json::value("of the new owner"));
}

TEST_F(DispatcherFaultsTest, AResultUnderAnOldTokenIsRefusedAndCounted) {
  Gate gate;
  std::atomic<int> executions = 0;
  auto dispatcher = Start(
      [&](const store::Task&, const CallContext&) {
        ++executions;
        gate.Await();  // a handler that does not listen
        return TaskOutcome::Complete("late");
      },
      {.concurrency = 1});
  const std::string id = Submit();
  ASSERT_TRUE(Eventually([&] { return executions == 1; }));
  ASSERT_TRUE(tasks().Cancel(id));
  gate.Open();
  ASSERT_TRUE(Eventually([&] { return dispatcher->Status().lease_lost == 1; }));
  EXPECT_EQ(Get(id).status, TaskStatus::kCancelled);
  EXPECT_TRUE(Get(id).result.is_null());
}

TEST_F(DispatcherFaultsTest, ATaskWhoseHandlerNeverComesBackIsNotKeptForEver) {
  Gate gate;
  std::atomic<int> executions = 0;
  auto dispatcher = Start(
      [&](const store::Task&, const CallContext&) {
        if (++executions == 1) gate.Await();  // does not listen
        return TaskOutcome::Complete(executions.load());
      },
      {.concurrency = 2, .call_timeout = 5s});
  const std::string id = Submit();
  ASSERT_TRUE(Eventually([&] { return executions == 1; }));
  ASSERT_TRUE(Eventually([&] {
    env.Advance(1s);
    return tasks().Reap(10) == 1;
  }));
  ASSERT_TRUE(Reaches(id, TaskStatus::kCompleted));
  gate.Open();
  ASSERT_TRUE(Eventually([&] { return dispatcher->Status().lease_lost == 1; }));
  EXPECT_EQ(Get(id).result, json::value(2));
}

TEST_F(DispatcherFaultsTest, GoesOnByItselfWhenTheStoreWorksAgain) {
  env.ArmFault("dispatcher.claim", {ErrorCode::kUnavailable, "disk full", {}}, 3);
  auto dispatcher = Start(Done);
  const std::string id = Submit();
  ASSERT_TRUE(Eventually([&] { return dispatcher->Status().store_error.contains("disk full"); }));
  ASSERT_TRUE(Eventually([&] {
    env.Advance(50ms);
    return Get(id).status == TaskStatus::kCompleted;
  }));
  ASSERT_TRUE(Eventually([&] { return dispatcher->Status().store_error.empty(); }));
  EXPECT_TRUE(dispatcher->Status().last_error.contains("disk full"));
}

TEST_F(DispatcherFaultsTest, AResultThatCannotBeWrittenIsTriedAgain) {
  std::atomic<int> executions = 0;
  env.ArmFault("dispatcher.finish", {ErrorCode::kUnavailable, "disk full", {}}, 4);
  auto dispatcher = Start([&](const store::Task&, const CallContext&) {
    ++executions;
    return TaskOutcome::Complete(nullptr);
  });
  const std::string id = Submit();
  ASSERT_TRUE(Eventually([&] {
    env.Advance(50ms);
    return Get(id).status == TaskStatus::kCompleted;
  }));
  EXPECT_EQ(executions, 1);
}

TEST_F(DispatcherFaultsTest, AResultThatComesAfterItsLeaseWasTakenBackIsRefusedAndTheTaskRunsAgain) {
  std::atomic<int> executions = 0;
  env.ArmFault("dispatcher.finish", {ErrorCode::kUnavailable, "cut off", {}}, 1'000'000);
  env.ArmFault("dispatcher.renew", {ErrorCode::kUnavailable, "cut off", {}}, 1'000'000);
  auto dispatcher = Start([&](const store::Task&, const CallContext&) {
    ++executions;
    return TaskOutcome::Complete(nullptr);
  });
  const std::string id = Submit();
  ASSERT_TRUE(Eventually([&] { return executions == 1; }));
  ASSERT_TRUE(Eventually([&] {
    env.Advance(1s);
    return tasks().Reap(10) == 1;
  }));
  env.ArmFault("dispatcher.finish", {}, 0);
  env.ArmFault("dispatcher.renew", {}, 0);
  ASSERT_TRUE(Eventually([&] {
    env.Advance(50ms);
    return Get(id).status == TaskStatus::kCompleted;
  }));
  EXPECT_EQ(executions, 2);
  EXPECT_EQ(Get(id).attempts, 2);
  EXPECT_TRUE(Eventually([&] {
    env.Advance(50ms);
    return dispatcher->Status().lease_lost == 1;
  }));
}

TEST_F(DispatcherFaultsTest, AResultThatTheStoreRefusesFailsItsTaskAndSaysWhy) {
  env.ArmFault("dispatcher.finish", {ErrorCode::kInvalidArgument, "not a fact", {}});
  auto dispatcher = Start(Done);
  const std::string id = Submit();
  ASSERT_TRUE(Reaches(id, TaskStatus::kFailed));
  EXPECT_TRUE(Get(id).error.contains("not a fact")) << Get(id).error;
  EXPECT_EQ(Get(id).error_code, "non_retryable");
  EXPECT_EQ(Get(id).attempts, 1);
}

TEST_F(DispatcherFaultsTest, ARefusedResultDoesNotTakeItsNeighboursAlong) {
  Gate gate;
  auto dispatcher = Start([&](const store::Task&, const CallContext& call) {
    gate.Await(call.stop);
    return TaskOutcome::Complete(nullptr);
  });
  SubmitMany(16);
  ASSERT_TRUE(Eventually([&] { return dispatcher->Status().inflight == 16; }));
  // The first write fails, whatever is in it: a batch is then written one by one, a single result becomes a failure.
  env.ArmFault("dispatcher.finish", {ErrorCode::kInvalidArgument, "not a fact", {}});
  gate.Open();
  ASSERT_TRUE(Eventually([&] { return Count(TaskStatus::kCompleted) + Count(TaskStatus::kFailed) == 16; }));
  EXPECT_GE(Count(TaskStatus::kCompleted), 15);
}

TEST_F(DispatcherFaultsTest, AFailedCommitOfTheStoreLosesNothing) {
  auto dispatcher = Start(Done);
  const auto ids = SubmitMany(30);
  env.ArmFault("store.commit", {ErrorCode::kUnavailable, "disk full", {}}, 3);
  ASSERT_TRUE(Eventually([&] {
    env.Advance(20ms);
    return Count(TaskStatus::kCompleted) == 30;
  }));
}

}  // namespace
}  // namespace seedcore::queue

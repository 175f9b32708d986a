#include "queue/in_flight.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/sim_env.h"

namespace seedcore::queue {
namespace {

using namespace std::chrono_literals;

/// One worker that there is from the beginning, played by the test.
class InFlightTest : public testing::Test {
 protected:
  using Executions = std::vector<std::shared_ptr<Execution>>;
  static Executions Some(int count) {
    Executions some;
    for (int i = 0; i < count; ++i) some.push_back(std::make_shared<Execution>(store::Claim{}, Instant{}));
    return some;
  }
  /// It leads, claims so many, and goes on.
  InFlight::Duty Claim(InFlight& in_flight, int count) {
    EXPECT_GE(in_flight.AwaitDuty().claim, count);
    in_flight.Admit(Some(count));
    in_flight.EndLead();
    return in_flight.AwaitDuty();
  }

  SimEnv env_;
  Metrics metrics_;
  Gauge& gauge_ = metrics_.GetGauge("in_flight", "");
};

TEST_F(InFlightTest, WhoeverExecutesWantsAnotherToLead) {
  InFlight in_flight(env_, {.capacity = 2, .max_unwritten = 8}, gauge_);
  EXPECT_TRUE(Claim(in_flight, 1).wants_worker);
}

TEST_F(InFlightTest, OneIsWantedAtATimeAndNotMoreThanTheCapacity) {
  InFlight in_flight(env_, {.capacity = 3, .max_unwritten = 8}, gauge_);
  EXPECT_TRUE(Claim(in_flight, 3).wants_worker);
  in_flight.WorkerCame();
  EXPECT_TRUE(in_flight.AwaitDuty().wants_worker) << "it executes, too, and one task is left";
  EXPECT_FALSE(in_flight.AwaitDuty().wants_worker) << "all are there or on their way";
  in_flight.NoWorkerComes();
  EXPECT_EQ(in_flight.GetCounts().running, 3);
}

TEST_F(InFlightTest, OneThatDidNotComeIsWantedAgain) {
  InFlight in_flight(env_, {.capacity = 4, .max_unwritten = 8}, gauge_);
  EXPECT_TRUE(Claim(in_flight, 2).wants_worker);
  in_flight.NoWorkerComes();
  EXPECT_TRUE(in_flight.AwaitDuty().wants_worker);
}

TEST_F(InFlightTest, SomebodyIsThereToClaimOnceResultsAreWritten) {
  InFlight in_flight(env_, {.capacity = 3, .max_unwritten = 1}, gauge_);
  const InFlight::Duty first = Claim(in_flight, 2);
  in_flight.NoWorkerComes();
  in_flight.Finish(first.execution, {});
  EXPECT_TRUE(in_flight.AwaitDuty().wants_worker) << "nothing can be claimed yet, but this one may take long";
}

TEST_F(InFlightTest, WhoComesToHelpStaysAsideWhileTheOthersKeepUp) {
  InFlight in_flight(env_, {.capacity = 40, .max_unwritten = 80}, gauge_);
  ASSERT_TRUE(Claim(in_flight, 40).wants_worker);
  env_.Advance(50us);
  std::atomic<int> left{-1};
  std::jthread helper([&] {
    in_flight.WorkerCame();
    left = in_flight.GetCounts().waiting;
  });
  env_.AwaitWaiters(1);
  for (int i = 0; i < 29; ++i) EXPECT_FALSE(in_flight.AwaitDuty().wants_worker) << "one is there, aside";
  env_.Advance(50us);  // ten are left, of which they will have taken all in 30 us more
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(in_flight.AwaitDuty().wants_worker);
  while (left < 0) env_.Advance(100us);
  EXPECT_EQ(left, 0);
}

TEST_F(InFlightTest, WhoComesToHelpWhereTheyDoNotKeepUpHelpsAndTheNextOneAtOnce) {
  InFlight in_flight(env_, {.capacity = 40, .max_unwritten = 80}, gauge_);
  ASSERT_TRUE(Claim(in_flight, 40).wants_worker);
  env_.Advance(50us);
  std::jthread helper([&] { in_flight.WorkerCame(); });
  env_.AwaitWaiters(1);
  env_.Advance(50us);  // none was taken
  helper.join();
  EXPECT_TRUE(in_flight.AwaitDuty().wants_worker);
  env_.Advance(50us);
  in_flight.WorkerCame();
  EXPECT_TRUE(in_flight.AwaitDuty().wants_worker);
}

TEST_F(InFlightTest, WhoStaysAsideGoesWhenNoMoreWorkStarts) {
  InFlight in_flight(env_, {.capacity = 2, .max_unwritten = 8}, gauge_);
  ASSERT_TRUE(Claim(in_flight, 2).wants_worker);
  env_.Advance(50us);
  std::jthread helper([&] {
    in_flight.WorkerCame();
    EXPECT_EQ(in_flight.AwaitDuty().execution, nullptr);
  });
  env_.AwaitWaiters(1);
  in_flight.Close();
}

TEST_F(InFlightTest, WhereOneIsEnoughNoneIsWanted) {
  InFlight in_flight(env_, {.capacity = 1, .max_unwritten = 8}, gauge_);
  EXPECT_FALSE(Claim(in_flight, 1).wants_worker);
}

}  // namespace
}  // namespace seedcore::queue

#include "net/breaker.h"

#include <set>

#include <gtest/gtest.h>

#include "base/sim_env.h"
#include "net/retry.h"

namespace seedcore::net {
namespace {

using namespace std::chrono_literals;
using enum CircuitBreaker::Outcome;
using State = CircuitBreaker::State;

class BreakerTest : public ::testing::Test {
 protected:
  void Call(CircuitBreaker::Outcome outcome) {
    const auto permit = breaker_.Admit();
    ASSERT_TRUE(permit);
    breaker_.Report(*permit, outcome);
  }
  void FailUntilOpen() {
    for (int i = 0; i < 5; ++i) Call(kFailure);
    ASSERT_EQ(breaker_.state(), State::kOpen);
  }

  SimEnv env_;
  CircuitBreaker breaker_{BreakerSettings{}, env_};
};

TEST_F(BreakerTest, OpensAtTheFifthFailureInARow) {
  for (int i = 0; i < 4; ++i) Call(kFailure);
  EXPECT_EQ(breaker_.state(), State::kClosed);
  Call(kFailure);
  EXPECT_EQ(breaker_.state(), State::kOpen);
  const auto refused = breaker_.Admit();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), (Error{ErrorCode::kUnavailable, "circuit breaker is open", ""}));
}

TEST_F(BreakerTest, OpensAtOnceForAPeerThatIsDead) {
  Call(kDead);
  ASSERT_EQ(breaker_.state(), State::kOpen);
  env_.Advance(30s);
  Call(kDead);
  EXPECT_EQ(breaker_.state(), State::kOpen);
  env_.Advance(30s);
  Call(kSuccess);
  EXPECT_EQ(breaker_.state(), State::kClosed);
}

TEST_F(BreakerTest, ForgetsFailuresAfterASuccess) {
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 4; ++i) Call(kFailure);
    Call(kSuccess);
  }
  EXPECT_EQ(breaker_.state(), State::kClosed);
}

TEST_F(BreakerTest, LetsExactlyOneProbeThroughAfterTheWait) {
  FailUntilOpen();
  env_.Advance(30s - 1ns);
  EXPECT_FALSE(breaker_.Admit());
  env_.Advance(1ns);
  EXPECT_TRUE(breaker_.Admit());
  EXPECT_FALSE(breaker_.Admit());
  env_.Advance(1h);
  EXPECT_FALSE(breaker_.Admit());
}

TEST_F(BreakerTest, AdmitsOneProbeOnlyWhenManyThreadsAsk) {
  FailUntilOpen();
  env_.Advance(30s);
  std::atomic<int> admitted = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] { admitted += breaker_.Admit().has_value() ? 1 : 0; });
    }
  }
  EXPECT_EQ(admitted, 1);
}

TEST_F(BreakerTest, ClosesWhenTheProbeSucceeds) {
  FailUntilOpen();
  env_.Advance(30s);
  Call(kSuccess);
  EXPECT_EQ(breaker_.state(), State::kClosed);
  for (int i = 0; i < 4; ++i) Call(kFailure);
  EXPECT_EQ(breaker_.state(), State::kClosed);
}

TEST_F(BreakerTest, WaitsAgainWhenTheProbeFails) {
  FailUntilOpen();
  env_.Advance(30s);
  Call(kFailure);
  env_.Advance(29s);
  EXPECT_FALSE(breaker_.Admit());
  env_.Advance(1s);
  EXPECT_TRUE(breaker_.Admit());
}

TEST_F(BreakerTest, ProbesAgainAtOnceAfterAnAbandonedProbe) {
  FailUntilOpen();
  env_.Advance(30s);
  Call(kAbandoned);
  EXPECT_TRUE(breaker_.Admit());
}

TEST_F(BreakerTest, IgnoresLateReportsOfCallsFromBeforeItOpened) {
  const auto early = breaker_.Admit();
  FailUntilOpen();
  env_.Advance(30s);
  const auto probe = breaker_.Admit();
  ASSERT_TRUE(probe);
  breaker_.Report(*early, kSuccess);
  EXPECT_EQ(breaker_.state(), State::kHalfOpen);
  breaker_.Report(*early, kFailure);
  EXPECT_EQ(breaker_.state(), State::kHalfOpen);
  breaker_.Report(*probe, kSuccess);
  EXPECT_EQ(breaker_.state(), State::kClosed);
}

TEST(Breaker, ProbesSoonAndThenLessAndLessOften) {
  SimEnv env;
  CircuitBreaker breaker({.failures_to_open = 1, .open_for = 1s, .longest_open = 30s}, env);
  breaker.Report(*breaker.Admit(), kFailure);
  for (const auto wait : {1s, 2s, 4s, 8s, 16s, 30s, 30s}) {
    EXPECT_EQ(breaker.OpenFor(), wait);
    env.Advance(wait);
    const auto probe = breaker.Admit();
    ASSERT_TRUE(probe);
    breaker.Report(*probe, kFailure);
  }
  env.Advance(30s);
  breaker.Report(*breaker.Admit(), kSuccess);
  EXPECT_EQ(breaker.state(), State::kClosed);
  breaker.Report(*breaker.Admit(), kFailure);
  EXPECT_EQ(breaker.OpenFor(), 1s) << "the peer was back meanwhile";
}

TEST(Breaker, OpensWhenSomethingElseShowsThatThePeerIsDead) {
  SimEnv env;
  CircuitBreaker breaker({.failures_to_open = 5, .open_for = 1s, .longest_open = 30s}, env);
  const auto under_way = breaker.Admit();
  breaker.Trip();
  EXPECT_EQ(breaker.state(), State::kOpen);
  breaker.Report(*under_way, kSuccess);
  EXPECT_EQ(breaker.state(), State::kOpen) << "it is about the time before";
  env.Advance(500ms);
  breaker.Trip();
  EXPECT_EQ(breaker.OpenFor(), 500ms) << "that is known";
  env.Advance(500ms);
  ASSERT_TRUE(breaker.Admit());
  breaker.Trip();
  EXPECT_EQ(breaker.OpenFor(), 2s) << "a probe that failed";
}

TEST(Breaker, ManyCallersDoNotProbeAtTheSameMoment) {
  SimEnv env;
  std::set<std::chrono::nanoseconds> waits;
  for (int i = 0; i < 100; ++i) {
    CircuitBreaker breaker({.failures_to_open = 1, .open_for = 1s, .longest_open = 30s, .jitter = 0.5}, env);
    breaker.Report(*breaker.Admit(), kFailure);
    EXPECT_GE(breaker.OpenFor(), 500ms);
    EXPECT_LE(breaker.OpenFor(), 1s);
    waits.insert(breaker.OpenFor());
  }
  EXPECT_GT(waits.size(), 90U);
}

TEST(Backoff, DoublesUpToItsLimitWithJitterBetweenHalfAndAll) {
  const RetryPolicy policy;
  EXPECT_EQ(Backoff(policy, 0, 0.0), 50ms);
  EXPECT_EQ(Backoff(policy, 1, 0.0), 100ms);
  EXPECT_EQ(Backoff(policy, 3, 0.5), 600ms);
  EXPECT_EQ(Backoff(policy, 6, 0.0), 2500ms);
  EXPECT_EQ(Backoff(policy, 1000, 0.0), 2500ms);
  SimEnv env;
  for (int i = 0; i < 200; ++i) {
    const auto wait = Backoff(policy, 2, env.RandomUnit());
    EXPECT_GE(wait, 200ms);
    EXPECT_LE(wait, 400ms);
  }
}

TEST(Retry, OnlyRepeatsWhatIsHarmlessToRepeat) {
  EXPECT_TRUE(IsRepeatable(Method::kGet, ""));
  EXPECT_TRUE(IsRepeatable(Method::kPut, ""));
  EXPECT_TRUE(IsRepeatable(Method::kDelete, ""));
  EXPECT_FALSE(IsRepeatable(Method::kPost, ""));
  EXPECT_FALSE(IsRepeatable(Method::kPatch, ""));
  EXPECT_TRUE(IsRepeatable(Method::kPost, "key"));
}

TEST(Retry, ReadsRetryAfterInSecondsOnly) {
  const auto parse = [](std::string value) {
    Headers headers;
    headers.Add("retry-after", std::move(value));
    return RetryAfter(headers);
  };
  EXPECT_EQ(parse("7"), 7s);
  EXPECT_EQ(parse("-1"), std::nullopt);
  EXPECT_EQ(parse("1e9"), std::nullopt);
  EXPECT_EQ(parse("Sun, 06 Nov 1994 08:49:37 GMT"), std::nullopt);
  EXPECT_EQ(parse("99999999999"), std::nullopt);
}

}  // namespace
}  // namespace seedcore::net

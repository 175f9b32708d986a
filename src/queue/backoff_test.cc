#include "queue/backoff.h"

#include <random>

#include <gtest/gtest.h>

namespace seedcore::queue {
namespace {

using namespace std::chrono_literals;

constexpr store::RetryPolicy kPolicy{.max_attempts = 3, .base = 10s, .max = 300s};

store::Task TaskAtAttempt(int attempt) {
  store::Task task;
  task.retry = kPolicy;
  task.attempts = attempt;
  return task;
}

Failure Because(ErrorCode code) { return {.error = {code, "why", {}}, .result = nullptr, .delay = std::nullopt}; }

const WallTime kNow = std::chrono::sys_days(std::chrono::year(2025) / 1 / 31);

TEST(RetryDelay, DoublesFromAttemptToAttemptUpToTheMaximum) {
  EXPECT_EQ(RetryDelay(kPolicy, 1, 1.0), 10s);
  EXPECT_EQ(RetryDelay(kPolicy, 2, 1.0), 20s);
  EXPECT_EQ(RetryDelay(kPolicy, 5, 1.0), 160s);
  EXPECT_EQ(RetryDelay(kPolicy, 6, 1.0), 300s);
  EXPECT_EQ(RetryDelay(kPolicy, 100, 1.0), 300s);
}

TEST(RetryDelay, StaysInRangeWhateverThePolicySays) {
  constexpr auto kForEver = std::chrono::milliseconds::max();
  EXPECT_EQ(RetryDelay({.max_attempts = 100, .base = kForEver, .max = kForEver}, 100, 1.0), std::chrono::days(366));
  EXPECT_EQ(RetryDelay({.max_attempts = 3, .base = 0ms, .max = 0ms}, 2, 1.0), 0ms);
}

TEST(RetryDelay, JitterTakesAwayAtMostHalf) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> unit(0.0, 1.0);
  for (int i = 0; i < 10'000; ++i) {
    const int attempt = 1 + static_cast<int>(random() % 100);
    const auto full = RetryDelay(kPolicy, attempt, 1.0);
    const auto delay = RetryDelay(kPolicy, attempt, unit(random));
    ASSERT_GE(delay, full / 2);
    ASSERT_LE(delay, full);
  }
}

TEST(AfterFailure, ARetryableErrorIsRetriedAfterTheDelayOfItsAttempt) {
  const auto decision = AfterFailure(TaskAtAttempt(2), Because(ErrorCode::kUnavailable), kNow, 1.0);
  ASSERT_TRUE(std::holds_alternative<store::RetryLater>(decision));
  EXPECT_EQ(std::get<store::RetryLater>(decision).delay, 20s);
}

TEST(AfterFailure, EveryCodeIsRetriedExactlyWhenItIsRetryable) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    const auto decision = AfterFailure(TaskAtAttempt(1), Because(code), kNow, 0.5);
    EXPECT_EQ(std::holds_alternative<store::RetryLater>(decision), IsRetryable(code)) << ToString(code);
  }
}

TEST(AfterFailure, TheLastAttemptFailsForGoodWithItsOwnError) {
  const auto decision = AfterFailure(TaskAtAttempt(3), Because(ErrorCode::kUnavailable), kNow, 0.5);
  ASSERT_TRUE(std::holds_alternative<store::FailedForGood>(decision));
  EXPECT_EQ(std::get<store::FailedForGood>(decision).error, (Error{ErrorCode::kUnavailable, "why", {}}));
}

TEST(AfterFailure, AWantedRetryOverridesCodeAndPolicyButNotTheNumberOfAttempts) {
  Failure wanted = Because(ErrorCode::kNonRetryable);
  wanted.delay = 7s;
  const auto decision = AfterFailure(TaskAtAttempt(2), wanted, kNow, 0.5);
  ASSERT_TRUE(std::holds_alternative<store::RetryLater>(decision));
  EXPECT_EQ(std::get<store::RetryLater>(decision).delay, 7s);
  EXPECT_TRUE(std::holds_alternative<store::FailedForGood>(AfterFailure(TaskAtAttempt(3), wanted, kNow, 0.5)));
}

TEST(AfterFailure, ARetryThatWouldMissTheDeadlineFailsAtOnceAndSaysSo) {
  store::Task task = TaskAtAttempt(1);
  task.deadline = kNow + 10s;
  const auto decision = AfterFailure(task, Because(ErrorCode::kUnavailable), kNow, 1.0);
  ASSERT_TRUE(std::holds_alternative<store::FailedForGood>(decision));
  EXPECT_EQ(std::get<store::FailedForGood>(decision).error.code, ErrorCode::kDeadlineExceeded);
  task.deadline = kNow + 11s;
  EXPECT_TRUE(
      std::holds_alternative<store::RetryLater>(AfterFailure(task, Because(ErrorCode::kUnavailable), kNow, 1.0)));
}

}  // namespace
}  // namespace seedcore::queue

#include "queue/backoff.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

namespace seedcore::queue {
namespace {

/// Keeps the arithmetic of times in range, whatever a policy or a handler asks for.
constexpr std::chrono::milliseconds kLongestDelay = std::chrono::days(366);
constexpr std::chrono::milliseconds kShortestSnooze = std::chrono::seconds(1);

}  // namespace

std::chrono::milliseconds RetryDelay(const store::RetryPolicy& policy, int attempt, double unit) {
  // In floating point, so that base * 2^99 is merely large; `max` brings it back into range.
  const double grown = std::ldexp(static_cast<double>(policy.base.count()), std::max(attempt, 1) - 1);
  const double capped = std::min(grown, static_cast<double>(std::min(policy.max, kLongestDelay).count()));
  return std::chrono::milliseconds(std::llround(capped * (0.5 + 0.5 * std::clamp(unit, 0.0, 1.0))));
}

std::variant<store::RetryLater, store::FailedForGood> AfterFailure(const store::Task& task, Failure failure,
                                                                   WallTime now, double unit) {
  const bool wanted = failure.delay.has_value() || IsRetryable(failure.error.code);
  if (!wanted || task.attempts >= task.retry.max_attempts) {
    return store::FailedForGood{std::move(failure.error), std::move(failure.result)};
  }
  const auto delay =
      std::max(failure.delay.value_or(RetryDelay(task.retry, task.attempts, unit)), std::chrono::milliseconds::zero());
  if (task.deadline && now + delay >= *task.deadline) {
    Error late{ErrorCode::kDeadlineExceeded,
               fmt::format("no retry fits before the task's deadline; attempt {} of {} ended with {}", task.attempts,
                           task.retry.max_attempts, ToString(failure.error)),
               {}};
    return store::FailedForGood{std::move(late), std::move(failure.result)};
  }
  return store::RetryLater{std::move(failure.error), delay};
}

std::variant<store::Snoozed, store::FailedForGood> AfterSnooze(const store::Task& task, store::Snoozed snoozed,
                                                               WallTime now) {
  snoozed.delay = std::clamp(snoozed.delay, kShortestSnooze, kLongestDelay);
  if (!task.deadline || now + snoozed.delay < *task.deadline) return snoozed;
  return store::FailedForGood{
      {ErrorCode::kDeadlineExceeded, fmt::format("put off past its deadline: {}", snoozed.reason), {}}, nullptr};
}

}  // namespace seedcore::queue

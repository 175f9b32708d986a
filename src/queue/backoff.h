#pragma once

#include <chrono>
#include <optional>
#include <variant>

#include "base/json.h"
#include "store/store.h"

/// What follows an execution that did not succeed. Pure: the caller brings the clock and the die.
namespace seedcore::queue {

/// Why an execution did not succeed.
struct Failure {
  Error error;
  json::value result;                              ///< what there is of one; may be null
  std::optional<std::chrono::milliseconds> delay;  ///< set: retry after it (0 to 366 days), whatever the code
};

/// How long to wait after execution number `attempt` (1-based): min(base * 2^(attempt-1), max) * (0.5 + unit / 2), with
/// `unit` uniform in [0, 1]; 366 days at most. The jitter keeps tasks that failed together from coming back together.
[[nodiscard]] std::chrono::milliseconds RetryDelay(const store::RetryPolicy& policy, int attempt, double unit);

/// Another execution, or the end of the task: failed for good when the code is not retryable (IsRetryable), when
/// `task.attempts` has reached the policy's maximum, or when no retry fits before the task's deadline, which then
/// becomes the error. `now` is the time of the failure.
[[nodiscard]] std::variant<store::RetryLater, store::FailedForGood> AfterFailure(const store::Task& task,
                                                                                 Failure failure, WallTime now,
                                                                                 double unit);

/// The task waits, or fails for good when it would wait past its deadline. Delays of 1 second to 366 days; shorter ones
/// become 1 second, so that a task that is always put off does not keep its workers busy.
[[nodiscard]] std::variant<store::Snoozed, store::FailedForGood> AfterSnooze(const store::Task& task,
                                                                             store::Snoozed snoozed, WallTime now);

}  // namespace seedcore::queue

#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/call_context.h"
#include "queue/backoff.h"
#include "store/store.h"

namespace seedcore::queue {

/// What one execution of a task yields. The effects are committed together with it, or not at all.
struct TaskOutcome {
  std::variant<store::Completed, Failure, store::Held, store::Snoozed, store::HandedBack> verdict;
  store::Effects effects;
  std::vector<store::StepWrite> steps{};  ///< written with it, too

  [[nodiscard]] static TaskOutcome Complete(json::value result, store::Effects effects = {}) {
    return {store::Completed{std::move(result)}, std::move(effects)};
  }
  /// Retried or final, as AfterFailure decides from the code and the task's policy.
  [[nodiscard]] static TaskOutcome Fail(Error error, json::value result = nullptr) {
    return {Failure{std::move(error), std::move(result), std::nullopt}, {}};
  }
  /// Executed again after `delay`, while attempts and deadline allow it.
  [[nodiscard]] static TaskOutcome RetryAfter(std::chrono::milliseconds delay, Error why) {
    return {Failure{std::move(why), nullptr, delay}, {}};
  }
  /// Not now: executed again after `delay` (at least a second), without counting as an attempt. Bounded by the deadline
  /// of the task and as store::Snoozed says; `reason` is kept in its history.
  [[nodiscard]] static TaskOutcome Snooze(std::chrono::milliseconds delay, std::string reason) {
    return {store::Snoozed{delay, std::move(reason)}, {}};
  }
  /// For another worker: it can be claimed again at once, and the execution does not count as an attempt. Whoever hands
  /// a task back must not claim its type any more, or it gets the same task again.
  [[nodiscard]] static TaskOutcome HandBack() { return {store::HandedBack{}, {}}; }
  /// Parked until somebody resumes it; `reason` is shown to them.
  [[nodiscard]] static TaskOutcome Hold(std::string reason) { return {store::Held{std::move(reason)}, {}}; }
};

/// Executes one task. Called on a dispatcher's worker threads, several at a time. It may block, but must return soon
/// after `call.stop` is requested (cancelled, lease lost, shutdown) or `call.deadline` passes. At-least-once: the same
/// task may come again, with the same `call.idempotency_key`. `call.Report` says how far it is. An exception counts as
/// a retryable `internal` error.
using TaskHandler = std::function<TaskOutcome(const store::Task& task, const CallContext& call)>;

}  // namespace seedcore::queue

#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>

#include "base/env.h"
#include "base/progress.h"
#include "base/trace.h"

namespace seedcore {

/// What travels with every call: how long the caller will wait, whether it still wants the answer, and who is asking.
/// Cheap to copy. Passed down by const reference; a callee that makes further calls derives them with `Within`.
struct CallContext {
  Instant deadline = Instant::max();  ///< nobody works, or waits, past it
  std::stop_token stop;               ///< requested when the answer is no longer wanted
  std::string request_id;             ///< echoed in logs, error bodies and X-Request-ID
  TraceContext trace;
  std::string idempotency_key;  ///< the same at every attempt of the same work; empty when there is none
  std::string task_id;          ///< the task on whose behalf this call is made; empty when there is none
  std::shared_ptr<ProgressReporter> progress{};  ///< where to say how far it is; null when nobody can be told

  /// kCancelled or kDeadlineExceeded when going on is pointless.
  [[nodiscard]] Result<void> Check(Env& env) const {
    if (stop.stop_requested()) return Fail(ErrorCode::kCancelled, "the call was cancelled");
    if (env.Now() >= deadline) return Fail(ErrorCode::kDeadlineExceeded, "the deadline of the call has passed");
    return {};
  }

  /// Says how far the work is, where somebody can be told.
  void Report(Progress done) const {
    if (progress) progress->Report(std::move(done));
  }

  /// The same call, allowed at most `budget` from now.
  [[nodiscard]] CallContext Within(std::chrono::nanoseconds budget, Env& env) const {
    CallContext derived = *this;
    derived.deadline = std::min(deadline, env.Now() + budget);
    return derived;
  }
};

}  // namespace seedcore

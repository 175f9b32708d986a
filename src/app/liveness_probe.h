#pragma once

#include <atomic>
#include <chrono>
#include <mutex>

#include "base/call_context.h"
#include "base/env.h"
#include "net/client.h"

namespace seedcore::app {

/// What the I/O thread of every direct listener answers, however busy its workers are.
inline constexpr const char* kAlivePath = "/-/alive";

/// What a worker of every direct listener answers: what a gateway asks a replica that it has ejected, before it sends
/// it requests again.
inline constexpr const char* kWorkingPath = "/-/working";

/// Tells a replica that works from one that is frozen (stopped, hung, cut off without a word), by a small request
/// beside the calls that wait for it. Thread-safe.
class LivenessProbe {
 public:
  /// `options` as for calls to the replica; it has `patience` to answer. `env` outlives it.
  LivenessProbe(net::ClientOptions options, std::chrono::milliseconds patience, Env& env);

  /// False when it did not answer, whatever the answer. One thread asks at a time; others, and one whose call is over
  /// meanwhile, hear what is known: it is alive unless the last probe says otherwise.
  [[nodiscard]] bool IsAlive(const CallContext& call);
  /// It has answered a call.
  void Answered() { dead_ = false; }
  /// Whether the last probe went unanswered, and no call has been answered since.
  [[nodiscard]] bool IsDead() const { return dead_; }

 private:
  const std::chrono::milliseconds patience_;
  Env& env_;
  net::Client client_;
  std::mutex asking_;  // held by who asks
  std::atomic<bool> dead_ = false;
};

}  // namespace seedcore::app

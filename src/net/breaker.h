#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>

#include "base/env.h"
#include "base/result.h"

namespace seedcore::net {

struct BreakerSettings {
  int failures_to_open = 5;                    ///< consecutive failures after which calls are refused
  std::chrono::milliseconds open_for{30'000};  ///< until one call may probe whether the peer is back
  /// Each probe that fails doubles the wait for the next one, up to this; less than `open_for`: it stays the same.
  std::chrono::milliseconds longest_open{0};
  double jitter = 0.0;  ///< share of each wait that is random, so that many callers do not probe as one; 0 to 1
};

/// Stops calling a peer that keeps failing. Closed: calls pass. Open: calls are refused for `open_for`. Half-open:
/// exactly one call passes as a probe; its outcome closes the breaker or opens it again. Thread-safe.
class CircuitBreaker {
 public:
  enum class State { kClosed, kOpen, kHalfOpen };
  enum class Outcome {
    kSuccess,    ///< the peer answered, be it with a refusal of this call (4xx)
    kFailure,    ///< transport error or 5xx
    kDead,       ///< it does not even show that it lives: opens at once
    kAbandoned,  ///< the caller gave up: says nothing about the peer
  };
  /// A call that was let through. Reported exactly once.
  struct Permit {
    std::uint64_t era = 0;  ///< grows with every change of state: a late report about an earlier one counts for nothing
  };

  CircuitBreaker(BreakerSettings settings, Env& env) : settings_(settings), env_(env) {}

  /// kUnavailable "circuit breaker is open" when the call must not be made.
  [[nodiscard]] Result<Permit> Admit();
  /// For a probe that is no call: nullopt when none is due.
  [[nodiscard]] std::optional<Permit> AdmitProbe();
  void Report(Permit permit, Outcome outcome);
  /// Opens it: something else than a call has shown that the peer is dead.
  void Trip();
  [[nodiscard]] State state() const;
  /// How long until a probe may pass; zero when a call may pass now, or one is probing.
  [[nodiscard]] std::chrono::nanoseconds OpenFor() const;

 private:
  void Open();
  void MoveTo(State state);
  std::chrono::nanoseconds NextWait() const;

  const BreakerSettings settings_;
  Env& env_;
  mutable std::mutex mutex_;  // guards everything below
  State state_ = State::kClosed;
  std::uint64_t era_ = 0;
  int failures_ = 0;
  int failed_probes_ = 0;  // since it was last closed
  Instant probe_at_;       // while open
};

}  // namespace seedcore::net

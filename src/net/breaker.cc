#include "net/breaker.h"

namespace seedcore::net {

Result<CircuitBreaker::Permit> CircuitBreaker::Admit() {
  const std::scoped_lock lock(mutex_);
  if (state_ == State::kClosed) return Permit{era_};
  if (state_ == State::kHalfOpen || env_.Now() < probe_at_) {
    return Fail(ErrorCode::kUnavailable, "circuit breaker is open");
  }
  MoveTo(State::kHalfOpen);
  return Permit{era_};
}

void CircuitBreaker::Report(Permit permit, Outcome outcome) {
  const std::scoped_lock lock(mutex_);
  if (permit.era != era_) return;
  if (state_ == State::kHalfOpen) {
    // After an abandoned probe the next call is the probe, without another wait: probe_at_ has passed.
    if (outcome == Outcome::kFailure) probe_at_ = env_.Now() + settings_.open_for;
    MoveTo(outcome == Outcome::kSuccess ? State::kClosed : State::kOpen);
    return;
  }
  if (outcome == Outcome::kSuccess) failures_ = 0;
  if (outcome != Outcome::kFailure || ++failures_ < settings_.failures_to_open) return;
  probe_at_ = env_.Now() + settings_.open_for;
  MoveTo(State::kOpen);
}

CircuitBreaker::State CircuitBreaker::state() const {
  const std::scoped_lock lock(mutex_);
  return state_;
}

void CircuitBreaker::MoveTo(State state) {
  state_ = state;
  failures_ = 0;
  ++era_;
}

}  // namespace seedcore::net

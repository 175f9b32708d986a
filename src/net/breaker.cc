#include "net/breaker.h"

#include <algorithm>
#include <cstdint>

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

std::optional<CircuitBreaker::Permit> CircuitBreaker::AdmitProbe() {
  const std::scoped_lock lock(mutex_);
  if (state_ != State::kOpen || env_.Now() < probe_at_) return std::nullopt;
  MoveTo(State::kHalfOpen);
  return Permit{era_};
}

void CircuitBreaker::Report(Permit permit, Outcome outcome) {
  const std::scoped_lock lock(mutex_);
  if (permit.era != era_) return;
  const bool failed = outcome == Outcome::kFailure || outcome == Outcome::kDead;
  if (state_ == State::kHalfOpen) {
    if (failed) return Open();
    // After an abandoned probe the next call is the probe, without another wait: probe_at_ has passed.
    return MoveTo(outcome == Outcome::kSuccess ? State::kClosed : State::kOpen);
  }
  if (outcome == Outcome::kSuccess) failures_ = 0;
  if (!failed || (++failures_ < settings_.failures_to_open && outcome != Outcome::kDead)) return;
  Open();
}

void CircuitBreaker::Trip() {
  const std::scoped_lock lock(mutex_);
  if (state_ != State::kOpen) Open();
}

void CircuitBreaker::Open() {
  if (state_ == State::kHalfOpen) ++failed_probes_;
  probe_at_ = env_.Now() + NextWait();
  MoveTo(State::kOpen);
}

std::chrono::nanoseconds CircuitBreaker::NextWait() const {
  constexpr int kDoublings = 16;
  const auto grown = settings_.open_for * (std::int64_t{1} << std::min(failed_probes_, kDoublings));
  const std::chrono::nanoseconds wait = std::max(settings_.open_for, std::min(settings_.longest_open, grown));
  const double cut = settings_.jitter > 0.0 ? settings_.jitter * env_.RandomUnit() : 0.0;
  return std::chrono::nanoseconds(static_cast<std::int64_t>(static_cast<double>(wait.count()) * (1.0 - cut)));
}

std::chrono::nanoseconds CircuitBreaker::OpenFor() const {
  const std::scoped_lock lock(mutex_);
  if (state_ != State::kOpen) return std::chrono::nanoseconds(0);
  return std::max(std::chrono::nanoseconds(0), std::chrono::nanoseconds(probe_at_ - env_.Now()));
}

CircuitBreaker::State CircuitBreaker::state() const {
  const std::scoped_lock lock(mutex_);
  return state_;
}

void CircuitBreaker::MoveTo(State state) {
  state_ = state;
  failures_ = 0;
  if (state == State::kClosed) failed_probes_ = 0;
  ++era_;
}

}  // namespace seedcore::net

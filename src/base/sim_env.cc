#include "base/sim_env.h"

#include "base/check.h"

namespace seedcore {

SimEnv::SimEnv(std::uint64_t seed)
    : now_(std::chrono::hours(1)),
      wall_(std::chrono::sys_days(std::chrono::year(2025) / 1 / 31) + std::chrono::hours(9)),
      engine_(seed) {}

Instant SimEnv::Now() {
  const std::scoped_lock lock(mutex_);
  return now_;
}

WallTime SimEnv::WallNow() {
  const std::scoped_lock lock(mutex_);
  return wall_;
}

std::uint64_t SimEnv::Random() {
  const std::scoped_lock lock(mutex_);
  return engine_();
}

bool SimEnv::WaitUntil(std::unique_lock<std::mutex>& lock, std::condition_variable_any& cv, Instant deadline,
                       std::stop_token stop, const std::function<bool()>& ready) {
  const std::pair<std::mutex*, std::condition_variable_any*> waiter(lock.mutex(), &cv);
  {
    const std::scoped_lock own(mutex_);
    waiters_.insert(waiter);
  }
  waiters_changed_.notify_all();
  cv.wait(lock, stop, [&] { return ready() || Now() >= deadline; });
  {
    const std::scoped_lock own(mutex_);
    waiters_.erase(waiters_.find(waiter));
  }
  return ready();
}

bool SimEnv::SleepFor(std::chrono::nanoseconds duration, std::stop_token stop) {
  std::unique_lock lock(mutex_);
  const Instant deadline = now_ + duration;
  ++sleepers_;
  waiters_changed_.notify_all();
  clock_changed_.wait(lock, stop, [&] { return now_ >= deadline; });
  --sleepers_;
  return !stop.stop_requested();
}

Result<void> SimEnv::Fault(std::string_view site) {
  const std::scoped_lock lock(mutex_);
  const auto armed = faults_.find(site);
  if (armed == faults_.end() || armed->second.times == 0) return {};
  --armed->second.times;
  return std::unexpected(armed->second.error);
}

void SimEnv::Advance(std::chrono::nanoseconds duration) {
  std::vector<std::pair<std::mutex*, std::condition_variable_any*>> to_wake;
  {
    const std::scoped_lock lock(mutex_);
    now_ += duration;
    wall_ += std::chrono::duration_cast<std::chrono::microseconds>(duration);
    to_wake.assign(waiters_.begin(), waiters_.end());
  }
  clock_changed_.notify_all();
  // Taking the waiter's own mutex closes the gap between its look at the clock and its going to sleep. A waiter leaves
  // the set only under that mutex, and the caller keeps the waiting objects alive while it advances.
  for (const auto& [waiter_mutex, cv] : to_wake) {
    {
      const std::scoped_lock waiter_lock(*waiter_mutex);
    }
    cv->notify_all();
  }
}

void SimEnv::JumpWall(std::chrono::microseconds by) {
  const std::scoped_lock lock(mutex_);
  wall_ += by;
}

void SimEnv::ArmFault(std::string site, Error error, int times) {
  const std::scoped_lock lock(mutex_);
  faults_[std::move(site)] = ArmedFault{std::move(error), times};
}

void SimEnv::AwaitWaiters(std::size_t count) {
  std::unique_lock lock(mutex_);
  waiters_changed_.wait(lock, [&] { return waiters_.size() + sleepers_ >= count; });
}

}  // namespace seedcore

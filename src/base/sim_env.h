#pragma once

#include <map>
#include <random>
#include <set>
#include <vector>

#include "base/env.h"

namespace seedcore {

/// A world for tests: time stands still until Advance(), randomness comes from a seed, faults are armed by name.
/// Waiting threads wake when the simulated clock reaches their deadline, so nothing in a test sleeps. Thread-safe.
class SimEnv final : public Env {
 public:
  explicit SimEnv(std::uint64_t seed = 1);

  Instant Now() override;
  WallTime WallNow() override;
  std::uint64_t Random() override;
  bool WaitUntil(std::unique_lock<std::mutex>& lock, std::condition_variable_any& cv, Instant deadline,
                 std::stop_token stop, const std::function<bool()>& ready) override;
  bool SleepFor(std::chrono::nanoseconds duration, std::stop_token stop) override;
  Result<void> Fault(std::string_view site) override;

  /// Moves both clocks forward and wakes every waiter to look again.
  void Advance(std::chrono::nanoseconds duration);
  /// Moves the wall clock alone, forwards or back, as a correction of the system's clock does.
  void JumpWall(std::chrono::microseconds by);
  /// The next `times` visits to `site` fail with `error`.
  void ArmFault(std::string site, Error error, int times = 1);
  /// Blocks until at least `count` threads are inside WaitUntil or SleepFor. Lets a test advance only once its threads
  /// are parked.
  void AwaitWaiters(std::size_t count);

 private:
  struct ArmedFault {
    Error error;
    int times = 0;
  };

  std::mutex mutex_;  // guards everything below
  std::condition_variable waiters_changed_;
  std::condition_variable_any clock_changed_;
  std::size_t sleepers_ = 0;
  Instant now_;
  WallTime wall_;
  std::mt19937_64 engine_;
  std::multiset<std::pair<std::mutex*, std::condition_variable_any*>> waiters_;
  std::map<std::string, ArmedFault, std::less<>> faults_;
};

}  // namespace seedcore

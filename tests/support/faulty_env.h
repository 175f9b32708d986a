#pragma once

#include <map>
#include <mutex>
#include <string>

#include "base/env.h"

namespace seedcore::test {

/// The real world, with faults at places that a test arms and disarms while the platform runs. Thread-safe.
class FaultyEnv final : public Env {
 public:
  void Arm(const std::string& site, Error error) {
    const std::scoped_lock lock(mutex_);
    faults_[site] = std::move(error);
  }
  void Disarm(const std::string& site) {
    const std::scoped_lock lock(mutex_);
    faults_.erase(site);
  }

  Instant Now() override { return real_.Now(); }
  WallTime WallNow() override { return real_.WallNow(); }
  std::uint64_t Random() override { return real_.Random(); }
  bool WaitUntil(std::unique_lock<std::mutex>& lock, std::condition_variable_any& cv, Instant deadline,
                 std::stop_token stop, const std::function<bool()>& ready) override {
    return real_.WaitUntil(lock, cv, deadline, std::move(stop), ready);
  }
  bool SleepFor(std::chrono::nanoseconds duration, std::stop_token stop) override {
    return real_.SleepFor(duration, std::move(stop));
  }
  Result<void> Fault(std::string_view site) override {
    const std::scoped_lock lock(mutex_);
    const auto found = faults_.find(site);
    if (found == faults_.end()) return {};
    return std::unexpected(found->second);
  }

 private:
  Env& real_ = RealEnv();
  std::mutex mutex_;  // guards faults_
  std::map<std::string, Error, std::less<>> faults_;
};

}  // namespace seedcore::test

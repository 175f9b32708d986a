#pragma once

#include <utility>

#include "base/env.h"

namespace seedcore {

/// Another Env as it is, for tests that change or watch one thing about it. As thread-safe as the other, which outlives
/// it.
class ForwardingEnv : public Env {
 public:
  explicit ForwardingEnv(Env& env) : env_(env) {}

  Instant Now() override { return env_.Now(); }
  WallTime WallNow() override { return env_.WallNow(); }
  std::uint64_t Random() override { return env_.Random(); }
  bool WaitUntil(std::unique_lock<std::mutex>& lock, std::condition_variable_any& cv, Instant deadline,
                 std::stop_token stop, const std::function<bool()>& ready) override {
    return env_.WaitUntil(lock, cv, deadline, std::move(stop), ready);
  }
  bool SleepFor(std::chrono::nanoseconds duration, std::stop_token stop) override {
    return env_.SleepFor(duration, std::move(stop));
  }
  Result<void> Fault(std::string_view site) override { return env_.Fault(site); }

 private:
  Env& env_;
};

}  // namespace seedcore

#pragma once

#include <map>
#include <mutex>
#include <string>

#include "base/forwarding_env.h"

namespace seedcore::test {

/// The real world, with faults at places that a test arms and disarms while the platform runs. Thread-safe.
class FaultyEnv final : public ForwardingEnv {
 public:
  FaultyEnv() : ForwardingEnv(RealEnv()) {}

  void Arm(const std::string& site, Error error) {
    const std::scoped_lock lock(mutex_);
    faults_[site] = std::move(error);
  }
  void Disarm(const std::string& site) {
    const std::scoped_lock lock(mutex_);
    faults_.erase(site);
  }

  Result<void> Fault(std::string_view site) override {
    const std::scoped_lock lock(mutex_);
    const auto found = faults_.find(site);
    if (found == faults_.end()) return {};
    return std::unexpected(found->second);
  }

 private:
  std::mutex mutex_;  // guards faults_
  std::map<std::string, Error, std::less<>> faults_;
};

}  // namespace seedcore::test

#pragma once

#include <array>
#include <cstdint>
#include <mutex>

#include "base/env.h"

namespace seedcore::net {

struct RetryBudgetSettings {
  double share = 0.2;            ///< of the requests of the window that may be sent again
  std::int64_t per_second = 10;  ///< on top of it, so that few requests can be repeated, too
};

/// Bounds what repeating adds to a service that is not well: over the last ten seconds retries are at most a share of
/// the requests, plus a few per second (as the budgets of Finagle and Linkerd). Thread-safe.
class RetryBudget {
 public:
  RetryBudget(RetryBudgetSettings settings, Env& env) : settings_(settings), env_(env) {}

  /// A request, once however often it is sent.
  void OnRequest();
  /// Whether one more retry is within the budget; then it is counted.
  [[nodiscard]] bool TryRetry();

 private:
  static constexpr std::size_t kSeconds = 10;
  struct Second {
    std::int64_t number = -1;  // since the clock's beginning
    std::int64_t requests = 0;
    std::int64_t retries = 0;
  };
  Second& Current(std::int64_t now);
  [[nodiscard]] std::int64_t Now() const;

  const RetryBudgetSettings settings_;
  Env& env_;
  std::mutex mutex_;  // guards seconds_
  std::array<Second, kSeconds> seconds_;
};

}  // namespace seedcore::net

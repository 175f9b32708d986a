#include "net/retry_budget.h"

namespace seedcore::net {

std::int64_t RetryBudget::Now() const {
  return std::chrono::floor<std::chrono::seconds>(env_.Now().time_since_epoch()).count();
}

RetryBudget::Second& RetryBudget::Current(std::int64_t now) {
  Second& second = seconds_[static_cast<std::size_t>(now) % kSeconds];
  if (second.number != now) second = {.number = now};
  return second;
}

void RetryBudget::OnRequest() {
  const std::int64_t now = Now();
  const std::scoped_lock lock(mutex_);
  ++Current(now).requests;
}

bool RetryBudget::TryRetry() {
  const std::int64_t now = Now();
  const std::scoped_lock lock(mutex_);
  Second& current = Current(now);
  std::int64_t requests = 0;
  std::int64_t retries = 0;
  for (const Second& second : seconds_) {
    if (second.number <= now - static_cast<std::int64_t>(kSeconds)) continue;
    requests += second.requests;
    retries += second.retries;
  }
  const double allowed = settings_.share * static_cast<double>(requests) +
                         static_cast<double>(settings_.per_second) * static_cast<double>(kSeconds);
  if (static_cast<double>(retries) + 1.0 > allowed) return false;
  ++current.retries;
  return true;
}

}  // namespace seedcore::net

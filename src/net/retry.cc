#include "net/retry.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>

namespace seedcore::net {

std::chrono::nanoseconds Backoff(const RetryPolicy& policy, int retry, double unit) {
  const double longest = static_cast<double>(policy.longest.count());
  const double grown = static_cast<double>(policy.base.count()) * std::pow(policy.factor, retry);
  const double jittered = std::min(longest, grown) * (0.5 + 0.5 * unit);
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double, std::milli>(jittered));
}

bool IsRepeatable(Method method, std::string_view idempotency_key) {
  if (!idempotency_key.empty()) return true;
  return method != Method::kPost && method != Method::kPatch;
}

bool IsRetryableStatus(int status) { return status == 429 || (status >= 502 && status <= 504); }

std::optional<std::chrono::seconds> RetryAfter(const Headers& headers) {
  const auto value = headers.Find("Retry-After");
  if (!value) return std::nullopt;
  std::uint32_t seconds = 0;
  const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), seconds);
  if (error != std::errc{} || end != value->data() + value->size()) return std::nullopt;
  return std::chrono::seconds(seconds);
}

}  // namespace seedcore::net

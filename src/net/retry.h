#pragma once

#include <chrono>
#include <optional>
#include <string_view>

#include "net/http.h"

namespace seedcore::net {

struct RetryPolicy {
  int max_retries = 2;                       ///< attempts after the first
  std::chrono::milliseconds base{100};       ///< wait before the first retry
  double factor = 2.0;                       ///< growth per retry
  std::chrono::milliseconds longest{5'000};  ///< no wait is longer, before jitter
};

/// Exponential backoff with jitter: min(longest, base * factor^retry) * uniform[0.5, 1]. `retry` counts from 0, `unit`
/// is uniform in [0, 1).
[[nodiscard]] std::chrono::nanoseconds Backoff(const RetryPolicy& policy, int retry, double unit);

/// Whether sending the request twice does no harm: by its method, or because the server can tell by the key.
[[nodiscard]] bool IsRepeatable(Method method, std::string_view idempotency_key);
/// Statuses that a later attempt may not get: 429, 502, 503, 504.
[[nodiscard]] bool IsRetryableStatus(int status);
/// Retry-After in seconds; nullopt when absent, or a date, or absurd.
[[nodiscard]] std::optional<std::chrono::seconds> RetryAfter(const Headers& headers);

}  // namespace seedcore::net

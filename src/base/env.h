#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <string_view>

#include "base/result.h"

namespace seedcore {

/// Monotonic time for deadlines and durations.
using Instant = std::chrono::time_point<std::chrono::steady_clock, std::chrono::nanoseconds>;
/// Unix time in microseconds, the resolution that is stored.
using WallTime = std::chrono::sys_time<std::chrono::microseconds>;

/// The world as code sees it: clocks, waiting, randomness, ids and injected faults. Everything that would make a run
/// unrepeatable goes through one object, so that a seed replays it (see SimEnv). Thread-safe; outlives its users.
class Env {
 public:
  virtual ~Env() = default;

  [[nodiscard]] virtual Instant Now() = 0;
  [[nodiscard]] virtual WallTime WallNow() = 0;
  /// 64 uniform random bits. Not for secrets.
  [[nodiscard]] virtual std::uint64_t Random() = 0;

  /// Waits on `cv` until `ready()` holds, `deadline` passes on this Env's clock, or `stop` is requested. `lock` is held
  /// on return and while `ready` runs. Returns `ready()`.
  virtual bool WaitUntil(std::unique_lock<std::mutex>& lock, std::condition_variable_any& cv, Instant deadline,
                         std::stop_token stop, const std::function<bool()>& ready) = 0;

  /// Sleeps for `duration` on this Env's clock, or until `stop`. Returns false when stopped early.
  virtual bool SleepFor(std::chrono::nanoseconds duration, std::stop_token stop) = 0;

  /// A fault chosen for the place called `site`, or no error. Empty in production; tests and chaos runs arm sites.
  [[nodiscard]] virtual Result<void> Fault(std::string_view site) = 0;

  /// A new version-7 UUID, lower case.
  [[nodiscard]] std::string NewId();
  /// Uniform in [0, 1).
  [[nodiscard]] double RandomUnit();
};

/// The real clocks and the operating system's randomness. One per process.
[[nodiscard]] Env& RealEnv();

/// Microseconds since the Unix epoch, as stored in the database.
[[nodiscard]] inline std::int64_t ToUnixMicros(WallTime time) { return time.time_since_epoch().count(); }
[[nodiscard]] inline WallTime FromUnixMicros(std::int64_t micros) {
  return WallTime{std::chrono::microseconds{micros}};
}
/// RFC 3339 with microseconds, UTC: "2025-01-31T09:30:00.000000Z".
[[nodiscard]] std::string ToRfc3339(WallTime time);
/// Accepts RFC 3339 with `Z` or an offset, and "YYYY-MM-DD HH:MM:SS" taken as UTC.
[[nodiscard]] Result<WallTime> ParseRfc3339(std::string_view text);

}  // namespace seedcore

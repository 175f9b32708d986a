#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "base/env.h"
#include "base/metrics.h"
#include "store/task.h"

namespace seedcore::queue {

/// A count of this dispatcher alone, and its Prometheus counter.
class Tally {
 public:
  explicit Tally(Counter& counter) : counter_(counter) {}
  void Add(std::int64_t by = 1) {
    count_.fetch_add(by, std::memory_order_relaxed);
    counter_.Increment(static_cast<double>(by));
  }
  [[nodiscard]] std::int64_t Count() const { return count_.load(std::memory_order_relaxed); }

 private:
  Counter& counter_;
  std::atomic<std::int64_t> count_{0};
};

/// What a dispatcher counts and measures. Thread-safe.
class Telemetry {
 public:
  Telemetry(Metrics& metrics, const std::string& dispatcher);

  Tally claimed;
  Tally completed;
  Tally failed;  ///< for good
  Tally retried;
  Tally held;
  Tally handed_back;
  Tally snoozed;
  Tally cancelled;                       ///< told to stop because the task was cancelled
  Tally lease_lost;                      ///< results dropped here
  Tally unwritten;                       ///< results given up because the store did not take them in time
  std::atomic<std::int64_t> refused{0};  ///< results refused by the store, which counts them in the same metric
  Gauge& inflight;                       ///< claimed and not yet finished

  /// Seconds from runnable to started. Unknown, and left out, for tasks that waited for others.
  void ObserveWait(const store::Task& task, WallTime started);
  void ObserveRun(const std::string& type, double seconds);

  void NoteError(std::string error);
  void NoteClaim(WallTime at);
  [[nodiscard]] std::string LastError() const;
  [[nodiscard]] std::optional<WallTime> LastClaim() const;

 private:
  Metrics& metrics_;
  const std::string dispatcher_;
  Histogram& wait_seconds_;
  mutable std::mutex mutex_;  // guards everything below
  std::map<std::string, Histogram*, std::less<>>
      run_seconds_;  // by type; users name types, so only so many are kept apart
  std::string last_error_;
  std::optional<WallTime> last_claim_;
};

}  // namespace seedcore::queue

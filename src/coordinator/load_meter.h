#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <mutex>
#include <optional>

#include "base/env.h"

namespace seedcore::coordinator {

/// The last measurements of one kind, at most `kCapacity` and none older than the window. Not thread-safe.
class RecentValues {
 public:
  static constexpr std::size_t kCapacity = 128;

  explicit RecentValues(std::chrono::nanoseconds window) : window_(window) {}

  void Add(Instant now, double value);
  /// Absent when nothing was measured within the window.
  [[nodiscard]] std::optional<double> Mean(Instant now) const;
  /// The upper one of the two in the middle when their number is even.
  [[nodiscard]] std::optional<double> Median(Instant now) const;

 private:
  struct Sample {
    Instant at;
    double value = 0.0;
  };
  std::chrono::nanoseconds window_;
  std::array<Sample, kCapacity> samples_{};
  std::size_t next_ = 0;
  std::size_t size_ = 0;
};

/// What the coordinator has lately measured about itself. A window of a minute, so that a slow or failing spell is
/// forgotten and what it kept away is tried again. Thread-safe.
class LoadMeter {
 public:
  explicit LoadMeter(Env& env, std::chrono::nanoseconds window = std::chrono::minutes(1));

  void RecordVerdict(bool ocps_escalated);
  void RecordDecision(bool escalated);
  void RecordFastPath(std::chrono::nanoseconds took, bool success);
  void RecordEscalation(std::chrono::nanoseconds took, bool success);

  struct Reading {
    double p_fast = 1.0;
    std::optional<double> escalation_ratio;
    std::optional<double> fast_path_latency_ms;
    std::optional<double> hgnn_latency_ms;
    std::optional<double> success_rate;
  };
  [[nodiscard]] Reading Read() const;

 private:
  Env& env_;
  mutable std::mutex mutex_;  // guards everything below
  RecentValues verdicts_;
  RecentValues decisions_;
  RecentValues fast_ms_;
  RecentValues hgnn_ms_;
  RecentValues successes_;
};

}  // namespace seedcore::coordinator

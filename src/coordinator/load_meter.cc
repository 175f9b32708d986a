#include "coordinator/load_meter.h"

#include <algorithm>

namespace seedcore::coordinator {
namespace {

double Milliseconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

}  // namespace

void RecentValues::Add(Instant now, double value) {
  samples_[next_] = {now, value};
  next_ = (next_ + 1) % kCapacity;
  size_ = std::min(size_ + 1, kCapacity);
}

std::optional<double> RecentValues::Mean(Instant now) const {
  double sum = 0.0;
  std::size_t count = 0;
  for (std::size_t i = 0; i < size_; ++i) {
    if (now - samples_[i].at > window_) continue;
    sum += samples_[i].value;
    ++count;
  }
  if (count == 0) return std::nullopt;
  return sum / static_cast<double>(count);
}

std::optional<double> RecentValues::Median(Instant now) const {
  std::array<double, kCapacity> values;  // NOLINT: filled below as far as it is read
  std::size_t count = 0;
  for (std::size_t i = 0; i < size_; ++i) {
    if (now - samples_[i].at <= window_) values[count++] = samples_[i].value;
  }
  if (count == 0) return std::nullopt;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(count / 2);
  std::nth_element(values.begin(), middle, values.begin() + static_cast<std::ptrdiff_t>(count));
  return *middle;
}

LoadMeter::LoadMeter(Env& env, std::chrono::nanoseconds window)
    : env_(env), verdicts_(window), decisions_(window), fast_ms_(window), hgnn_ms_(window), successes_(window) {}

void LoadMeter::RecordVerdict(bool ocps_escalated) {
  const std::lock_guard lock(mutex_);
  verdicts_.Add(env_.Now(), ocps_escalated ? 0.0 : 1.0);
}

void LoadMeter::RecordDecision(bool escalated) {
  const std::lock_guard lock(mutex_);
  decisions_.Add(env_.Now(), escalated ? 1.0 : 0.0);
}

void LoadMeter::RecordFastPath(std::chrono::nanoseconds took, bool success) {
  const std::lock_guard lock(mutex_);
  fast_ms_.Add(env_.Now(), Milliseconds(took));
  successes_.Add(env_.Now(), success ? 1.0 : 0.0);
}

void LoadMeter::RecordEscalation(std::chrono::nanoseconds took, bool success) {
  const std::lock_guard lock(mutex_);
  hgnn_ms_.Add(env_.Now(), Milliseconds(took));
  successes_.Add(env_.Now(), success ? 1.0 : 0.0);
}

LoadMeter::Reading LoadMeter::Read() const {
  const std::lock_guard lock(mutex_);
  const Instant now = env_.Now();
  return {.p_fast = verdicts_.Mean(now).value_or(1.0),
          .escalation_ratio = decisions_.Mean(now),
          .fast_path_latency_ms = fast_ms_.Median(now),
          .hgnn_latency_ms = hgnn_ms_.Median(now),
          .success_rate = successes_.Mean(now)};
}

}  // namespace seedcore::coordinator

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace seedcore::ml {

/// The latest values of a series in a ring of fixed size; lag 0 is the newest value.
class ValueHistory {
 public:
  explicit ValueHistory(std::size_t capacity) : ring_(capacity) {}

  void Push(double value) {
    next_ = (next_ + 1) % ring_.size();
    ring_[next_] = value;
    size_ = std::min(size_ + 1, ring_.size());
  }

  [[nodiscard]] std::size_t size() const { return size_; }

  /// The value `lag` steps back; lags beyond the start give the oldest value kept. Precondition:
  /// size() > 0.
  [[nodiscard]] double At(std::size_t lag) const {
    const std::size_t back = std::min(lag, size_ - 1);
    return ring_[next_ >= back ? next_ - back : next_ + ring_.size() - back];
  }

  /// Mean of `length` values of which the newest is `lag` steps back. O(length): summing afresh
  /// leaves no rounding residue of huge values that have left the window. Preconditions: size() >
  /// lag, length > 0.
  [[nodiscard]] double Mean(std::size_t lag, std::size_t length) const {
    const std::size_t end = std::min(lag + length, size_);
    double sum = 0.0;
    for (std::size_t i = lag; i < end; ++i) sum += At(i);
    return sum / static_cast<double>(end - lag);
  }

  /// Mean absolute deviation of the same values from their mean. O(length).
  [[nodiscard]] double MeanDeviation(std::size_t lag, std::size_t length) const {
    const double mean = Mean(lag, length);
    const std::size_t end = std::min(lag + length, size_);
    double sum = 0.0;
    for (std::size_t i = lag; i < end; ++i) sum += std::abs(At(i) - mean);
    return sum / static_cast<double>(end - lag);
  }

 private:
  std::vector<double> ring_;
  std::size_t next_ = 0;
  std::size_t size_ = 0;
};

}  // namespace seedcore::ml

#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace seedcore::ml {

/// The last `window` values in ascending order. O(window) moves of doubles per step, constant memory.
class SlidingOrder {
 public:
  explicit SlidingOrder(std::size_t window);

  /// Adds the value; the oldest leaves when the window is full.
  void Push(double value);

  [[nodiscard]] std::size_t size() const { return sorted_.size(); }
  [[nodiscard]] std::span<const double> ascending() const { return sorted_; }
  /// The k-th largest value, from 0. Precondition: k < size().
  [[nodiscard]] double Largest(std::size_t k) const { return sorted_[sorted_.size() - 1 - k]; }
  /// The upper one of the two in the middle when their number is even. Precondition: size() > 0.
  [[nodiscard]] double Median() const { return sorted_[sorted_.size() / 2]; }

 private:
  std::size_t window_;
  std::vector<double> sorted_;
  std::vector<double> by_age_;
  std::size_t oldest_ = 0;
};

}  // namespace seedcore::ml

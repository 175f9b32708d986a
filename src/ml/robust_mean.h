#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace seedcore::ml {

/// Exponentially weighted mean and mean absolute deviation with a bounded influence of single
/// values.
///
/// The weight of a new value is max(rate, 1/n), so the start is a plain average. From the 16th
/// value on the innovation is clipped at `kClip` deviations (Huber 1964), so that one absurd value
/// cannot move the mean for the rest of the series; the deviation grows geometrically under
/// repeated clipping, so a lasting change is still followed.
class RobustMean {
 public:
  explicit RobustMean(double rate) : rate_(rate) {}

  void Learn(double value) {
    const double innovation = value - mean_;
    const double limit = count_ < kUnclipped ? std::numeric_limits<double>::infinity() : kClip * Deviation();
    const double clipped = std::clamp(innovation, -limit, limit);
    ++count_;
    const double weight = std::max(rate_, 1.0 / static_cast<double>(count_));
    mean_ += weight * clipped;
    // The first innovation is the distance to the arbitrary starting mean, not a deviation.
    if (count_ == 1) return;
    const double deviation_weight = std::max(rate_, 1.0 / static_cast<double>(count_ - 1));
    deviation_ += deviation_weight * (std::abs(clipped) - deviation_);
  }

  [[nodiscard]] double mean() const { return mean_; }
  [[nodiscard]] std::uint64_t count() const { return count_; }

  /// Mean absolute deviation from the mean in the units of the values, never 0: at least 1e-9 of
  /// the mean.
  [[nodiscard]] double Deviation() const { return std::max({deviation_, 1e-9 * std::abs(mean_), kLeastDeviation}); }

 private:
  static constexpr double kClip = 100.0;
  static constexpr double kLeastDeviation = 1e-300;
  static constexpr std::uint64_t kUnclipped = 16;

  double rate_;
  double mean_ = 0.0;
  double deviation_ = 0.0;
  std::uint64_t count_ = 0;
};

}  // namespace seedcore::ml

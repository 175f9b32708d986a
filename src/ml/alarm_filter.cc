#include "ml/alarm_filter.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace seedcore::ml {
namespace {

constexpr double kBinsPerUnit = 4.0;
/// A point must beat the decayed alarm by this factor: evidence that merely keeps rising is the
/// same event.
constexpr double kRenewal = 1.1;
constexpr double kHabituation = 0.25;

std::size_t BinOf(double strength, std::size_t bins) {
  return static_cast<std::size_t>(std::min(strength * kBinsPerUnit, static_cast<double>(bins - 1)));
}

}  // namespace

double AlarmFilter::Admit(double strength) {
  ++now_;
  double needed = 0.0;
  if (quiet_period_ > 0) {
    const double elapsed = static_cast<double>(now_ - alarm_at_);
    const double share = 1.0 - elapsed / static_cast<double>(quiet_period_);
    needed = kRenewal * alarm_strength_ * std::max(0.0, share);
  }
  if (strength <= needed) return 0.0;
  alarm_strength_ = strength;
  alarm_at_ = now_;
  UpdateEpisode(strength);
  const auto as_strong = earlier_episodes_.begin() + static_cast<std::ptrdiff_t>(BinOf(strength, kBins));
  const auto rank = std::accumulate(as_strong, earlier_episodes_.end(), std::uint64_t{0});
  return std::max(0.0, strength - kHabituation * std::log2(1.0 + static_cast<double>(rank)));
}

void AlarmFilter::UpdateEpisode(double strength) {
  if (episode_strength_ > 0.0 && now_ - episode_start_ < quiet_period_) {
    episode_strength_ = std::max(episode_strength_, strength);
    return;
  }
  if (episode_strength_ > 0.0) ++earlier_episodes_[BinOf(episode_strength_, kBins)];
  episode_strength_ = strength;
  episode_start_ = now_;
}

}  // namespace seedcore::ml

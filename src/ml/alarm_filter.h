#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace seedcore::ml {

/// Turns the strength of the evidence at each point into the strength of an alarm: one event raises
/// one alarm, and events of a kind that keeps coming back raise weaker ones.
///
/// Refractory period: after an alarm a point must exceed 1.1 times the alarm's strength, which
/// decays linearly to nothing over the quiet period. Habituation: an alarm loses 0.25 log2(1 +
/// rank), where rank is the number of earlier episodes at least as strong and an episode is the
/// strongest evidence of one quiet period. Constant memory, O(1).
class AlarmFilter {
 public:
  /// `quiet_period` is in points; 0 turns the refractory period off.
  explicit AlarmFilter(std::size_t quiet_period) : quiet_period_(quiet_period) {}

  /// Strength of the alarm at the next point, 0 for none. Precondition: strength >= 0.
  double Admit(double strength);

 private:
  static constexpr std::size_t kBins = 128;

  void UpdateEpisode(double strength);

  std::size_t quiet_period_;
  std::uint64_t now_ = 0;
  double alarm_strength_ = 0.0;
  std::uint64_t alarm_at_ = 0;
  double episode_strength_ = 0.0;
  std::uint64_t episode_start_ = 0;
  std::array<std::uint32_t, kBins> earlier_episodes_{};  ///< By strength, in quarter units.
};

}  // namespace seedcore::ml

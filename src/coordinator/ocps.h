#pragma once

#include <cstdint>

#include "base/json_binding.h"

namespace seedcore::coordinator {

struct OcpsSettings {
  double slack = 0.1;      ///< drift per observation that is taken as normal
  double threshold = 0.5;  ///< OCPS_DRIFT_THRESHOLD
};

/// What one valve has seen; stored per stream.
struct OcpsState {
  double cusum = 0.0;
  std::int64_t fast = 0;
  std::int64_t escalated = 0;

  /// Share of the observations that did not escalate; 1 when there were none.
  [[nodiscard]] double PFast() const;

  static constexpr auto kFields =
      Fields(Required("cusum", &OcpsState::cusum, "Accumulated excess drift since the last escalation"),
             Required("fast", &OcpsState::fast, "Observations that did not escalate"),
             Required("escalated", &OcpsState::escalated, "Observations that did"));
  [[nodiscard]] Result<void> Validate() const;
};

/// Cumulative-sum drift valve (Page 1954): S <- max(0, S + drift - slack); above the threshold it escalates and S
/// restarts at 0. Pure: no clock, no I/O.
class OcpsValve {
 public:
  explicit OcpsValve(OcpsSettings settings, OcpsState state = {}) : settings_(settings), state_(state) {}

  /// `drift` in [0, inf), dimensionless. Returns whether this observation escalates. A drift that is not finite is no
  /// observation: nothing changes.
  bool Update(double drift);

  [[nodiscard]] const OcpsState& state() const { return state_; }

 private:
  OcpsSettings settings_;
  OcpsState state_;
};

}  // namespace seedcore::coordinator

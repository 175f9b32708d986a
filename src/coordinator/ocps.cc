#include "coordinator/ocps.h"

#include <algorithm>
#include <cmath>

namespace seedcore::coordinator {

double OcpsState::PFast() const {
  const double all = static_cast<double>(fast) + static_cast<double>(escalated);
  return all == 0.0 ? 1.0 : static_cast<double>(fast) / all;
}

Result<void> OcpsState::Validate() const {
  if (!(cusum >= 0.0)) return Fail(ErrorCode::kInvalidArgument, "must not be negative", "cusum");
  if (fast < 0) return Fail(ErrorCode::kInvalidArgument, "must not be negative", "fast");
  if (escalated < 0) return Fail(ErrorCode::kInvalidArgument, "must not be negative", "escalated");
  return {};
}

bool OcpsValve::Update(double drift) {
  if (!std::isfinite(drift)) return false;
  state_.cusum = std::max(0.0, state_.cusum + drift - settings_.slack);
  if (state_.cusum <= settings_.threshold) {
    ++state_.fast;
    return false;
  }
  state_.cusum = 0.0;
  ++state_.escalated;
  return true;
}

}  // namespace seedcore::coordinator

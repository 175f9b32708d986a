#pragma once

#include <cstddef>

#include "base/result.h"
#include "store/store.h"

namespace seedcore::store {

/// kInvalidArgument with the path of what is wrong.
[[nodiscard]] Result<void> CheckClaim(const ClaimRequest& request);

[[nodiscard]] inline bool TakesEveryType(const ClaimRequest& request) {
  return request.types.empty() && request.except.empty();
}

/// Whether a claim of `claimed` tasks, which has made tasks claimable that had come due, may have left some of them: of
/// other types, or beyond its limit. Those who looked before have found nothing and no time to wait for, so they are
/// told.
[[nodiscard]] bool MayLeaveDue(const ClaimRequest& request, std::size_t claimed);

}  // namespace seedcore::store

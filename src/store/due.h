#pragma once

#include <cstddef>
#include <utility>

#include "store/store.h"

namespace seedcore::store {

/// Whether a claim of `claimed` tasks, which has made tasks claimable that had come due, may have left some of them: of
/// other types, or beyond its limit. Those who looked before have found nothing and no time to wait for, so they are
/// told.
[[nodiscard]] inline bool MayLeaveDue(const ClaimRequest& request, std::size_t claimed) {
  return !request.types.empty() || claimed == 0 || std::cmp_greater_equal(claimed, request.limit);
}

}  // namespace seedcore::store

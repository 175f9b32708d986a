#include "store/claim_rules.h"

#include <utility>

namespace seedcore::store {

Result<void> CheckClaim(const ClaimRequest& request) {
  if (request.limit < 1) return Fail(ErrorCode::kInvalidArgument, "a claim asks for at least one task", "limit");
  if (request.owner_id.empty()) return Fail(ErrorCode::kInvalidArgument, "a claim names its owner", "owner_id");
  if (!request.types.empty() && !request.except.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "a claim names the types that it takes or those that it leaves", "except");
  }
  return {};
}

bool MayLeaveDue(const ClaimRequest& request, std::size_t claimed) {
  return !TakesEveryType(request) || claimed == 0 || std::cmp_greater_equal(claimed, request.limit);
}

}  // namespace seedcore::store

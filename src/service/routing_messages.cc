#include "service/routing_messages.h"

#include <cstddef>

#include <fmt/format.h>

namespace seedcore::service {
namespace {

constexpr std::size_t kMaxRouteQueries = 1000;

}  // namespace

Result<void> ResolveRoutesRequest::Validate() const {
  if (tasks.size() <= kMaxRouteQueries) return {};
  return Fail(ErrorCode::kInvalidArgument, fmt::format("more than {} tasks", kMaxRouteQueries), "tasks");
}

}  // namespace seedcore::service

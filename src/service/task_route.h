#pragma once

#include <chrono>

#include "base/call_context.h"
#include "queue/handler.h"
#include "service/coordinator_types.h"

/// A stored task on its way to the coordinator and back, whether it is routed in this process or in another.
namespace seedcore::service {

/// The task as a request. The stored form has no place of its own for features and earlier tasks: they are in params.
/// Effects come back in the response.
[[nodiscard]] RouteRequest RouteRequestOf(const store::Task& task, const CallContext& call);

/// What the dispatcher writes: the result with its effects, a hold, a retry after `retry_delay`, or the failure.
[[nodiscard]] queue::TaskOutcome OutcomeOf(Result<RouteResponse> response, std::chrono::milliseconds retry_delay);

}  // namespace seedcore::service

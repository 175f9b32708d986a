#pragma once

#include <chrono>

#include "app/foundation.h"
#include "queue/handler.h"

namespace seedcore::app {

/// Executes a task by the coordinator behind `peers`, wherever that is. While no coordinator takes it (none deployed,
/// none answers, all busy), the call is repeated under the same idempotency key until the deadline of the execution:
/// a gateway that is away for a while uses up no attempts. `peers` and `env` outlive the handler. `retry_delay` is the
/// wait of a task that a rule sends back.
[[nodiscard]] queue::TaskHandler ExecuteThrough(const Peers& peers, Env& env, std::chrono::milliseconds retry_delay);

}  // namespace seedcore::app

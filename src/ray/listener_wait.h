#pragma once

#include <chrono>
#include <string_view>

#include "base/call_context.h"
#include "base/env.h"
#include "base/result.h"
#include "net/target.h"

/// Waiting for a cluster that is not there yet.
namespace seedcore::ray {

inline constexpr const char* kConnectPatienceVariable = "SEEDCORE_RAY_CONNECT_TIMEOUT_S";

/// What that variable says, as `ensure_ray_initialized` reads it: seconds, 0 to 3600; 30 when it is blank.
[[nodiscard]] Result<std::chrono::milliseconds> ConnectPatience(std::string_view text);

/// Looks until something accepts connections at `where`; false at the deadline of `call`, or when it is stopped. Looks
/// once in any case.
[[nodiscard]] bool AwaitListener(const net::HostPort& where, const CallContext& call, Env& env);

}  // namespace seedcore::ray

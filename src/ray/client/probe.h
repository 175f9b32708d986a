#pragma once

#include "base/call_context.h"
#include "ray/client/grpc_channel.h"
#include "ray/client/ray_client.h"

namespace seedcore::ray {

/// "HOST:PORT" out of "HOST:PORT" or "ray://HOST:PORT". kInvalidArgument for anything else, with what to write instead.
[[nodiscard]] Result<std::string> ClientAddress(std::string_view address);

/// Pings the server; when that fails, finds out why. `address` is what ClientAddress returned.
[[nodiscard]] Result<void> Probe(GrpcChannel& channel, const std::string& address, const RayClientOptions& options,
                                 Env& env, const CallContext& call);

}  // namespace seedcore::ray

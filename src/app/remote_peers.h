#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "app/direct_lane.h"
#include "app/foundation.h"
#include "app/replica_directory.h"
#include "base/env.h"
#include "settings/settings.h"

namespace seedcore::app {

/// How calls reach the listeners of replicas. `directory` outlives the peers.
struct DirectLanes {
  ReplicaDirectory* directory = nullptr;
  std::string token;
  LaneTimeouts timeouts{};
};

/// Binds `peers` to the services behind one gateway, "http://HOST:PORT": each with its own connections and its own
/// circuit breaker, so that one that is down does not shut off the others. Calls carry deadline, token, request id,
/// trace and an idempotency key, and are repeated when the gateway or a replica fails. With `lanes` they go to a live
/// replica's own listener where one is known, and through the gateway otherwise. kInvalidArgument: no URL.
[[nodiscard]] Result<void> BindRemotePeers(const Peers& peers, const std::string& gateway_url,
                                           const settings::ClientSettings& settings, Env& env,
                                           const std::optional<DirectLanes>& lanes = std::nullopt);

/// Where the services are: `given`, else what the connection plan says (docs/ray-connection.md). kInvalidArgument: the
/// environment contradicts itself.
[[nodiscard]] Result<std::string> GatewayUrl(const std::string& given, const settings::Settings& settings, Env& env);

}  // namespace seedcore::app

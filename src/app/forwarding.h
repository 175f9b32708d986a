#pragma once

#include <memory>
#include <vector>

#include "app/foundation.h"
#include "app/replica_directory.h"
#include "base/result.h"
#include "net/http.h"
#include "settings/settings.h"

namespace seedcore::app {

/// The routes of the six services, forwarded to live replicas' own listeners, and what is known of these: what the
/// gateway serves, and the platform whose services are elsewhere. docs/gateway.md has the rules.
class Forwarding {
 public:
  /// Reads the registry once, and goes on by itself. kInvalidArgument: the cluster token. `foundation` outlives it.
  [[nodiscard]] static Result<std::unique_ptr<Forwarding>> Start(const settings::Settings& settings,
                                                                 Foundation& foundation);
  ~Forwarding() { Stop(); }
  Forwarding(const Forwarding&) = delete;
  Forwarding& operator=(const Forwarding&) = delete;

  /// Those of the operation tables, `/health` (503 while no service has a replica) and `/-/routes`, the replicas as
  /// they are seen from here. They use this object.
  [[nodiscard]] std::vector<net::Route> Routes();
  /// Reads the registry now.
  [[nodiscard]] Result<void> Refresh() { return directory_.Refresh(); }
  void Stop() { directory_.Stop(); }

 private:
  Forwarding(const settings::Settings& settings, Foundation& foundation, std::string token);
  [[nodiscard]] net::Response Health() const;
  [[nodiscard]] net::Response Replicas() const;

  const settings::GatewaySettings settings_;
  Foundation& foundation_;
  const std::string token_;
  ReplicaDirectory directory_;
};

}  // namespace seedcore::app

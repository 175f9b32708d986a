#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "app/foundation.h"
#include "app/replica_directory.h"
#include "base/result.h"
#include "net/http.h"
#include "settings/settings.h"

namespace seedcore::app {

/// The routes of the six services, forwarded to live replicas' own listeners, and what is known of these: what the
/// gateway serves, the platform whose services are elsewhere, and every replica beside its own service. docs/gateway.md
/// has the rules.
class Forwarding {
 public:
  /// Reads the registry once, and goes on by itself. kInvalidArgument: the cluster token. `foundation` outlives it.
  [[nodiscard]] static Result<std::unique_ptr<Forwarding>> Start(const settings::Settings& settings,
                                                                 Foundation& foundation);
  /// Over a directory that others use, too; it is theirs to start and to stop. Both outlive it.
  [[nodiscard]] static Result<std::unique_ptr<Forwarding>> Over(ReplicaDirectory& directory,
                                                                const settings::Settings& settings,
                                                                Foundation& foundation);
  ~Forwarding() { Stop(); }
  Forwarding(const Forwarding&) = delete;
  Forwarding& operator=(const Forwarding&) = delete;

  /// Those of the operation tables, without those of the service `except`; `/health` (503 while no service has a
  /// replica), and `/-/routes`, the replicas as they are seen from here. They use this object.
  [[nodiscard]] std::vector<net::Route> Routes(std::string_view except = {});
  /// Has routes of `service` that are answered here, but for streams, answered by its other replicas whenever
  /// `forwards` says so, which I/O threads ask.
  void ForwardWhen(std::vector<net::Route>& routes, std::string_view service, const std::function<bool()>& forwards);
  /// Reads the registry now.
  [[nodiscard]] Result<void> Refresh() { return directory_.Refresh(); }
  void Stop() {
    if (own_) own_->Stop();
  }

 private:
  Forwarding(const settings::Settings& settings, Foundation& foundation, std::string token,
             std::unique_ptr<ReplicaDirectory> own, ReplicaDirectory& directory);
  [[nodiscard]] std::shared_ptr<net::Forwarder> To(std::string_view service);
  [[nodiscard]] net::Response Health() const;
  [[nodiscard]] net::Response Replicas() const;

  const settings::GatewaySettings gateway_;
  const settings::DirectSettings direct_;
  Foundation& foundation_;
  const std::string token_;
  const std::unique_ptr<ReplicaDirectory> own_;  // null: somebody else's
  ReplicaDirectory& directory_;
};

}  // namespace seedcore::app

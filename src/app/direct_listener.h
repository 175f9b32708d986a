#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "app/foundation.h"
#include "app/listener_presence.h"
#include "app/service_unit.h"
#include "net/server.h"
#include "settings/settings.h"

namespace seedcore::app {

/// Where a replica runs, for the registry; what is empty is left out.
struct ReplicaPlace {
  std::string node_id;
  std::string node_ip;
};

/// What a listener is registered as, and who may call it.
struct ListenerIdentity {
  std::string logical_id;                 ///< "service:energy"
  std::string actor_name;                 ///< "energy"
  std::string service;                    ///< likewise
  std::string serve_route;                ///< "/energy"
  std::vector<std::string> api_tokens{};  ///< clients' tokens that it takes beside the cluster token
};
[[nodiscard]] ListenerIdentity IdentityOf(const ServiceKind& kind);

/// A replica's own server beside Ray Serve: routes on a port of its own, for gateways and for other services, with the
/// cluster token as the credential. Registered for as long as it takes requests. From one thread.
class DirectListener {
 public:
  /// Listens and registers. kInvalidArgument: an address that may not be used, or that others could not reach.
  /// `foundation` outlives it.
  [[nodiscard]] static Result<std::unique_ptr<DirectListener>> Start(const settings::Settings& settings,
                                                                     const ListenerIdentity& identity,
                                                                     const ReplicaPlace& place,
                                                                     std::vector<net::Route> routes,
                                                                     Foundation& foundation);
  /// As Stop without patience.
  ~DirectListener();
  DirectListener(const DirectListener&) = delete;
  DirectListener& operator=(const DirectListener&) = delete;

  /// HOST:PORT as registered.
  [[nodiscard]] const std::string& address() const { return address_; }
  /// Any thread.
  [[nodiscard]] std::size_t InFlight() const { return server_->InFlight(); }
  /// Whether others can still come in: as Server::CheckAlive. Not once it was stopped.
  [[nodiscard]] Result<void> CheckAlive();
  /// Says that it drains, in the registry; requests are taken all the same. Idempotent.
  void SayDraining() { presence_->Drain(); }
  /// Says that it drains and gives others up to `notice` to see it, out of `patience` for everything; then lets
  /// requests under way finish. Idempotent.
  void Stop(std::chrono::milliseconds notice, std::chrono::milliseconds patience);

 private:
  DirectListener(std::unique_ptr<net::Server> server, std::unique_ptr<ListenerPresence> presence, std::string address,
                 Env& env);

  Env& env_;
  const std::string address_;
  std::unique_ptr<net::Server> server_;
  std::unique_ptr<ListenerPresence> presence_;
};

}  // namespace seedcore::app

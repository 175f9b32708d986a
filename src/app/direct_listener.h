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

/// A replica's own server beside Ray Serve: the same routes on a port of its own, for gateways and for other services,
/// with the cluster token as its only credential. Registered for as long as it takes requests. From one thread.
class DirectListener {
 public:
  /// Listens and registers. kInvalidArgument: an address that may not be used, or that others could not reach.
  /// `foundation` outlives it.
  [[nodiscard]] static Result<std::unique_ptr<DirectListener>> Start(const settings::Settings& settings,
                                                                     const ServiceKind& kind, const ReplicaPlace& place,
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

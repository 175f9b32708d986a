#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/metrics.h"
#include "net/auth.h"
#include "net/http.h"
#include "net/limits.h"
#include "net/target.h"

namespace seedcore::net {

struct ServerOptions {
  std::vector<std::string> listen = {"127.0.0.1:0"};  ///< HOST:PORT per listener; port 0 takes a free one
  ServerLimits limits;
  AuthPolicy auth;
  bool insecure_no_auth = false;                  ///< allows other than loopback addresses without tokens
  std::vector<std::string> cors_allowed_origins;  ///< "https://host:port" as browsers send it, or "*"; empty: no CORS
};

/// HTTP/1.1 server: event loops that parse and write, and a bounded worker pool for handlers that block.
///
///     Server server(options, RealEnv(), metrics);
///     SEEDCORE_RETURN_IF_ERROR(server.AddRoutes(0, routes));
///     SEEDCORE_RETURN_IF_ERROR(server.Start());
///     ...
///     server.Stop(std::chrono::seconds(10));
///
/// Every response carries X-Request-ID. All methods from one thread; handlers run on others.
class Server {
 public:
  /// `env` and `metrics` outlive the server.
  Server(ServerOptions options, Env& env, Metrics& metrics);
  /// Stops without draining if Stop() was not called.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  /// Routes of the `listener`-th address. Only before Start. Fails on a bad pattern or a duplicate.
  [[nodiscard]] Result<void> AddRoutes(std::size_t listener, std::vector<Route> routes);
  /// Takes the addresses and answers nobody yet: who connects waits for Start. For those whose handlers need what is
  /// made only once the addresses are had. kInvalidArgument for an address that is none or may not be used (CheckBind),
  /// kUnavailable when it is taken.
  [[nodiscard]] Result<void> Bind();
  /// Begins to serve; binds before, where Bind was not called, with its errors.
  [[nodiscard]] Result<void> Start();
  /// What the listeners are bound to, in the order of ServerOptions::listen. After Bind or Start.
  [[nodiscard]] const std::vector<HostPort>& endpoints() const;
  /// Opens the first listener to processes of this host once more, by a Unix socket named after `where`, the TCP
  /// address that they know it by (same_host.h). kUnavailable when the name is taken. Once, after Start.
  [[nodiscard]] Result<void> ListenOnSameHost(const HostPort& where);
  /// Requests that wait for a worker, are being handled, streamed or forwarded. Any thread.
  [[nodiscard]] std::size_t InFlight() const;
  /// Whether it still serves, however much it has to do: its event loops run what they are given within `patience`, its
  /// TCP listeners listen, and workers come back from their requests. kUnavailable says which of them does not.
  [[nodiscard]] Result<void> CheckAlive(std::chrono::milliseconds patience);
  /// Refuses new connections, closes idle ones and streams, lets requests under way finish, and cuts what is left after
  /// `drain`. Returns when every handler has returned: one that ignores its call's stop token and deadline holds it up.
  /// Idempotent.
  void Stop(std::chrono::milliseconds drain);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace seedcore::net

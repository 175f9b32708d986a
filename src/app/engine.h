#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "app/direct_listener.h"
#include "app/forwarding.h"
#include "app/foundation.h"
#include "app/replica_directory.h"
#include "app/service_unit.h"
#include "net/local_server.h"
#include "queue/progress_keeper.h"

namespace seedcore::app {

struct EngineOptions {
  std::string service;        ///< ml, cognitive, coordinator, state, energy or organism
  std::string gateway_url;    ///< where the other services are; empty: GatewayUrl() decides
  json::object user_config;   ///< settings that win over the environment; see FlagsFromUserConfig
  std::string settings_file;  ///< YAML, below the environment; empty: none
  ReplicaPlace place{};       ///< where Ray runs it
  int hosts = 1;              ///< hosts on which replicas of the cluster may run; see several_hosts.h
};

/// A request as ASGI hands it over.
struct EngineRequest {
  std::string method;
  std::string raw_path;   ///< percent-encoded, mount point included: "/ml/drift/score"
  std::string root_path;  ///< the mount point: "/ml"; empty: the path is as in the operation table
  std::string query;      ///< encoded, without the question mark
  net::Headers headers;
  std::string body;
  std::string peer;
};

/// What one Ray Serve replica holds: one service on the shared store, its peers, the server without sockets in front
/// that Serve's requests go through, and beside it a listener of its own (settings: direct.*) that the native gateway,
/// other services and clients use. The listener answers all six prefixes: the own one in place, and from the moment it
/// drains by other replicas if there are any; the others by live replicas (Forwarding). Knows nothing of Python or Ray.
/// Thread-safe.
class ServiceEngine {
 public:
  /// kInvalidArgument: no such service, a setting is wrong, SQLite on several hosts. kUnavailable, kCorrupt: the store.
  /// `env` outlives it.
  [[nodiscard]] static Result<std::unique_ptr<ServiceEngine>> Start(EngineOptions options, Env& env);
  /// Drains without patience.
  ~ServiceEngine();
  ServiceEngine(const ServiceEngine&) = delete;
  ServiceEngine& operator=(const ServiceEngine&) = delete;

  /// As LocalServer::Handle.
  net::LocalServer::Pending Handle(EngineRequest request, std::function<void()> wake, net::LocalServer::Done done);

  /// Whether this replica can do its work, so that replacing it would help: it has not been stopped, its workers and
  /// its own listener work, the store can be read and written. Too much load is no reason, nor is a Drain or
  /// Reconfigure under way: then the store alone is asked. Other services do not count; one that is down must not take
  /// its callers with it. kUnavailable says what is wrong. Blocks for one transaction.
  [[nodiscard]] Result<void> CheckHealth();

  /// Puts another user_config in force: the service is built anew with it and takes the next request, those under way
  /// finish with the old one. A singleton stops first, and is briefly unavailable. On an error everything stays as it
  /// was. kInvalidArgument also for what is fixed while the engine runs; see fixed_settings.h.
  [[nodiscard]] Result<void> Reconfigure(const json::object& user_config);

  /// Refuses new requests, lets those under way finish within `patience`, stops the service and saves what it knows.
  /// Returns whether all finished in time. Idempotent.
  bool Drain(std::chrono::milliseconds patience);

  [[nodiscard]] const ServiceKind& kind() const { return kind_; }
  /// Requests of both ways.
  [[nodiscard]] std::size_t InFlight() const { return server_->InFlight() + DirectInFlight(); }
  [[nodiscard]] std::size_t DirectInFlight() const { return direct_ ? direct_->InFlight() : 0; }
  /// HOST:PORT of its own listener; empty when it has none.
  [[nodiscard]] std::string DirectAddress() const { return direct_ ? direct_->address() : std::string(); }
  /// In the Prometheus text format.
  [[nodiscard]] std::string MetricsText() const { return foundation_->metrics.Expose(); }

 private:
  struct Live;
  ServiceEngine(EngineOptions options, const ServiceKind& kind, Env& env);
  [[nodiscard]] Result<settings::Settings> LoadSettings(const json::object& user_config) const;
  [[nodiscard]] Result<std::shared_ptr<Live>> Build(settings::Settings settings) const;
  [[nodiscard]] Result<void> Open();
  [[nodiscard]] Result<void> BindPeers(const settings::Settings& settings, const std::string& gateway);
  [[nodiscard]] std::shared_ptr<Live> Current();
  [[nodiscard]] Result<void> Listen();
  [[nodiscard]] std::vector<net::Route> DirectRoutes();
  [[nodiscard]] Result<void> CheckServers();
  [[nodiscard]] CallContext StopCall() const;

  const EngineOptions options_;
  const ServiceKind& kind_;
  Env& env_;
  std::unique_ptr<Foundation> foundation_;
  std::unique_ptr<queue::ProgressKeeper> progress_;  // of tasks that are claimed elsewhere and executed here
  std::unique_ptr<ReplicaDirectory> directory_;      // null: nobody else's listener is used
  std::unique_ptr<Forwarding> forwarding_;           // null: the own listener answers for the own service alone
  std::atomic<bool> draining_ = false;

  std::mutex change_mutex_;  // one Reconfigure or Drain at a time
  bool drained_ = false;     // guarded by change_mutex_

  std::mutex live_mutex_;  // guards live_
  std::shared_ptr<Live> live_;

  std::unique_ptr<net::LocalServer> server_;  // last but one: its requests use all of the above
  std::unique_ptr<DirectListener> direct_;    // likewise; null: switched off
};

}  // namespace seedcore::app

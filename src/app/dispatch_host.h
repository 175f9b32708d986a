#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "app/dispatch_unit.h"
#include "app/external_types.h"
#include "app/foundation.h"
#include "app/graph_worker.h"
#include "app/replica_directory.h"
#include "base/json_binding.h"
#include "net/server.h"

namespace seedcore::app {

class DispatchControl;

struct DispatchHostOptions {
  std::string role = "queue";        ///< queue, graph or reaper
  std::string name;                  ///< in the registry, metrics and logs; empty: role, host and process id
  std::string gateway_url;           ///< where the services are; empty: GatewayUrl() decides
  std::string node_id;               ///< where this runs, for the registry; empty: the host name
  std::string ip_address;            ///< likewise; empty: not known
  std::vector<std::string> types{};  ///< claim only these; empty: whatever the role is for
  int hosts = 1;                     ///< hosts on which parties of this store run: beyond one it has to be PostgreSQL
};

/// What a host is doing, for health and the command line.
struct DispatchHostStatus {
  std::string role;
  std::string name;
  std::string state;
  std::string store_backend;
  std::string store_location;
  std::string services;
  int pid = 0;
  WallTime started_at;
  std::string instance_id;
  std::string epoch;
  std::string heartbeat_error;
  std::string address;
  std::optional<queue::DispatcherStatus> dispatcher;
  std::optional<queue::ReaperStatus> reaper;
  std::optional<queue::SchedulerStatus> scheduler;
  static constexpr auto kFields =
      Fields(Required("role", &DispatchHostStatus::role, "queue, graph or reaper"),
             Required("name", &DispatchHostStatus::name, "Name in the registry"),
             Required("state", &DispatchHostStatus::state, "running, draining or stopped"),
             Required("store_backend", &DispatchHostStatus::store_backend, "sqlite or postgresql"),
             Required("store_location", &DispatchHostStatus::store_location, "Path or redacted DSN"),
             Required("services", &DispatchHostStatus::services,
                      "Where tasks are executed; empty when they are executed here, and for a reaper"),
             Required("pid", &DispatchHostStatus::pid, "Process"),
             Required("started_at", &DispatchHostStatus::started_at, "When this host started"),
             Sparse("instance_id", &DispatchHostStatus::instance_id, "Instance in the registry, while it is there"),
             Sparse("epoch", &DispatchHostStatus::epoch, "Cluster epoch of it"),
             Sparse("heartbeat_error", &DispatchHostStatus::heartbeat_error, "Why the last heartbeat failed"),
             Sparse("address", &DispatchHostStatus::address, "HOST:PORT of its own listener"),
             Sparse("dispatcher", &DispatchHostStatus::dispatcher, "Of the roles queue and graph"),
             Sparse("reaper", &DispatchHostStatus::reaper, "Of the role reaper"),
             Sparse("scheduler", &DispatchHostStatus::scheduler, "Fires the schedules; of the role reaper"));
};

/// How one task of a proof ended.
struct ProvenTask {
  std::string id;
  std::string status;
  std::string owner_id;
  std::string error;
  static constexpr auto kFields =
      Fields(Required("id", &ProvenTask::id, "Task"), Required("status", &ProvenTask::status, "As the task API has it"),
             Required("owner_id", &ProvenTask::owner_id, "Who completed it; empty: nobody"),
             Required("error", &ProvenTask::error, "Why not"));
};

/// A dispatcher or a reaper over a shared store in a process that hosts no services. Of the role queue: each task is
/// executed by the coordinator, straight at a live replica where the registry knows one, behind a gateway otherwise. Of
/// the role graph: it claims graph tasks alone, by the same claim, and executes them itself, since all they need is the
/// store. It listens itself (DispatchControl) with the cluster token as the only credential, registered under its name.
/// Any number of them share a store; SQLite only on one host. Knows nothing of Python or Ray. Thread-safe.
class DispatchHost {
 public:
  /// Runs on return; the services need not be there yet. kInvalidArgument: no such role, a setting is wrong, or SQLite
  /// on several hosts. kUnavailable, kCorrupt: the store. `env` outlives it.
  [[nodiscard]] static Result<std::unique_ptr<DispatchHost>> Start(DispatchHostOptions options,
                                                                   settings::Settings settings, Env& env);
  /// Drains without patience.
  ~DispatchHost();
  DispatchHost(const DispatchHost&) = delete;
  DispatchHost& operator=(const DispatchHost&) = delete;

  /// Reads no store.
  [[nodiscard]] DispatchHostStatus Status() const;
  /// Writes and reads it. kUnavailable: why not.
  [[nodiscard]] Result<void> CheckStore();

  /// Submits `count` (1..1024) tasks of type health_check, or graph_sync_nodes in the role graph, and waits, `patience`
  /// at most, until whatever dispatchers there are have executed them. Those that are not finished by then are
  /// cancelled. Errors: the store.
  [[nodiscard]] Result<std::vector<ProvenTask>> Prove(int count, std::chrono::milliseconds patience);

  /// Claims nothing more, lets running tasks finish within `patience`, hands back the rest. Idempotent; a second call
  /// waits for the first. Status and Prove work on.
  void Drain(std::chrono::milliseconds patience);

 private:
  DispatchHost(DispatchHostOptions options, settings::Settings settings, Env& env);
  [[nodiscard]] Result<void> Open();
  [[nodiscard]] bool IsLocalOnly() const;
  [[nodiscard]] Result<void> BindServices();
  [[nodiscard]] Result<void> Listen();
  [[nodiscard]] Result<ProvenTask> LookAt(const std::string& task_id);

  DispatchHostOptions options_;
  const settings::Settings settings_;
  Env& env_;
  const WallTime started_at_;
  std::string gateway_;
  std::string store_backend_;
  std::string store_location_;
  std::unique_ptr<Foundation> foundation_;
  std::unique_ptr<ReplicaDirectory> directory_;
  std::unique_ptr<GraphWorker> graph_;              ///< of the role graph
  std::unique_ptr<RemoteExecutables> executables_;  ///< of the role queue
  std::unique_ptr<ExternalTypes> external_types_;   ///< likewise
  std::unique_ptr<DispatchUnit> unit_;
  std::mutex drain_mutex_;  // held while draining
  std::atomic<const char*> state_{"running"};
  std::string address_;
  std::unique_ptr<DispatchControl> control_;
  std::unique_ptr<net::Server> listener_;  // last: its requests use all of the above
};

}  // namespace seedcore::app

#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "app/direct_listener.h"
#include "app/foundation.h"
#include "app/replica_directory.h"
#include "base/json_binding.h"
#include "graph/engine.h"
#include "organism/executor.h"
#include "queue/progress_keeper.h"
#include "service/organ.h"

namespace seedcore::app {

struct OrganHostOptions {
  std::string organ_id;     ///< whose agents' work is done here
  std::string name;         ///< in the registry and in answers; empty: "seedcore_organ_" and the organ's id
  std::string gateway_url;  ///< where the services are; empty: GatewayUrl() decides
  std::string node_id;      ///< where this runs, for the registry
  std::string ip_address;   ///< likewise
  int hosts = 1;            ///< hosts on which parties of this store run: beyond one it has to be PostgreSQL
};

/// What a host is doing, for the bootstrap and the command line.
struct OrganHostStatus {
  std::string organ_id;
  std::string name;
  std::string state;
  std::string store_backend;
  std::string address;
  int pid = 0;
  WallTime started_at;
  int running = 0;
  std::int64_t executed = 0;
  static constexpr auto kFields =
      Fields(Required("organ_id", &OrganHostStatus::organ_id, "The organ"),
             Required("name", &OrganHostStatus::name, "Name in the registry"),
             Required("state", &OrganHostStatus::state, "running, draining or stopped"),
             Required("store_backend", &OrganHostStatus::store_backend, "sqlite or postgresql"),
             Required("address", &OrganHostStatus::address, "HOST:PORT of its listener"),
             Required("pid", &OrganHostStatus::pid, "Process"),
             Required("started_at", &OrganHostStatus::started_at, "When this host started"),
             Required("running", &OrganHostStatus::running, "Executions in progress"),
             Required("executed", &OrganHostStatus::executed, "Executions that have ended, since the start"));
};

/// Does the work of one organ's agents, in a process that hosts no services, for every organism on the store
/// (organism/organ_hosts.h says who keeps what): the executors, and a listener (service/organ.h) that the cluster token
/// opens, registered under the current epoch with heartbeats. It keeps nothing that its death would lose. Any number of
/// them may host the same organ. Knows nothing of Python or Ray. Thread-safe.
class OrganHost {
 public:
  /// Takes work on return. kInvalidArgument: a setting is wrong, or SQLite on several hosts. kConflict: by the settings
  /// there is no listener that the organism could reach, so that work is better left to it. kUnavailable, kCorrupt: the
  /// store. `env` outlives it.
  [[nodiscard]] static Result<std::unique_ptr<OrganHost>> Start(OrganHostOptions options, settings::Settings settings,
                                                                Env& env);
  /// Drains without patience.
  ~OrganHost();
  OrganHost(const OrganHost&) = delete;
  OrganHost& operator=(const OrganHost&) = delete;

  /// Reads no store.
  [[nodiscard]] OrganHostStatus Status() const;
  /// Says that it leaves, lets work under way finish within `patience`, takes no more. Idempotent; a second call waits
  /// for the first.
  void Drain(std::chrono::milliseconds patience);

 private:
  OrganHost(OrganHostOptions options, settings::Settings settings, Env& env);
  [[nodiscard]] Result<void> Open();

  OrganHostOptions options_;
  const settings::Settings settings_;
  Env& env_;
  const WallTime started_at_;
  std::string store_backend_;
  std::unique_ptr<Foundation> foundation_;
  std::unique_ptr<ReplicaDirectory> directory_;      // for executors that call services
  std::unique_ptr<queue::ProgressKeeper> progress_;  // of the tasks that are worked on
  organism::ExecutorRegistry executors_;
  std::unique_ptr<graph::Engine> graph_;
  std::unique_ptr<service::OrganService> service_;
  std::mutex drain_mutex_;  // held while draining
  std::atomic<const char*> state_{"running"};
  std::unique_ptr<DirectListener> listener_;  // last: its requests use all of the above
};

}  // namespace seedcore::app

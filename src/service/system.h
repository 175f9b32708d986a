#pragma once

#include <functional>
#include <map>
#include <string>

#include "base/call_context.h"
#include "base/json_binding.h"
#include "queue/dispatcher.h"
#include "service/operation.h"
#include "service/store_watch.h"
#include "store/store.h"

/// The process itself: probes, and what it is doing.
namespace seedcore::service {

struct SystemHealth {
  std::string status = "healthy";
  std::string service = "seedcore-api";
  std::string version;
  static constexpr auto kFields = Fields(Required("status", &SystemHealth::status, "healthy: the process answers"),
                                         Required("service", &SystemHealth::service, "seedcore-api"),
                                         Required("version", &SystemHealth::version, "Version of SeedCore"));
};

struct Readiness {
  std::string status;
  std::map<std::string, std::string> deps;
  [[nodiscard]] int HttpStatus() const { return status == "ready" ? 200 : 503; }
  static constexpr auto kFields =
      Fields(Required("status", &Readiness::status, "ready, or not_ready with status 503"),
             Required("deps", &Readiness::deps, "ok, or the kind of failure, of each part that is needed"));
};

struct SystemIndex {
  std::string message;
  std::string version;
  std::string docs;
  std::string health;
  static constexpr auto kFields = Fields(Required("message", &SystemIndex::message, "Which server this is"),
                                         Required("version", &SystemIndex::version, "Version of SeedCore"),
                                         Required("docs", &SystemIndex::docs, "Where the OpenAPI document is"),
                                         Required("health", &SystemIndex::health, "Where the health check is"));
};

struct StoreStatus {
  std::string backend;
  std::string location;
  int schema_version = 0;
  std::int64_t size_bytes = 0;
  bool writable = false;
  std::string error;
  static constexpr auto kFields = Fields(Required("backend", &StoreStatus::backend, "sqlite or postgresql"),
                                         Required("location", &StoreStatus::location, "Path, or DSN without password"),
                                         Required("schema_version", &StoreStatus::schema_version, "Of the tables"),
                                         Required("size_bytes", &StoreStatus::size_bytes, "Size on disk"),
                                         Required("writable", &StoreStatus::writable, "Whether a write just succeeded"),
                                         Required("error", &StoreStatus::error, "Why not; empty when it did"));
};

struct SystemStatus {
  std::string version;
  double uptime_s = 0.0;
  double resident_mib = 0.0;
  std::map<std::string, std::int64_t> tasks;
  std::int64_t dead_letters = 0;
  double oldest_queued_s = 0.0;
  StoreStatus store;
  queue::DispatcherStatus dispatcher;
  static constexpr auto kFields =
      Fields(Required("version", &SystemStatus::version, "Version of SeedCore"),
             Required("uptime_s", &SystemStatus::uptime_s, "Seconds since the start"),
             Required("resident_mib", &SystemStatus::resident_mib, "Resident memory of the process, MiB"),
             Required("tasks", &SystemStatus::tasks, "Stored tasks by status"),
             Required("dead_letters", &SystemStatus::dead_letters, "Failed for good and not redriven"),
             Required("oldest_queued_s", &SystemStatus::oldest_queued_s, "Age of the oldest runnable task, seconds"),
             Required("store", &SystemStatus::store, "Where everything is kept"),
             Required("dispatcher", &SystemStatus::dispatcher, "Who executes"));
};

/// Thread-safe.
class SystemService {
 public:
  struct Dependencies {
    Env* env = nullptr;
    store::Store* store = nullptr;
    std::function<queue::DispatcherStatus()> dispatcher;
    bool dispatches_elsewhere = false;  ///< this process is to have no dispatcher
  };

  explicit SystemService(Dependencies dependencies)
      : dependencies_(std::move(dependencies)),
        started_(dependencies_.env->Now()),
        watch_(*dependencies_.store, *dependencies_.env) {}

  Result<SystemHealth> Health(const Empty& request, const CallContext& call);
  /// Answers within StoreWatch::kPatience, and tells strangers no more than what kind of failure it is.
  Result<Readiness> Ready(const Empty& request, const CallContext& call);
  Result<SystemIndex> Index(const Empty& request, const CallContext& call);
  /// kUnavailable, with all that is known, when the store does not answer; in the same time.
  Result<SystemStatus> Status(const Empty& request, const CallContext& call);

 private:
  Dependencies dependencies_;
  const Instant started_;
  StoreWatch watch_;
};

[[nodiscard]] OperationTable<SystemService> SystemOperations();

/// "0.1.0", as built.
[[nodiscard]] std::string_view Version();

}  // namespace seedcore::service

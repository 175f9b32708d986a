#include "service/system.h"

#include <chrono>

#include "base/proc.h"

namespace seedcore::service {
namespace {

double ResidentMib() {
  return static_cast<double>(NumberAfter(ReadKernelFile("/proc/self/status"), "VmRSS:").value_or(0)) / 1024.0;
}

double Seconds(auto duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

std::string_view Version() { return SEEDCORE_VERSION; }

Result<SystemHealth> SystemService::Health(const Empty&, const CallContext&) {
  return SystemHealth{.version = std::string(Version())};
}

Result<Readiness> SystemService::Ready(const Empty&, const CallContext&) {
  Readiness readiness;
  const StoreWatch::Sight store = watch_.Look();
  const auto dispatcher = dependencies_.dispatcher();
  readiness.deps["db"] = store.health.writable ? "ok" : "error: " + store.reason;
  const bool elsewhere = dependencies_.dispatches_elsewhere;
  readiness.deps["dispatcher"] = elsewhere ? "elsewhere" : dispatcher.running ? "ok" : "error: stopped";
  readiness.status = store.health.writable && (elsewhere || dispatcher.running) ? "ready" : "not_ready";
  return readiness;
}

Result<SystemIndex> SystemService::Index(const Empty&, const CallContext&) {
  return SystemIndex{"SeedCore", std::string(Version()), "/openapi.json", "/health"};
}

Result<SystemStatus> SystemService::Status(const Empty&, const CallContext&) {
  const auto [health, answered, reason] = watch_.Look();
  if (!answered) return Fail(ErrorCode::kUnavailable, health.error);
  SEEDCORE_ASSIGN_OR_RETURN(const auto counts, dependencies_.store->tasks().Counts());
  SystemStatus status;
  status.version = std::string(Version());
  status.uptime_s = Seconds(dependencies_.env->Now() - started_);
  status.resident_mib = ResidentMib();
  for (const auto& [state, name] : EnumNames(store::TaskStatus{})) {
    const auto count = counts.by_status.find(state);
    status.tasks[std::string(name)] = count == counts.by_status.end() ? 0 : count->second;
  }
  status.dead_letters = counts.dead_letters;
  if (counts.oldest_queued) status.oldest_queued_s = Seconds(dependencies_.env->WallNow() - *counts.oldest_queued);
  status.store = {health.backend,    health.location, health.schema_version,
                  health.size_bytes, health.writable, health.error};
  status.dispatcher = dependencies_.dispatcher();
  return status;
}

OperationTable<SystemService> SystemOperations() {
  return {"",
          "System: probes, and what the process is doing",
          {
              Get<&SystemService::Health>("/health", "Whether the process answers").Open(),
              Get<&SystemService::Ready>("/readyz", "Whether tasks can be stored and executed now").Open(),
              Get<&SystemService::Index>("/", "Where to look").Open(),
              Get<&SystemService::Status>("/api/v1/status", "Task counts, store, dispatcher, memory"),
          },
          ""};
}

}  // namespace seedcore::service

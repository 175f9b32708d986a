#include <algorithm>
#include <sys/statvfs.h>
#include <thread>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "organism/executors/executors.h"

namespace seedcore::organism {
namespace {

// Below these the machine is about to get into trouble: SQLite needs room for its log, the process for its caches.
constexpr double kMostDiskPercent = 95.0;
constexpr double kMostMemoryPercent = 95.0;
constexpr double kMostLoadPerCore = 4.0;

struct NoParams {
  static constexpr auto kFields = Fields();
};

HealthProbe ProbeStore(store::Store& store) {
  const auto health = store.CheckHealth();
  return {.name = "store",
          .healthy = health.writable,
          .critical = true,
          .detail = health.writable ? fmt::format("{}, schema {}, {} bytes", health.backend, health.schema_version,
                                                  health.size_bytes)
                                    : fmt::format("{}: {}", health.backend, health.error)};
}

HealthProbe ProbeOrganism(const Vitals& vitals) {
  HealthProbe probe{.name = "organism", .critical = true};
  probe.healthy = vitals.initialized && vitals.agents > 0 && vitals.problems.empty();
  probe.detail = fmt::format("{} organs, {} agents, {} tasks running, {} slots free", vitals.organs, vitals.agents,
                             vitals.running_tasks, vitals.free_slots);
  if (!vitals.initialized) probe.detail = "not initialized";
  if (!vitals.problems.empty()) probe.detail += fmt::format("; {}", fmt::join(vitals.problems, "; "));
  return probe;
}

HealthProbe ProbeShare(const char* name, const std::optional<double>& used_percent, double most_percent) {
  HealthProbe probe{.name = name};
  if (!used_percent) {
    probe.detail = "can't be measured here";
    return probe;
  }
  probe.healthy = *used_percent <= most_percent;
  probe.detail = fmt::format("{:.1f} % in use", *used_percent);
  return probe;
}

HealthProbe ProbeLoad(const std::optional<double>& one_minute) {
  HealthProbe probe{.name = "load"};
  if (!one_minute) {
    probe.detail = "can't be measured here";
    return probe;
  }
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  probe.healthy = *one_minute <= kMostLoadPerCore * cores;
  probe.detail = fmt::format("{:.2f} over one minute on {} cores", *one_minute, cores);
  return probe;
}

json::object ToJson(const std::vector<HealthProbe>& probes) {
  json::object object;
  for (const HealthProbe& probe : probes) {
    object[probe.name] =
        json::object{{"healthy", probe.healthy}, {"critical", probe.critical}, {"detail", probe.detail}};
  }
  return object;
}

double HealthyShare(const std::vector<HealthProbe>& probes) {
  return static_cast<double>(std::ranges::count_if(probes, &HealthProbe::healthy)) / static_cast<double>(probes.size());
}

}  // namespace

std::vector<HealthProbe> ProbeHealth(store::Store& store, const Vitals& vitals, const state::HostState& host) {
  return {ProbeStore(store), ProbeOrganism(vitals), ProbeShare("disk", host.disk_percent, kMostDiskPercent),
          ProbeShare("memory", host.memory_percent, kMostMemoryPercent), ProbeLoad(host.load_1m)};
}

Executor MakeHealthCheck(const ExecutorParts& parts) {
  return {.type = "health_check",
          .doc =
              "Tries the store, counts agents, looks at disk, memory and load. Fails when the store or the organism "
              "can't serve. Quality: share of the checks that were passed.",
          .params_schema = ParamsSchema<NoParams>(),
          .execute = [&store = parts.store, vitals = parts.vitals, &host = parts.host](
                         const TaskSpec& task, const CallContext&) -> ExecutionResult {
            if (auto params = ReadParams<NoParams>(task); !params) return ExecutionResult::Failure(params.error());
            const auto probes = ProbeHealth(store, vitals(), host.Sample());
            const bool all = std::ranges::all_of(probes, &HealthProbe::healthy);
            json::object result{{"status", all ? "healthy" : "degraded"}, {"checks", ToJson(probes)}};
            const auto broken =
                std::ranges::find_if(probes, [](const HealthProbe& probe) { return probe.critical && !probe.healthy; });
            if (broken == probes.end()) return ExecutionResult::Success(std::move(result), HealthyShare(probes));
            result["status"] = "unhealthy";
            return ExecutionResult::Failure(
                {ErrorCode::kUnavailable, fmt::format("{}: {}", broken->name, broken->detail), {}}, std::move(result));
          }};
}

Tool MakeSystemStatusTool(const ExecutorParts& parts) {
  return {.name = "system_status",
          .doc = "How the system is right now: store, organism, disk, memory, load and task counts, all measured.",
          .arguments_schema = ParamsSchema<NoParams>(),
          .run = [&store = parts.store, vitals = parts.vitals, &host = parts.host](
                     const json::object& arguments, const CallContext&) -> Result<ToolOutput> {
            SEEDCORE_RETURN_IF_ERROR(FromJson<NoParams>(arguments));
            const auto probes = ProbeHealth(store, vitals(), host.Sample());
            SEEDCORE_ASSIGN_OR_RETURN(const auto counts, store.tasks().Counts());
            json::object tasks;
            for (const auto& [status, count] : counts.by_status) tasks[EnumToString(status)] = count;
            std::vector<std::string> lines;
            for (const HealthProbe& probe : probes) {
              lines.push_back(fmt::format("{} {} ({})", probe.name, probe.healthy ? "ok" : "NOT ok", probe.detail));
            }
            return ToolOutput{.text = fmt::format("{}", fmt::join(lines, "; ")),
                              .data = json::object{{"checks", ToJson(probes)}, {"tasks", std::move(tasks)}}};
          }};
}

}  // namespace seedcore::organism

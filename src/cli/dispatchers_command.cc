#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "app/dispatch_lane.h"
#include "base/log.h"
#include "cli/api.h"
#include "cli/cluster.h"
#include "cli/local_commands.h"
#include "cli/terminal.h"

namespace seedcore::cli {
namespace {

constexpr std::chrono::seconds kRegistryPatience{20};

double SecondsLeft(const CallContext& call) {
  return std::chrono::duration<double>(call.deadline - RealEnv().Now()).count();
}

std::vector<store::Instance> Chosen(std::vector<store::Instance> found, const std::string& name) {
  if (!name.empty()) std::erase_if(found, [&](const auto& instance) { return instance.logical_id != name; });
  return found;
}

std::string Line(const app::DispatchHostStatus& status) {
  std::string line = fmt::format("{:<28} {:<7} {:<9} {:<21}", status.name, status.role, status.state, status.address);
  if (status.dispatcher) {
    line += fmt::format(" {}/{} in flight, {} completed", status.dispatcher->inflight, status.dispatcher->capacity,
                        status.dispatcher->completed);
  }
  return line;
}

struct Outcome {
  json::array rows;
  std::string text;
  bool is_good = true;
};

/// Each answers for itself; one that does not is a row with its error.
void Ask(app::DispatchLane& lane, const store::Instance& instance, bool drain, const CallContext& call,
         Outcome& outcome) {
  const auto status =
      drain ? lane.Drain(instance, {.timeout_s = SecondsLeft(call)}, call) : lane.Status(instance, call);
  if (status) {
    outcome.rows.push_back(ToJson(*status));
    outcome.text += Line(*status) + "\n";
    return;
  }
  outcome.is_good = false;
  outcome.rows.push_back(json::object{{"name", instance.logical_id}, {"error", ToString(status.error())}});
  outcome.text += fmt::format("{:<28} {}\n", instance.logical_id, Paint(Color::kRed, ToString(status.error())));
}

/// The health tasks go through the queue: whichever dispatcher is free executes them, the one asked only waits.
void Check(app::DispatchLane& lane, const store::Instance& instance, int count, const CallContext& call,
           Outcome& outcome) {
  const auto reply = lane.HealthCheck(instance, {.count = count, .timeout_s = SecondsLeft(call)}, call);
  if (!reply) {
    outcome.is_good = false;
    outcome.text += ToString(reply.error()) + "\n";
    return;
  }
  for (const app::ProvenTask& task : reply->tasks) {
    outcome.is_good = outcome.is_good && task.status == "completed";
    outcome.rows.push_back(ToJson(task));
    outcome.text += fmt::format("{:<10} {} {}\n", task.status, task.owner_id, task.error);
  }
}

Result<Outcome> Run(const Arguments& arguments, const settings::Settings& settings) {
  const bool drain = arguments.Has("drain");
  const std::string name = arguments.Get("NAME");
  if (drain && name.empty()) return Fail(ErrorCode::kInvalidArgument, "say which one to drain", "NAME");
  SEEDCORE_ASSIGN_OR_RETURN(const int checks, arguments.Number("check", 0));
  SEEDCORE_ASSIGN_OR_RETURN(const CallContext call, CallFor(arguments, kRegistryPatience));
  SEEDCORE_ASSIGN_OR_RETURN(const auto lane, app::DispatchLane::Open(settings, RealEnv()));
  SEEDCORE_ASSIGN_OR_RETURN(auto found, lane->List());
  const std::vector<store::Instance> chosen = Chosen(std::move(found), name);
  if (chosen.empty()) {
    return Fail(ErrorCode::kNotFound, name.empty() ? "no dispatcher is registered in this store"
                                                   : fmt::format("no dispatcher '{}' is registered", name));
  }
  Outcome outcome;
  if (checks > 0) {
    Check(*lane, chosen.front(), checks, call, outcome);
  } else {
    for (const store::Instance& instance : chosen) Ask(*lane, instance, drain, call, outcome);
  }
  return outcome;
}

}  // namespace

int RunDispatchers(const Arguments& arguments) {
  const auto settings = LoadSettings(arguments);
  if (!settings) return ReportError(settings.error());
  log::Configure(log::Level::kError, settings->log.format);
  const auto outcome = Run(arguments, *settings);
  if (!outcome) return ReportError(outcome.error());
  if (arguments.Has("json")) {
    PrintJson(outcome->rows);
  } else {
    fmt::print("{}", outcome->text);
  }
  return outcome->is_good ? kExitOk : kExitFailed;
}

}  // namespace seedcore::cli

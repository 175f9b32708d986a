#include "service/state.h"

#include <algorithm>

#include "service/edge.h"

namespace seedcore::service {

StateService::StateService(Env& env, state::StateSource source) : env_(env), collector_(std::move(source)) {}

Result<StateHealth> StateService::Health(const Empty& request, const CallContext& call) {
  StateHealth health;
  health.parts = collector_.Sources();
  const auto tried = Status(request, call);
  for (auto& [part, live] : health.parts) {
    live = live && tried && tried->aggregators.at(part).status == "available";
  }
  health.organism_connected = health.parts.at("agents");
  const auto connected = [](const auto& part) { return part.second; };
  if (std::ranges::none_of(health.parts, connected)) {
    health.status = "unhealthy";
  } else if (!std::ranges::all_of(health.parts, connected)) {
    health.status = "degraded";
  }
  return health;
}

Result<StateStatus> StateService::Status(const Empty&, const CallContext& call) {
  StateStatus status{.status = "healthy", .aggregators = {}};
  const auto collected = collector_.Collect({}, call);
  if (!collected && collected.error().code != ErrorCode::kUnavailable) return std::unexpected(collected.error());

  for (const char* part : {"agents", "organs", "system", "memory"}) {
    StatePartStatus& entry = status.aggregators[part];
    if (!collected) {
      entry = {"unavailable", std::nullopt, collected.error().message};
      continue;
    }
    // A part is unavailable when it is missing as a whole; "system.host" alone leaves the system there.
    const bool system_there = collected->state.system.has_value();
    const auto missing = std::ranges::find_if(collected->missing, [&](const state::MissingPart& gone) {
      return gone.part == part ||
             (std::string_view(part) == "system" && !system_there && gone.part.starts_with("system"));
    });
    entry.status = missing == collected->missing.end() ? "available" : "unavailable";
    if (missing != collected->missing.end()) entry.reason = missing->reason;
  }
  if (collected) {
    const auto count = [&](const char* part, std::size_t size) {
      StatePartStatus& entry = status.aggregators[part];
      if (entry.status == "available") entry.count = static_cast<std::int64_t>(size);
    };
    count("agents", collected->state.agents.size());
    count("organs", collected->state.organs.size());
  }
  const auto available = [](const auto& part) { return part.second.status == "available"; };
  if (!std::ranges::all_of(status.aggregators, available)) status.status = "degraded";
  return status;
}

Result<UnifiedStateResponse> StateService::UnifiedState(const UnifiedStateRequest& request, const CallContext& call) {
  SEEDCORE_RETURN_IF_ERROR(call.Check(env_));
  const Instant start = env_.Now();
  SEEDCORE_ASSIGN_OR_RETURN(auto collected, collector_.Collect({.agent_ids = request.agent_ids,
                                                                .include_organs = request.include_organs,
                                                                .include_system = request.include_system,
                                                                .include_memory = request.include_memory},
                                                               call));
  UnifiedStateResponse response;
  response.issues = state::ValidateState(collected.state);
  response.unified_state = std::move(collected.state);
  response.missing = std::move(collected.missing);
  response.timestamp = UnixSeconds(env_);
  response.collection_time_ms = MillisecondsSince(start, env_);
  return response;
}

OperationTable<StateService> StateOperations() {
  return {"/state",
          "State: what agents, organs, memory and the system look like right now",
          {
              Get<&StateService::Health>("/health", "Which parts can be collected now").Open(),
              Get<&StateService::Status>("/status", "Each part, tried just now"),
              Post<&StateService::UnifiedState>("/unified-state", "The unified state"),
              Get<&StateService::UnifiedState>("/unified-state", "The unified state"),
          },
          ""};
}

}  // namespace seedcore::service

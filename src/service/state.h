#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "base/json_binding.h"
#include "service/operation.h"
#include "state/collector.h"
#include "state/unified_state.h"

/// The State service, /state: what the live parts look like right now (P§1.4).
namespace seedcore::service {

struct StateHealth {
  std::string status = "healthy";
  std::string service = "state-service";
  bool initialized = true;
  bool organism_connected = false;
  std::map<std::string, bool> parts;
  [[nodiscard]] int HttpStatus() const { return status == "unhealthy" ? 503 : 200; }
  static constexpr auto kFields =
      Fields(Required("status", &StateHealth::status,
                      "healthy; degraded when a part cannot be collected; unhealthy (503) when none can"),
             Required("service", &StateHealth::service, "state-service"),
             Required("initialized", &StateHealth::initialized, "Always true once the service answers"),
             Required("organism_connected", &StateHealth::organism_connected, "Whether agents can be collected"),
             Required("parts", &StateHealth::parts, "Each part, and whether its source answers"));
};

/// What collecting one part gave.
struct StatePartStatus {
  std::string status;
  std::optional<std::int64_t> count;
  std::optional<std::string> reason;
  static constexpr auto kFields =
      Fields(Required("status", &StatePartStatus::status, "available or unavailable"),
             Sparse("count", &StatePartStatus::count, "How many agents or organs there are"),
             Sparse("reason", &StatePartStatus::reason, "Why it is unavailable"));
};

struct StateStatus {
  std::string status;
  std::string service = "state-service";
  std::map<std::string, StatePartStatus> aggregators;
  static constexpr auto kFields =
      Fields(Required("status", &StateStatus::status, "healthy or degraded"),
             Required("service", &StateStatus::service, "state-service"),
             Required("aggregators", &StateStatus::aggregators, "agents, organs, system and memory, tried just now"));
};

struct UnifiedStateRequest {
  std::optional<std::vector<std::string>> agent_ids;
  bool include_organs = true;
  bool include_system = true;
  bool include_memory = true;
  static constexpr auto kFields =
      Fields(Optional("agent_ids", &UnifiedStateRequest::agent_ids, "Only these agents; null: all"),
             Optional("include_organs", &UnifiedStateRequest::include_organs, "Add the organs"),
             Optional("include_system", &UnifiedStateRequest::include_system, "Add the system"),
             Optional("include_memory", &UnifiedStateRequest::include_memory, "Add the memory tiers"));
};

struct UnifiedStateResponse {
  bool success = true;
  state::UnifiedState unified_state;
  std::vector<state::MissingPart> missing;
  std::vector<state::StateIssue> issues;
  double timestamp = 0.0;
  double collection_time_ms = 0.0;
  static constexpr auto kFields =
      Fields(Required("success", &UnifiedStateResponse::success, "Always true: a failure is an HTTP error"),
             Required("unified_state", &UnifiedStateResponse::unified_state, "What was collected"),
             Required("missing", &UnifiedStateResponse::missing, "What was asked for and is not there, and why"),
             Required("issues", &UnifiedStateResponse::issues, "What does not hold in the state collected"),
             Required("timestamp", &UnifiedStateResponse::timestamp, "When, Unix seconds"),
             Required("collection_time_ms", &UnifiedStateResponse::collection_time_ms, "How long collecting took"));
};

/// Thread-safe. `env` and what the source refers to must outlive it.
class StateService {
 public:
  StateService(Env& env, state::StateSource source);

  Result<StateHealth> Health(const Empty& request, const CallContext& call);
  Result<StateStatus> Status(const Empty& request, const CallContext& call);
  /// kUnavailable when nothing that was asked for is there; kNotFound for an unknown agent id.
  Result<UnifiedStateResponse> UnifiedState(const UnifiedStateRequest& request, const CallContext& call);

 private:
  Env& env_;
  state::StateCollector collector_;
};

[[nodiscard]] OperationTable<StateService> StateOperations();

}  // namespace seedcore::service

#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "base/env.h"
#include "state/unified_state.h"

namespace seedcore::state {

/// Where the live parts come from. `app` registers what exists; an empty function is a part that is not there. Each is
/// called from any thread, must respect the deadline of the call, and answers with an error rather than with a guess.
struct StateSource {
  std::function<Result<std::map<std::string, AgentSnapshot>>(const CallContext&)> agents;
  /// Ids of the agents of each organ. The organ's vectors are computed from the agents here.
  std::function<Result<std::map<std::string, std::vector<std::string>>>(const CallContext&)> organs;
  /// Patterns and other vectors of the system; the host's figures are added here when `host` is set.
  std::function<Result<SystemState>(const CallContext&)> system;
  std::function<Result<MemoryState>(const CallContext&)> memory;
  std::function<HostState()> host;
};

/// What the caller wants to see.
struct StateQuery {
  std::optional<std::vector<std::string>> agent_ids;  ///< nullopt: every agent
  bool include_organs = true;
  bool include_system = true;
  bool include_memory = true;
};

/// A part that was asked for and is not in the answer.
struct MissingPart {
  std::string part;
  std::string reason;
  static constexpr auto kFields =
      Fields(Required("part", &MissingPart::part,
                      "agents, organs, system, system.patterns, system.host, memory, or one agent"),
             Required("reason", &MissingPart::reason, "Why it is not there"));
};

struct CollectedState {
  UnifiedState state;
  std::vector<MissingPart> missing;
};

/// Puts the unified state together from live parts. Nothing is made up: a part without a source, or whose source fails,
/// is absent and listed in `missing`. Thread-safe; keeps no cache, since its sources answer from memory.
class StateCollector {
 public:
  explicit StateCollector(StateSource source) : source_(std::move(source)) {}

  /// kUnavailable when not a single part that was asked for is there; kNotFound when an agent asked for by id is
  /// unknown.
  [[nodiscard]] Result<CollectedState> Collect(const StateQuery& query, const CallContext& call) const;

  /// Each part, and whether it has a source.
  [[nodiscard]] std::map<std::string, bool> Sources() const;

 private:
  StateSource source_;
};

}  // namespace seedcore::state

#include "app/live_state.h"

namespace seedcore::app {
namespace {

Result<void> RequireInitialized(const organism::Organism& organism) {
  if (organism.IsInitialized()) return {};
  return Fail(ErrorCode::kUnavailable, "the organism is not initialized");
}

state::AgentSnapshot ToSnapshot(const organism::AgentState& agent) {
  return {.h = {agent.h.begin(), agent.h.end()},
          .p = agent.roles,
          .c = agent.capability,
          .mem_util = agent.mem_util,
          .lifecycle = std::string(agent.Lifecycle())};
}

}  // namespace

state::StateSource LiveState(const organism::Organism& organism, state::HostSampler& host) {
  state::StateSource source;
  source.agents = [&organism](const CallContext&) -> Result<std::map<std::string, state::AgentSnapshot>> {
    SEEDCORE_RETURN_IF_ERROR(RequireInitialized(organism));
    std::map<std::string, state::AgentSnapshot> agents;
    for (const auto& agent : organism.population().Agents()) agents.emplace(agent.agent_id, ToSnapshot(agent.state));
    return agents;
  };
  source.organs = [&organism](const CallContext&) -> Result<std::map<std::string, std::vector<std::string>>> {
    SEEDCORE_RETURN_IF_ERROR(RequireInitialized(organism));
    std::map<std::string, std::vector<std::string>> organs;
    for (const auto& organ : organism.population().Organs()) organs.emplace(organ.organ_id, organ.agent_ids);
    return organs;
  };
  source.host = [&host] { return host.Sample(); };
  return source;
}

}  // namespace seedcore::app

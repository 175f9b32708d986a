#include "app/live_state.h"

namespace seedcore::app {
namespace {

using service::OrganismService;

state::AgentSnapshot ToSnapshot(service::OrganismAgent agent) {
  return {.h = std::move(agent.state_embedding_h),
          .p = {.E = agent.role_probs["E"], .S = agent.role_probs["S"], .O = agent.role_probs["O"]},
          .c = agent.capability,
          .mem_util = agent.mem_util,
          .lifecycle = std::move(agent.lifecycle)};
}

}  // namespace

state::StateSource LiveState(const service::Peer<OrganismService>& organism, state::HostSampler& host) {
  state::StateSource source;
  source.agents = [organism](const CallContext& call) -> Result<std::map<std::string, state::AgentSnapshot>> {
    SEEDCORE_ASSIGN_OR_RETURN(auto reply, organism.Call<&OrganismService::Agents>(service::Empty{}, call));
    std::map<std::string, state::AgentSnapshot> agents;
    for (service::OrganismAgent& agent : reply.agents) {
      std::string id = agent.agent_id;
      agents.emplace(std::move(id), ToSnapshot(std::move(agent)));
    }
    return agents;
  };
  source.organs = [organism](const CallContext& call) -> Result<std::map<std::string, std::vector<std::string>>> {
    SEEDCORE_ASSIGN_OR_RETURN(auto reply, organism.Call<&OrganismService::OrganismStatus>(service::Empty{}, call));
    std::map<std::string, std::vector<std::string>> organs;
    for (service::OrganStatusView& organ : reply.status) {
      organs.emplace(std::move(organ.organ_id), std::move(organ.agent_ids));
    }
    return organs;
  };
  source.host = [&host] { return host.Sample(); };
  return source;
}

}  // namespace seedcore::app

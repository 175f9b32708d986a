#include "organism/evolution.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include <fmt/format.h>

namespace seedcore::organism {
namespace {

double Dot(const StateVector& a, const StateVector& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

/// What a plan is made from, with look-ups by id.
struct Setting {
  std::span<const OrganSnapshot> organs;
  std::span<const AgentSnapshot> agents;
  const EvolutionSettings& settings;

  Result<const OrganSnapshot*> Find(const std::string& organ_id, std::string path) const {
    const auto found = std::ranges::find(organs, organ_id, &OrganSnapshot::organ_id);
    if (found != organs.end()) return &*found;
    return Fail(ErrorCode::kNotFound, fmt::format("no organ called '{}'", organ_id), std::move(path));
  }
  std::vector<AgentSnapshot> AgentsOf(const std::string& organ_id) const {
    std::vector<AgentSnapshot> members;
    std::ranges::copy_if(agents, std::back_inserter(members),
                         [&](const AgentSnapshot& agent) { return agent.organ_id == organ_id; });
    return members;
  }
  /// `wanted`, or with _1, _2, ... behind it when there is such an organ.
  std::string FreeOrganId(const std::string& wanted, const EvolutionPlan& plan) const {
    const auto taken = [&](const std::string& id) {
      return plan.new_organs.contains(id) || std::ranges::find(organs, id, &OrganSnapshot::organ_id) != organs.end();
    };
    std::string id = wanted;
    for (int suffix = 1; taken(id); ++suffix) id = fmt::format("{}_{}", wanted, suffix);
    return id;
  }
};

Result<void> PlanSplit(const EvolutionRequest& request, const Setting& setting, EvolutionPlan& plan) {
  if (request.k < 2 || request.k > setting.settings.max_parts) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("expected 2 to {}", setting.settings.max_parts), "params.k");
  }
  SEEDCORE_ASSIGN_OR_RETURN(const OrganSnapshot* organ, setting.Find(request.organ_id, "organ_id"));
  const auto members = setting.AgentsOf(request.organ_id);
  if (members.size() < static_cast<std::size_t>(request.k)) {
    return Fail(ErrorCode::kConflict,
                fmt::format("{} has {} agents, too few for {} parts", request.organ_id, members.size(), request.k));
  }
  std::vector<std::string> parts = {request.organ_id};
  for (int i = 1; i < request.k; ++i) {
    parts.push_back(setting.FreeOrganId(fmt::format("{}_split_{}", request.organ_id, i), plan));
    plan.new_organs[parts.back()] = organ->type;
  }
  const auto part_of = PartitionAgents(members, request.k);
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (part_of[i] != 0) plan.moves[members[i].agent_id] = parts[static_cast<std::size_t>(part_of[i])];
  }
  return {};
}

Result<void> PlanMerge(const EvolutionRequest& request, const Setting& setting, EvolutionPlan& plan) {
  SEEDCORE_RETURN_IF_ERROR(setting.Find(request.organ_id, "organ_id"));
  const std::set<std::string> sources(request.sources.begin(), request.sources.end());
  if (sources.empty() || sources.contains(request.organ_id)) {
    return Fail(ErrorCode::kInvalidArgument, "expected organs other than organ_id", "params.src_organs");
  }
  for (const std::string& source : sources) {
    SEEDCORE_RETURN_IF_ERROR(setting.Find(source, "params.src_organs"));
    for (const AgentSnapshot& agent : setting.AgentsOf(source)) plan.moves[agent.agent_id] = request.organ_id;
    plan.removed_organs.push_back(source);
  }
  return {};
}

Result<void> PlanClone(const EvolutionRequest& request, const Setting& setting, EvolutionPlan& plan) {
  if (!(request.move_fraction >= 0.0 && request.move_fraction < 1.0)) {
    return Fail(ErrorCode::kInvalidArgument, "expected at least 0 and less than 1", "params.move_fraction");
  }
  SEEDCORE_ASSIGN_OR_RETURN(const OrganSnapshot* organ, setting.Find(request.organ_id, "organ_id"));
  const auto members = setting.AgentsOf(request.organ_id);
  const std::string clone = setting.FreeOrganId(request.organ_id + "_clone", plan);
  plan.new_organs[clone] = organ->type;
  if (request.move_fraction == 0.0) {
    std::size_t number = 0;
    for (const AgentSnapshot& member : members) {
      std::string id;
      // An agent of an earlier clone may live on in another organ under such a name.
      do id = fmt::format("{}_agent_{}", clone, number++);
      while (std::ranges::find(setting.agents, id, &AgentSnapshot::agent_id) != setting.agents.end());
      plan.new_agents.push_back({std::move(id), clone, member.capacity});
    }
    return {};
  }
  if (members.size() < 2) {
    return Fail(ErrorCode::kConflict, fmt::format("{} has no agent to spare", request.organ_id));
  }
  const auto share = static_cast<std::size_t>(std::floor(request.move_fraction * static_cast<double>(members.size())));
  const std::size_t count = std::clamp<std::size_t>(share, 1, members.size() - 1);
  for (std::size_t i = members.size() - count; i < members.size(); ++i) plan.moves[members[i].agent_id] = clone;
  return {};
}

Result<void> PlanRetire(const EvolutionRequest& request, const Setting& setting, EvolutionPlan& plan) {
  SEEDCORE_RETURN_IF_ERROR(setting.Find(request.organ_id, "organ_id"));
  if (setting.organs.size() == 1) return Fail(ErrorCode::kConflict, "the last organ can't be retired");
  plan.removed_organs.push_back(request.organ_id);
  const auto members = setting.AgentsOf(request.organ_id);
  if (request.migrate_to.empty()) {
    for (const AgentSnapshot& agent : members) plan.removed_agents.push_back(agent.agent_id);
    return {};
  }
  if (request.migrate_to == request.organ_id) {
    return Fail(ErrorCode::kInvalidArgument, "expected another organ", "params.migrate_to");
  }
  SEEDCORE_RETURN_IF_ERROR(setting.Find(request.migrate_to, "params.migrate_to"));
  for (const AgentSnapshot& agent : members) plan.moves[agent.agent_id] = request.migrate_to;
  return {};
}

std::vector<AgentSnapshot> CarriedOut(const EvolutionPlan& plan, const Setting& setting) {
  std::vector<AgentSnapshot> after;
  for (const AgentSnapshot& agent : setting.agents) {
    if (std::ranges::find(plan.removed_agents, agent.agent_id) != plan.removed_agents.end()) continue;
    after.push_back(agent);
    const auto move = plan.moves.find(agent.agent_id);
    if (move != plan.moves.end()) after.back().organ_id = move->second;
  }
  for (const EvolutionPlan::NewAgent& agent : plan.new_agents) {
    after.push_back({.agent_id = agent.agent_id, .organ_id = agent.organ_id, .state = {}});
    after.back().state.roles = RolePrior(plan.new_organs.at(agent.organ_id));
  }
  return after;
}

Result<void> CheckLimits(const EvolutionPlan& plan, const Setting& setting) {
  const std::size_t organs = setting.organs.size() + plan.new_organs.size() - plan.removed_organs.size();
  if (organs > static_cast<std::size_t>(setting.settings.max_organs)) {
    return Fail(ErrorCode::kConflict, fmt::format("more than {} organs", setting.settings.max_organs));
  }
  const std::size_t agents = setting.agents.size() + plan.new_agents.size() - plan.removed_agents.size();
  if (agents > static_cast<std::size_t>(setting.settings.max_agents)) {
    return Fail(ErrorCode::kConflict, fmt::format("more than {} agents", setting.settings.max_agents));
  }
  return {};
}

}  // namespace

double StructureEnergy(std::span<const AgentSnapshot> agents) {
  std::vector<EnergyMember> members;
  for (const AgentSnapshot& agent : agents) members.push_back({agent.organ_id, &agent.state});
  return MeasureEnergy(members, Pairing::kWithinOrgan).total;
}

std::vector<int> PartitionAgents(std::span<const AgentSnapshot> agents, int k) {
  const auto cosine = [&](std::size_t a, std::size_t b) {
    const double norms = agents[a].state.Norm() * agents[b].state.Norm();
    return norms > 0.0 ? Dot(agents[a].state.h, agents[b].state.h) / norms : 0.0;
  };
  std::vector<int> part_of(agents.size(), -1);
  std::vector<std::size_t> seeds = {0};
  part_of[0] = 0;
  while (seeds.size() < static_cast<std::size_t>(k)) {
    std::size_t farthest = 0;
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < agents.size(); ++i) {
      if (part_of[i] >= 0) continue;
      double nearest = -std::numeric_limits<double>::infinity();
      for (const std::size_t seed : seeds) nearest = std::max(nearest, cosine(i, seed));
      if (nearest < least) {
        least = nearest;
        farthest = i;
      }
    }
    part_of[farthest] = static_cast<int>(seeds.size());
    seeds.push_back(farthest);
  }
  std::vector<int> sizes(seeds.size(), 1);
  for (std::size_t i = 0; i < agents.size(); ++i) {
    if (part_of[i] >= 0) continue;
    std::size_t best = 0;
    for (std::size_t part = 1; part < seeds.size(); ++part) {
      const double difference = cosine(i, seeds[part]) - cosine(i, seeds[best]);
      // Agents that nothing tells apart spread evenly.
      if (difference > 0.0 || (difference == 0.0 && sizes[part] < sizes[best])) best = part;
    }
    part_of[i] = static_cast<int>(best);
    ++sizes[best];
  }
  return part_of;
}

Result<EvolutionPlan> PlanEvolution(const EvolutionRequest& request, std::span<const OrganSnapshot> organs,
                                    std::span<const AgentSnapshot> agents, const EvolutionSettings& settings) {
  const Setting setting{organs, agents, settings};
  EvolutionPlan plan;
  switch (request.op) {
    case EvolutionOp::kSplit: SEEDCORE_RETURN_IF_ERROR(PlanSplit(request, setting, plan)); break;
    case EvolutionOp::kMerge: SEEDCORE_RETURN_IF_ERROR(PlanMerge(request, setting, plan)); break;
    case EvolutionOp::kClone: SEEDCORE_RETURN_IF_ERROR(PlanClone(request, setting, plan)); break;
    case EvolutionOp::kRetire: SEEDCORE_RETURN_IF_ERROR(PlanRetire(request, setting, plan)); break;
  }
  SEEDCORE_RETURN_IF_ERROR(CheckLimits(plan, setting));
  const auto touched_agents = plan.moves.size() + plan.new_agents.size() + plan.removed_agents.size();
  const auto touched_organs = plan.new_organs.size() + plan.removed_organs.size();
  plan.cost = settings.cost_per_agent * static_cast<double>(touched_agents) +
              settings.cost_per_organ * static_cast<double>(touched_organs);
  plan.energy_before = StructureEnergy(agents);
  plan.energy_after = StructureEnergy(CarriedOut(plan, setting));
  return plan;
}

}  // namespace seedcore::organism

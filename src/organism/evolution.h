#pragma once

#include <array>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "organism/energy_model.h"
#include "organism/population.h"

/// Changes of structure, as plans: pure functions from what there is to what should be.
namespace seedcore::organism {

enum class EvolutionOp { kSplit, kMerge, kClone, kRetire };
constexpr std::array<std::pair<EvolutionOp, std::string_view>, 4> EnumNames(EvolutionOp) {
  return {{{EvolutionOp::kSplit, "split"},
           {EvolutionOp::kMerge, "merge"},
           {EvolutionOp::kClone, "clone"},
           {EvolutionOp::kRetire, "retire"}}};
}

/// Costs are in units of energy, so that they can be set against a change of energy.
struct EvolutionSettings {
  double cost_per_agent = 0.001;  ///< per agent moved, made or removed
  double cost_per_organ = 0.01;   ///< per organ made or removed
  int max_organs = 64;
  int max_agents = 1024;
  int max_parts = 16;  ///< k of split
};

struct EvolutionRequest {
  EvolutionOp op = EvolutionOp::kSplit;
  std::string organ_id;
  int k = 2;                         ///< split: parts, the original included
  std::vector<std::string> sources;  ///< merge: organs whose agents join `organ_id`
  double move_fraction = 0.0;        ///< clone: share of the agents that move; 0: the clone gets new agents
  std::string migrate_to;            ///< retire: organ that takes the agents; empty: they go too
  bool force = false;                ///< make the change although it does not pay
};

struct EvolutionPlan {
  struct NewAgent {
    std::string agent_id;
    std::string organ_id;
    int capacity = 1;
  };
  std::map<std::string, std::string> new_organs;  ///< id to type
  std::vector<NewAgent> new_agents;
  std::map<std::string, std::string> moves;  ///< agent to organ
  std::vector<std::string> removed_organs;
  std::vector<std::string> removed_agents;
  double cost = 0.0;
  double energy_before = 0.0;  ///< Pairing::kWithinOrgan over the live agents
  double energy_after = 0.0;   ///< the same with the plan carried out
};

struct EvolutionOutcome {
  EvolutionPlan plan;
  bool accepted = false;         ///< energy_after - energy_before + cost < 0, by the plan
  bool applied = false;          ///< accepted or forced, and carried out
  double measured_before = 0.0;  ///< energy just before the change
  double measured_after = 0.0;   ///< and just after; equal when nothing was applied
};

/// kInvalidArgument: parameters out of range. kNotFound: an unknown organ. kConflict: too few agents, limits reached,
/// the last organ.
[[nodiscard]] Result<EvolutionPlan> PlanEvolution(const EvolutionRequest& request,
                                                  std::span<const OrganSnapshot> organs,
                                                  std::span<const AgentSnapshot> agents,
                                                  const EvolutionSettings& settings);

/// Groups `agents` into k parts of like experience, none empty: seeds farthest apart, then each agent to the part whose
/// members' states point most in its direction. Deterministic. Returns the part of each agent; agent 0 is in part 0.
[[nodiscard]] std::vector<int> PartitionAgents(std::span<const AgentSnapshot> agents, int k);

/// Energy with pairs counted within organs.
[[nodiscard]] double StructureEnergy(std::span<const AgentSnapshot> agents);

}  // namespace seedcore::organism

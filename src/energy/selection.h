#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "energy/energy.h"
#include "state/unified_state.h"

/// Which agent should do a task. All scores are "smaller is better" and each weight is applied once.
namespace seedcore::energy {

/// What selection needs to know of an agent.
struct Candidate {
  double capability = 0.5;         ///< [0, 1]
  double mem_util = 0.0;           ///< [0, 1]
  state::RoleProbabilities roles;  ///< on the simplex
  double h_norm = 0.0;             ///< Euclidean norm of the state embedding
  bool available = true;
};

struct SelectionWeights {
  double capability = 1.0;
  double entropy = 0.2;  ///< rewards agents whose role is still open, per bit
  double mem_util = 0.3;
  double h_norm = 0.01;
};

/// 1.0 (1 - capability) - 0.2 entropy_bits(roles) + 0.3 mem_util + 0.01 ||h||.
[[nodiscard]] double SelectionScore(const Candidate& agent, const SelectionWeights& weights = {});

/// Index of the available candidate with the lowest score among those with capability >= `required_capability`; the
/// first of equals. nullopt when there is none.
[[nodiscard]] std::optional<std::size_t> SelectAgent(std::span<const Candidate> candidates, double required_capability,
                                                     const SelectionWeights& weights = {});

enum class Role { kE, kS, kO };
/// "E", "S" or "O".
[[nodiscard]] std::string_view ToString(Role role);
/// S for optimization, analysis and execution; E for exploration, discovery, research, general and every other type.
[[nodiscard]] Role IdealRole(std::string_view task_type);

/// 0.5, +0.3 for optimization or analysis, +0.2 for exploration or discovery, +0.2 for size "large", -0.1 for "small",
/// +0.1 when urgent; within [0.1, 1].
[[nodiscard]] double TaskComplexity(std::string_view task_type, std::string_view size, bool urgent);

/// How well an agent suits a task, smaller is better:
/// (1 - c) complexity + 0.5 (1 - p[ideal role]) + 0.1 energy_share + 0.3 mem_util.
/// `energy_share` is what the agent adds to the current energy (EnergyShares), so that the energy term tells agents
/// apart; the total, which is the same for all, would not.
[[nodiscard]] double Suitability(const state::AgentSnapshot& agent, Role ideal_role, double complexity,
                                 double energy_share);

/// Each agent's part in E: -sum_j W_pair[i,j] <h_i, h_j> - alpha H(p_i) + lambda ||h_i||^2. They add up to
/// E_pair + E_entropy + E_reg. The input must have passed ComputeEnergy.
[[nodiscard]] std::vector<double> EnergyShares(const EnergyInput& input, const Weights& weights);

}  // namespace seedcore::energy

#include "energy/selection.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace seedcore::energy {
namespace {

bool IsOneOf(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::ranges::find(names, name) != names.end();
}

double Probability(const state::RoleProbabilities& roles, Role role) {
  switch (role) {
    case Role::kE: return roles.E;
    case Role::kS: return roles.S;
    case Role::kO: return roles.O;
  }
  return 0.0;
}

}  // namespace

double SelectionScore(const Candidate& agent, const SelectionWeights& weights) {
  const std::array roles{agent.roles.E, agent.roles.S, agent.roles.O};
  const double entropy_bits = Entropy(roles) / std::log(2.0);
  return weights.capability * (1.0 - agent.capability) - weights.entropy * entropy_bits +
         weights.mem_util * agent.mem_util + weights.h_norm * agent.h_norm;
}

std::optional<std::size_t> SelectAgent(std::span<const Candidate> candidates, double required_capability,
                                       const SelectionWeights& weights) {
  std::optional<std::size_t> best;
  double best_score = 0.0;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& agent = candidates[i];
    if (!agent.available || agent.capability < required_capability) continue;
    const double score = SelectionScore(agent, weights);
    if (!best || score < best_score) {
      best = i;
      best_score = score;
    }
  }
  return best;
}

std::string_view ToString(Role role) {
  switch (role) {
    case Role::kE: return "E";
    case Role::kS: return "S";
    case Role::kO: return "O";
  }
  return "?";
}

Role IdealRole(std::string_view task_type) {
  return IsOneOf(task_type, {"optimization", "analysis", "execution"}) ? Role::kS : Role::kE;
}

double TaskComplexity(std::string_view task_type, std::string_view size, bool urgent) {
  double complexity = 0.5;
  if (IsOneOf(task_type, {"optimization", "analysis"})) complexity += 0.3;
  if (IsOneOf(task_type, {"exploration", "discovery"})) complexity += 0.2;
  if (size == "large") complexity += 0.2;
  if (size == "small") complexity -= 0.1;
  if (urgent) complexity += 0.1;
  return std::clamp(complexity, 0.1, 1.0);
}

double Suitability(const state::AgentSnapshot& agent, Role ideal_role, double complexity, double energy_share) {
  const state::RoleProbabilities roles = state::Projected(agent.p);
  return (1.0 - agent.c) * complexity + 0.5 * (1.0 - Probability(roles, ideal_role)) + 0.1 * energy_share +
         0.3 * agent.mem_util;
}

std::vector<double> EnergyShares(const EnergyInput& input, const Weights& weights) {
  std::vector<double> shares(input.h.rows);
  for (std::size_t i = 0; i < input.h.rows; ++i) {
    const auto h = input.h.Row(i);
    double pair = 0.0;
    if (weights.w_pair.empty()) {
      pair = weights.w_pair_self * Dot(h, h);
    } else {
      for (std::size_t j = 0; j < input.h.rows; ++j) pair += weights.w_pair(i, j) * Dot(h, input.h.Row(j));
    }
    shares[i] = -pair - weights.alpha_entropy * Entropy(input.p.Row(i)) + weights.lambda_reg * Dot(h, h);
  }
  return shares;
}

}  // namespace seedcore::energy

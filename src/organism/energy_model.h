#pragma once

#include <span>
#include <string_view>

#include "energy/energy.h"
#include "organism/agent_state.h"

/// The unified energy as the organism measures it: the terms that live agents have part in. Lower is better.
namespace seedcore::organism {

/// Which pairs of agents the pair term runs over.
enum class Pairing {
  kSelf,         ///< W_pair = 0.1 I, the default weights: what the energy service reports for the same agents
  kWithinOrgan,  ///< W_pair = 0.1 for every pair of one organ, its norm limited to 1: sees how agents are grouped
};

struct EnergyMember {
  std::string_view organ_id;
  const AgentState* state = nullptr;
};

/// The unified energy with the default weights but for the pairs. O(N D) for kSelf, O(N^2 D) for kWithinOrgan.
[[nodiscard]] energy::EnergyTerms MeasureEnergy(std::span<const EnergyMember> members, Pairing pairing);

/// What selection minimizes, see energy/selection.h.
[[nodiscard]] double SelectionScore(const AgentState& state);

}  // namespace seedcore::organism

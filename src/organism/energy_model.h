#pragma once

#include <span>
#include <string_view>

#include "base/json_binding.h"
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

struct EnergyReading {
  double pair = 0.0;
  double entropy = 0.0;
  double reg = 0.0;
  double total = 0.0;
  static constexpr auto kFields = Fields(Required("pair", &EnergyReading::pair, "-sum W_pair[i,j] <h_i, h_j>"),
                                         Required("entropy", &EnergyReading::entropy, "-alpha sum H(p_i)"),
                                         Required("reg", &EnergyReading::reg, "lambda sum ||h_i||^2"),
                                         Required("total", &EnergyReading::total, "Sum of the terms"));
};

[[nodiscard]] EnergyReading MeasureEnergy(std::span<const EnergyMember> members, Pairing pairing);

/// What selection minimizes: (1 - c) - 0.2 entropy_bits(roles) + 0.3 mem_util + 0.01 ||h||.
[[nodiscard]] double SelectionScore(const AgentState& state);

}  // namespace seedcore::organism

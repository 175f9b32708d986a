#include "organism/energy_model.h"

#include <algorithm>
#include <array>
#include <cstddef>

#include "base/check.h"
#include "energy/selection.h"

namespace seedcore::organism {
namespace {

/// Equal weights for all pairs within one organ, projected to the bounds of weights.h.
energy::Weights WithinOrgans(std::span<const EnergyMember> members) {
  energy::Weights weights;
  weights.w_pair = energy::Matrix(members.size(), members.size());
  for (std::size_t i = 0; i < members.size(); ++i) {
    for (std::size_t j = 0; j < members.size(); ++j) {
      if (members[i].organ_id == members[j].organ_id) weights.w_pair(i, j) = weights.w_pair_self;
    }
  }
  return energy::Project(std::move(weights));
}

}  // namespace

energy::EnergyTerms MeasureEnergy(std::span<const EnergyMember> members, Pairing pairing) {
  energy::EnergyInput input;
  input.h = energy::Matrix(members.size(), kStateSize);
  input.p = energy::Matrix(members.size(), 3);
  for (std::size_t i = 0; i < members.size(); ++i) {
    std::ranges::copy(members[i].state->h, input.h.Row(i).begin());
    const state::RoleProbabilities& roles = members[i].state->roles;
    std::ranges::copy(std::array{roles.E, roles.S, roles.O}, input.p.Row(i).begin());
  }
  const auto terms =
      energy::ComputeEnergy(input, pairing == Pairing::kSelf ? energy::Weights() : WithinOrgans(members));
  SEEDCORE_CHECK(terms, "the states of agents have equal lengths and are finite");
  return *terms;
}

double SelectionScore(const AgentState& state) {
  return energy::SelectionScore(
      {.capability = state.capability, .mem_util = state.mem_util, .roles = state.roles, .h_norm = state.Norm()});
}

}  // namespace seedcore::organism

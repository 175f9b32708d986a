#include "organism/energy_model.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <numeric>

namespace seedcore::organism {
namespace {

constexpr double kPair = 0.1;
constexpr double kAlpha = 0.1;
constexpr double kLambda = 0.01;

double EntropyNats(const RoleMix& roles) {
  constexpr double kFloor = 1e-8;
  const std::array<double, 3> q = {std::clamp(roles.e, kFloor, 1.0), std::clamp(roles.s, kFloor, 1.0),
                                   std::clamp(roles.o, kFloor, 1.0)};
  const double sum = q[0] + q[1] + q[2];
  double entropy = 0.0;
  for (const double value : q) entropy -= value / sum * std::log(value / sum);
  return entropy;
}

double Dot(const StateVector& a, const StateVector& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

double PairSumWithinOrgans(std::span<const EnergyMember> members) {
  struct Group {
    StateVector sum{};
    int size = 0;
  };
  std::map<std::string_view, Group> groups;
  int largest = 1;
  for (const EnergyMember& member : members) {
    Group& group = groups[member.organ_id];
    for (std::size_t i = 0; i < kStateSize; ++i) group.sum[i] += member.state->h[i];
    largest = std::max(largest, ++group.size);
  }
  // The matrix has one block of equal entries per organ; its spectral norm is that of the largest, 0.1 n.
  const double scale = 1.0 / std::max(1.0, kPair * largest);
  double sum = 0.0;
  for (const auto& [organ, group] : groups) sum += Dot(group.sum, group.sum);
  return sum * scale;
}

}  // namespace

EnergyReading MeasureEnergy(std::span<const EnergyMember> members, Pairing pairing) {
  EnergyReading reading;
  double squares = 0.0;
  for (const EnergyMember& member : members) {
    squares += Dot(member.state->h, member.state->h);
    reading.entropy -= kAlpha * EntropyNats(member.state->roles);
  }
  reading.pair = -kPair * (pairing == Pairing::kSelf ? squares : PairSumWithinOrgans(members));
  reading.reg = kLambda * squares;
  reading.total = reading.pair + reading.entropy + reading.reg;
  return reading;
}

double SelectionScore(const AgentState& state) {
  const double entropy_bits = EntropyNats(state.roles) / std::numbers::ln2;
  return (1.0 - state.capability) - 0.2 * entropy_bits + 0.3 * state.mem_util + 0.01 * state.Norm();
}

}  // namespace seedcore::organism

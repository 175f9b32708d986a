#include "organism/selection.h"

#include <tuple>

namespace seedcore::organism {

std::optional<std::size_t> SelectAgent(std::span<const Candidate> candidates, double required_capability) {
  const auto rank = [&](std::size_t i) {
    return std::tuple(candidates[i].score, candidates[i].running, candidates[i].agent_id);
  };
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const Candidate& candidate = candidates[i];
    if (candidate.running >= candidate.capacity || candidate.capability < required_capability) continue;
    if (!best || rank(i) < rank(*best)) best = i;
  }
  return best;
}

}  // namespace seedcore::organism

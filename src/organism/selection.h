#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

namespace seedcore::organism {

/// What selection knows of an agent.
struct Candidate {
  std::string_view agent_id;
  double score = 0.0;  ///< SelectionScore; lower is better
  double capability = 0.0;
  int running = 0;
  int capacity = 1;
};

/// Index of the agent that should run the next task: among those with a free slot and at least `required_capability`,
/// the lowest score; of equals the one with fewer executions running, then the first by id. nullopt: none is free.
[[nodiscard]] std::optional<std::size_t> SelectAgent(std::span<const Candidate> candidates, double required_capability);

}  // namespace seedcore::organism

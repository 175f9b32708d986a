#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/env.h"
#include "state/unified_state.h"

/// What an agent becomes by working: pure functions of values, so that equal histories give equal agents.
namespace seedcore::organism {

inline constexpr std::size_t kStateSize = 128;
using StateVector = std::array<double, kStateSize>;

/// Prior of an organ type (Cognitive, Actuator, Utility, Graph, Fact, Resource, AgentLayer); the near-uniform mix for
/// every other type.
[[nodiscard]] state::RoleProbabilities RolePrior(std::string_view organ_type);

/// One finished execution, as it shapes the agent.
struct Experience {
  std::string_view type;
  std::string_view domain;
  std::string_view description;
  bool success = false;
  double quality = 0.0;  ///< [0, 1]
  int mem_hits = 0;      ///< stored records the work used, 0 or more
  double latency_ms = 0.0;
  WallTime at;
};

inline constexpr std::size_t kRecentQualities = 20;

struct AgentState {
  StateVector h{};  ///< running mean of experience embeddings; ||h|| <= 1
  state::RoleProbabilities roles{.E = 0.9, .S = 0.1, .O = 0.0};
  double capability = 0.5;  ///< c, [0, 1]
  double mem_util = 0.0;    ///< [0, 1)
  std::int64_t tasks_processed = 0;
  std::int64_t successful_tasks = 0;
  std::array<double, kRecentQualities> recent_qualities{};  ///< ring; the newest is at (tasks_processed - 1) % 20
  double mean_latency_ms = 0.0;
  std::optional<WallTime> last_task_at;

  [[nodiscard]] double SuccessRate() const;  ///< 0 when there were no tasks
  [[nodiscard]] double MeanQuality() const;  ///< of the recent ones; 0 when there were none
  [[nodiscard]] double Norm() const;         ///< ||h||
  /// "Scout" above a capability of 0.65, "Employed" otherwise.
  [[nodiscard]] std::string_view Lifecycle() const;
};

/// The experience as a unit vector: signed feature hashing (Weinberger et al. 2009) of the words of the description,
/// the type, the domain, and the type together with its outcome, under a fixed seed. The same on every machine.
[[nodiscard]] StateVector EmbedExperience(const Experience& experience);

/// The state after `experience`. Exponential averages with weight 0.1 for the new value:
///   h <- 0.9 h + 0.1 x             x = EmbedExperience
///   c <- 0.9 c + 0.1 (0.6 success + 0.4 quality)
///   mem_util <- 0.9 mem_util + 0.1 (1 - 1 / (1 + mem_hits))    the last factor keeps it below 1
///   mean_latency <- the same, starting at the first value
[[nodiscard]] AgentState Learn(AgentState state, const Experience& experience);

}  // namespace seedcore::organism

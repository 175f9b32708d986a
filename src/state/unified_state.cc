#include "state/unified_state.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <numeric>

#include <fmt/format.h>

#include "base/check.h"

namespace seedcore::state {
namespace {

constexpr double kSumTolerance = 1e-6;

/// Collects issues up to a limit.
class Issues {
 public:
  explicit Issues(std::size_t limit) : limit_(limit) {}

  [[nodiscard]] bool Full() const { return found_.size() >= limit_; }
  void Add(std::string code, std::string path, std::string message) {
    if (!Full()) found_.push_back({std::move(code), std::move(path), std::move(message)});
  }
  std::vector<StateIssue> Take() && { return std::move(found_); }

 private:
  std::size_t limit_;
  std::vector<StateIssue> found_;
};

void CheckRoles(std::span<const double> roles, const std::string& path, Issues& issues) {
  if (roles.size() != 3) {
    issues.Add("P.shape", path, fmt::format("expected 3 probabilities, got {}", roles.size()));
    return;
  }
  if (!std::ranges::all_of(roles, [](double x) { return std::isfinite(x); })) {
    issues.Add("P.nan", path, "a probability is not finite");
    return;
  }
  if (std::ranges::any_of(roles, [](double x) { return x < 0.0; })) {
    issues.Add("P.negative", path, "a probability is negative");
    return;
  }
  const double sum = std::accumulate(roles.begin(), roles.end(), 0.0);
  if (std::abs(sum - 1.0) > kSumTolerance) {
    issues.Add("P.sum", path, fmt::format("the probabilities add up to {}, not to 1", sum));
  }
}

void CheckUnitInterval(double value, std::string code, std::string path, Issues& issues) {
  if (!(value >= 0.0 && value <= 1.0)) {
    issues.Add(std::move(code), std::move(path), fmt::format("{} is not within 0 and 1", value));
  }
}

void CheckAgents(const UnifiedState& state, Issues& issues) {
  const std::size_t width = state.agents.empty() ? 0 : state.agents.begin()->second.h.size();
  for (const auto& [id, agent] : state.agents) {
    if (issues.Full()) return;
    const std::string path = "agents." + id;
    CheckRoles(std::array{agent.p.E, agent.p.S, agent.p.O}, path + ".p", issues);
    if (agent.h.size() != width) {
      issues.Add("H.ndim", path + ".h", fmt::format("length {}, the first agent has {}", agent.h.size(), width));
    }
    if (!std::ranges::all_of(agent.h, [](double x) { return std::isfinite(x); })) {
      issues.Add("H.nan", path + ".h", "an element is not finite");
    }
    CheckUnitInterval(agent.c, "c.range", path + ".c", issues);
    CheckUnitInterval(agent.mem_util, "mem_util.range", path + ".mem_util", issues);
  }
}

}  // namespace

void ProjectOntoSimplex(std::span<double> values) {
  SEEDCORE_CHECK(!values.empty(), "the simplex of no dimensions is empty");
  std::vector<double> sorted(values.begin(), values.end());
  std::ranges::sort(sorted, std::greater<>());
  double prefix = 0.0;
  double theta = 0.0;
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    prefix += sorted[i];
    const double candidate = (prefix - 1.0) / static_cast<double>(i + 1);
    if (sorted[i] - candidate <= 0.0) break;
    theta = candidate;
  }
  for (double& value : values) value = std::max(value - theta, 0.0);
}

RoleProbabilities Projected(const RoleProbabilities& roles) {
  // A point of the simplex stays as it is to the last bit, so that a state read back gives the same energy.
  if (roles.E >= 0.0 && roles.S >= 0.0 && roles.O >= 0.0 && std::abs(roles.E + roles.S + roles.O - 1.0) <= 1e-12) {
    return roles;
  }
  std::array<double, 3> values{roles.E, roles.S, roles.O};
  ProjectOntoSimplex(values);
  return {values[0], values[1], values[2]};
}

RoleProbabilities AggregateRoles(std::span<const RoleProbabilities> rows) {
  if (rows.empty()) return {1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0};
  RoleProbabilities mean;
  for (const RoleProbabilities& row : rows) {
    mean.E += row.E;
    mean.S += row.S;
    mean.O += row.O;
  }
  const double scale = 1.0 / static_cast<double>(rows.size());
  return Projected({mean.E * scale, mean.S * scale, mean.O * scale});
}

std::vector<StateIssue> ValidateState(const UnifiedState& state, std::size_t limit) {
  Issues issues(limit);
  CheckAgents(state, issues);
  for (const auto& [id, organ] : state.organs) {
    if (issues.Full()) break;
    for (std::size_t row = 0; row < organ.P.size(); ++row) {
      CheckRoles(organ.P[row], fmt::format("organs.{}.P[{}]", id, row), issues);
    }
  }
  if (state.system) {
    const auto& patterns = state.system->E_patterns;
    for (std::size_t k = 0; k < patterns.size() && !issues.Full(); ++k) {
      CheckUnitInterval(patterns[k], "E_patterns.range_or_nan", fmt::format("system.E_patterns[{}]", k), issues);
    }
  }
  return std::move(issues).Take();
}

}  // namespace seedcore::state

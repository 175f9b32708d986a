#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/env.h"
#include "base/json.h"
#include "coordinator/predicate.h"

/// The rule file: which task goes which way, and what may be changed about the models. The format is that of
/// config/predicates.yaml, which explains itself.
namespace seedcore::coordinator {

enum class RouteAction {
  kFastPath,  ///< one organ executes the task
  kEscalate,  ///< the cognitive service plans it first
  kHold,      ///< the task waits until it is resumed
  kRetry,     ///< the task is tried again later
};
constexpr std::array<std::pair<RouteAction, std::string_view>, 4> EnumNames(RouteAction) {
  return {{{RouteAction::kFastPath, "fast_path"},
           {RouteAction::kEscalate, "escalate"},
           {RouteAction::kHold, "hold"},
           {RouteAction::kRetry, "retry"}}};
}

enum class MutationAction { kSubmitTuning, kSubmitRetrain, kHold, kSkip };
constexpr std::array<std::pair<MutationAction, std::string_view>, 4> EnumNames(MutationAction) {
  return {{{MutationAction::kSubmitTuning, "submit_tuning"},
           {MutationAction::kSubmitRetrain, "submit_retrain"},
           {MutationAction::kHold, "hold"},
           {MutationAction::kSkip, "skip"}}};
}

/// "when" holds -> do it.
template <class Action>
struct Rule {
  Predicate when;
  Action action{};
  std::string organ;        ///< of fast_path: who executes; empty: the routing directory decides
  int priority = 0;         ///< higher is asked earlier
  std::string description;  ///< never empty: the expression stands in for a missing one
  int line = 0;             ///< in the rule file, from 1
};

struct GpuGuardRules {
  int max_concurrent = 1;             ///< at least 1
  double daily_budget_hours = 4.0;    ///< in (0, 24]
  double cooldown_minutes = 0.0;      ///< not negative
  double queue_timeout_minutes = 30;  ///< not negative
};

/// One rule file, compiled. Immutable once loaded.
struct RuleSet {
  std::vector<Rule<RouteAction>> routing;       ///< by falling priority; equal ones as in the file
  std::vector<Rule<MutationAction>> mutations;  ///< likewise
  GpuGuardRules gpu_guard;
  json::object metadata;  ///< version, commit, created_at, description
  bool routing_enabled = true;
  bool mutations_enabled = true;
  bool gpu_guard_enabled = true;
  RouteAction fallback_routing = RouteAction::kEscalate;  ///< when no rule matches
  MutationAction fallback_mutation = MutationAction::kHold;
  json::value alerts;  ///< kept for the monitoring system; not evaluated here

  std::string source;               ///< "store, version 7", the file, or "built-in"
  std::int64_t shared_version = 0;  ///< in the store; 0: not from there
  std::string hash;                 ///< 16 hex digits over the text
  WallTime loaded_at;
};

/// Reads and compiles a rule file. kMalformed: no YAML; kInvalidArgument: anything else. `path` of the error is
/// "SOURCE:LINE" and the message names the rule.
[[nodiscard]] Result<RuleSet> ParseRules(std::string_view yaml, const std::string& source);

/// The text of config/predicates.yaml as it was when this program was built.
[[nodiscard]] std::string_view BuiltInRulesText();

/// The whole configuration, for GET /pipeline/predicates/config.
[[nodiscard]] json::object ToJson(const RuleSet& rules);

}  // namespace seedcore::coordinator

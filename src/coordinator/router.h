#pragma once

#include <cstdint>
#include <string>

#include "coordinator/rule_context.h"
#include "coordinator/rules.h"

namespace seedcore::coordinator {

/// How the rules were worked through.
struct RuleTrace {
  std::uint32_t evaluated = 0;
  std::uint32_t skipped = 0;  ///< could not be computed
  std::string first_skip;     ///< rule and reason of the first of them; empty when there was none
};

/// What the rules say about one task.
struct RouteDecision {
  RouteAction action = RouteAction::kEscalate;
  std::string organ;   ///< of fast_path; empty: the routing directory decides
  std::string rule;    ///< description of the rule that matched; empty: none did
  std::string reason;  ///< for people
  RuleTrace trace;
};

struct MutationDecision {
  MutationAction action = MutationAction::kHold;
  std::string rule;
  std::string reason;
  RuleTrace trace;
};

/// The first routing rule that holds, else the fallback. With routing disabled everything takes the fast path. Pure;
/// about a microsecond.
[[nodiscard]] RouteDecision Decide(const RuleSet& rules, const TaskView& task, const Signals& signals);

/// The first mutation rule that holds, else the fallback. With mutations disabled: hold.
[[nodiscard]] MutationDecision DecideMutation(const RuleSet& rules, const TaskView& task, const DecisionView& decision,
                                              const Signals& signals);

}  // namespace seedcore::coordinator

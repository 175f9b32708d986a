#include "coordinator/router.h"

#include <fmt/format.h>

#include "base/json_binding.h"

namespace seedcore::coordinator {
namespace {

/// The first rule that holds; null when none does.
template <class Action>
const Rule<Action>* FirstMatch(const std::vector<Rule<Action>>& rules, const RuleSlots& slots, RuleTrace& trace) {
  for (const Rule<Action>& rule : rules) {
    ++trace.evaluated;
    const auto holds = rule.when.Evaluate(slots);
    if (!holds) {
      if (trace.skipped++ == 0) trace.first_skip = fmt::format("{}: {}", rule.description, holds.error().ToString());
    } else if (*holds) {
      return &rule;
    }
  }
  return nullptr;
}

}  // namespace

RouteDecision Decide(const RuleSet& rules, const TaskView& task, const Signals& signals) {
  RouteDecision decision;
  if (!rules.routing_enabled) {
    decision.action = RouteAction::kFastPath;
    decision.reason = "Routing rules are disabled";
    return decision;
  }
  const RuleSlots slots = MakeRuleSlots(task, {}, signals);
  if (const auto* rule = FirstMatch(rules.routing, slots, decision.trace)) {
    decision.action = rule->action;
    decision.organ = rule->organ;
    decision.rule = rule->description;
    decision.reason = "Matched rule: " + rule->description;
  } else {
    decision.action = rules.fallback_routing;
    decision.reason = "No rule matched; fallback";
  }
  return decision;
}

MutationDecision DecideMutation(const RuleSet& rules, const TaskView& task, const DecisionView& decided,
                                const Signals& signals) {
  MutationDecision decision;
  if (!rules.mutations_enabled) {
    decision.reason = "Mutation rules are disabled";
    return decision;
  }
  const RuleSlots slots = MakeRuleSlots(task, decided, signals);
  if (const auto* rule = FirstMatch(rules.mutations, slots, decision.trace)) {
    decision.action = rule->action;
    decision.rule = rule->description;
    decision.reason = "Matched rule: " + rule->description;
  } else {
    decision.action = rules.fallback_mutation;
    decision.reason = "No rule matched; fallback";
  }
  return decision;
}

}  // namespace seedcore::coordinator

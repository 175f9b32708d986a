#include "coordinator/rules.h"

#include "base/json_binding.h"

namespace seedcore::coordinator {
namespace {

template <class Action>
json::array RulesToJson(const std::vector<Rule<Action>>& rules) {
  json::array array;
  for (const Rule<Action>& rule : rules) {
    std::string what(EnumToString(rule.action));
    if (!rule.organ.empty()) what += ":" + rule.organ;
    array.push_back(json::object{{"when", rule.when.source()},
                                 {"do", what},
                                 {"priority", rule.priority},
                                 {"description", rule.description},
                                 {"line", rule.line}});
  }
  return array;
}

}  // namespace

json::object ToJson(const RuleSet& rules) {
  return {{"routing", RulesToJson(rules.routing)},
          {"mutations", RulesToJson(rules.mutations)},
          {"gpu_guard", json::object{{"max_concurrent", rules.gpu_guard.max_concurrent},
                                     {"daily_budget_hours", rules.gpu_guard.daily_budget_hours},
                                     {"cooldown_minutes", rules.gpu_guard.cooldown_minutes},
                                     {"queue_timeout_minutes", rules.gpu_guard.queue_timeout_minutes}}},
          {"metadata", rules.metadata},
          {"routing_enabled", rules.routing_enabled},
          {"mutations_enabled", rules.mutations_enabled},
          {"gpu_guard_enabled", rules.gpu_guard_enabled},
          {"fallback", json::object{{"routing", EnumToString(rules.fallback_routing)},
                                    {"mutation", EnumToString(rules.fallback_mutation)}}},
          {"alerts", rules.alerts}};
}

}  // namespace seedcore::coordinator

#pragma once

#include <array>
#include <string_view>

#include "coordinator/predicate.h"
#include "coordinator/signals.h"

namespace seedcore::coordinator {

/// A task as rules see it. Views: the task outlives the decision.
struct TaskView {
  std::string_view type;  ///< lower case
  std::string_view domain;
  int priority = 5;                        ///< 1..10
  double complexity = 0.5;                 ///< 0..1
  const json::object* params = nullptr;    ///< null: rules see null
  const json::object* features = nullptr;  ///< null: rules see null
};

/// What triage has decided so far, for mutation rules.
struct DecisionView {
  std::string_view action = "hold";
  double confidence = 0.5;
  std::string_view reasoning;
};

/// Every name a rule may use: the signals, task.*, decision.* and gpu.*.
[[nodiscard]] const SymbolTable& RuleSymbols();

inline constexpr std::size_t kRuleSlots = kSignalCount + 13;
using RuleSlots = std::array<Value, kRuleSlots>;

/// The values of those names for one task, in the order of RuleSymbols().
[[nodiscard]] RuleSlots MakeRuleSlots(const TaskView& task, const DecisionView& decision, const Signals& signals);

}  // namespace seedcore::coordinator

#include "coordinator/rule_context.h"

#include "base/check.h"

namespace seedcore::coordinator {
namespace {

Value ValueOf(const Signals& signals, Signal signal) {
  const auto number = signals.Get(signal);
  if (!number) return {};
  switch (AllSignals()[static_cast<std::size_t>(signal)].type) {
    case SignalType::kFloat: return Value::Float(*number);
    case SignalType::kInt: return Value::Int(static_cast<std::int64_t>(*number));
    case SignalType::kBool: return Value::Bool(*number != 0.0);
  }
  return {};
}

}  // namespace

const SymbolTable& RuleSymbols() {
  static const SymbolTable symbols = [] {
    std::vector<std::string> names;
    for (const SignalInfo& signal : AllSignals()) names.emplace_back(signal.name);
    for (const auto* name : {"task.type", "task.domain", "task.priority", "task.complexity", "task.params",
                             "task.features", "decision.action", "decision.confidence", "decision.reasoning",
                             "gpu.guard_ok", "gpu.budget_remaining_s", "gpu.queue_depth", "gpu.concurrent_jobs"}) {
      names.emplace_back(name);
    }
    SEEDCORE_CHECK(names.size() == kRuleSlots, "MakeRuleSlots fills exactly these");
    return SymbolTable(std::move(names));
  }();
  return symbols;
}

RuleSlots MakeRuleSlots(const TaskView& task, const DecisionView& decision, const Signals& signals) {
  RuleSlots slots;
  for (std::size_t i = 0; i < kSignalCount; ++i) slots[i] = ValueOf(signals, static_cast<Signal>(i));
  std::size_t next = kSignalCount;
  slots[next++] = Value::String(task.type);
  slots[next++] = Value::String(task.domain);
  slots[next++] = Value::Int(task.priority);
  slots[next++] = Value::Float(task.complexity);
  slots[next++] = task.params == nullptr ? Value() : Value::Of(*task.params);
  slots[next++] = task.features == nullptr ? Value() : Value::Of(*task.features);
  slots[next++] = Value::String(decision.action);
  slots[next++] = Value::Float(decision.confidence);
  slots[next++] = Value::String(decision.reasoning);
  for (const Signal signal :
       {Signal::kGpuGuardOk, Signal::kGpuBudgetRemainingS, Signal::kGpuQueueDepth, Signal::kGpuConcurrentJobs}) {
    slots[next++] = ValueOf(signals, signal);
  }
  return slots;
}

}  // namespace seedcore::coordinator

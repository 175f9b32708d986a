#include <benchmark/benchmark.h>

#include "coordinator/ocps.h"
#include "coordinator/router.h"

/// What a routing decision costs: the shipped rules, the drift valve, and both together.
namespace seedcore::coordinator {
namespace {

Signals LiveSignals() {
  Signals signals;
  for (const auto& [signal, value] : std::initializer_list<std::pair<Signal, double>>{{Signal::kPFast, 0.95},
                                                                                      {Signal::kSDrift, 0.2},
                                                                                      {Signal::kOcpsEscalate, 0},
                                                                                      {Signal::kEscalationRatio, 0.1},
                                                                                      {Signal::kFastPathLatencyMs, 12},
                                                                                      {Signal::kMemoryUtilization, 0.4},
                                                                                      {Signal::kCpuUtilization, 0.3},
                                                                                      {Signal::kTaskPriority, 5},
                                                                                      {Signal::kTaskComplexity, 0.5}}) {
    signals.SetMeasured(signal, value);
  }
  return signals;
}

/// range(0): 0 a query (the seventh rule of twelve), 1 a type that no rule but the last knows.
void ShippedRules(benchmark::State& state) {
  const auto rules = ParseRules(BuiltInRulesText(), "built-in");
  const Signals signals = LiveSignals();
  const json::object params{{"question", "what time is it"}};
  const TaskView task{.type = state.range(0) == 0 ? "general_query" : "something_else", .params = &params};
  for (auto _ : state) benchmark::DoNotOptimize(Decide(*rules, task, signals));
}
BENCHMARK(ShippedRules)->Arg(0)->Arg(1);

void DriftValve(benchmark::State& state) {
  OcpsValve valve({});
  for (auto _ : state) benchmark::DoNotOptimize(valve.Update(0.2));
}
BENCHMARK(DriftValve);

void RoutingDecision(benchmark::State& state) {
  const auto rules = ParseRules(BuiltInRulesText(), "built-in");
  OcpsValve valve({});
  for (auto _ : state) {
    const bool escalate = valve.Update(0.2);
    Signals signals = LiveSignals();
    signals.SetMeasured(Signal::kOcpsEscalate, escalate ? 1.0 : 0.0);
    benchmark::DoNotOptimize(Decide(*rules, {.type = "something_else"}, signals));
  }
}
BENCHMARK(RoutingDecision);

void CompileOneRule(benchmark::State& state) {
  for (auto _ : state) {
    benchmark::DoNotOptimize(Predicate::Compile(
        "task.type == \"execute\" and memory_utilization < 0.8 and (cpu_utilization is None or cpu_utilization < 0.9)",
        RuleSymbols()));
  }
}
BENCHMARK(CompileOneRule);

}  // namespace
}  // namespace seedcore::coordinator

// One routing decision with the shipped rules: the drift valve, the signals, the predicates. Google Benchmark; pass
// --benchmark_format=json for figures to read by program.

#include <array>
#include <cstdlib>

#include <benchmark/benchmark.h>

#include "coordinator/ocps.h"
#include "coordinator/router.h"

namespace seedcore::coordinator {
namespace {

const RuleSet& ShippedRules() {
  static const RuleSet rules = [] {
    auto parsed = ParseRules(BuiltInRulesText(), "built-in");
    if (!parsed) std::abort();
    return std::move(*parsed);
  }();
  return rules;
}

Signals Measured(const OcpsValve& valve, double drift, bool escalate) {
  Signals signals;
  signals.SetMeasured(Signal::kPFast, valve.state().PFast());
  signals.SetMeasured(Signal::kSDrift, drift);
  signals.SetMeasured(Signal::kOcpsEscalate, escalate ? 1.0 : 0.0);
  signals.SetMeasured(Signal::kEscalationRatio, 0.1);
  signals.SetMeasured(Signal::kFastPathLatencyMs, 3.0);
  signals.SetMeasured(Signal::kSuccessRate, 0.99);
  signals.SetMeasured(Signal::kMemoryUtilization, 0.4);
  signals.SetMeasured(Signal::kCpuUtilization, 0.3);
  signals.SetMeasured(Signal::kTaskPriority, 5.0);
  signals.SetMeasured(Signal::kTaskComplexity, 0.5);
  return signals;
}

void RoutingDecision(benchmark::State& state, std::string_view type) {
  const RuleSet& rules = ShippedRules();
  const json::object params{{"series", "nyc_taxi"}, {"window", 48}, {"threshold", 0.75}};
  const json::object features;
  const TaskView task{.type = type, .params = &params, .features = &features};
  OcpsValve valve{OcpsSettings{}};
  // Mostly quiet, now and then a surprise: the valve opens once in a while.
  constexpr std::array kDrifts{0.02, 0.05, 0.3, 0.08, 0.01, 0.6, 0.04, 0.1};
  std::size_t next = 0;
  std::uint64_t evaluated = 0;
  for (auto _ : state) {
    const double drift = kDrifts[next++ % kDrifts.size()];
    const bool escalate = valve.Update(drift);
    const Signals signals = Measured(valve, drift, escalate);
    const RouteDecision decision = Decide(rules, task, signals);
    evaluated += decision.trace.evaluated;
    benchmark::DoNotOptimize(decision);
  }
  state.counters["rules_asked"] =
      benchmark::Counter(static_cast<double>(evaluated), benchmark::Counter::kAvgIterations);
}

BENCHMARK_CAPTURE(RoutingDecision, general_query, "general_query");
BENCHMARK_CAPTURE(RoutingDecision, anomaly_triage, "anomaly_triage");
// No rule names this type, so that every rule is asked.
BENCHMARK_CAPTURE(RoutingDecision, no_rule, "fact_search");

}  // namespace
}  // namespace seedcore::coordinator

BENCHMARK_MAIN();

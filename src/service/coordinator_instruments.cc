#include "service/coordinator_impl.h"

namespace seedcore::service {
namespace {

const std::vector<double>& MillisecondBuckets() {
  static const std::vector<double> buckets = {0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1,    5,
                                              10,    50,    100,  500,  1e3, 5e3, 10e3, 60e3};
  return buckets;
}

}  // namespace

CoordinatorInstruments::CoordinatorInstruments(Metrics& m)
    : metrics(m),
      total_requests(m.GetCounter("coord_total_requests_total", "Tasks routed")),
      escalation_requests(m.GetCounter("coord_escalation_requests_total", "Escalations of tasks and triages")),
      drift_measured(m.GetCounter("coord_drift_computations_total", "Drift scores asked for",
                                  {{"status", "success"}, {"drift_mode", "ml"}})),
      drift_failed(m.GetCounter("coord_drift_computations_total", "Drift scores asked for",
                                {{"status", "error"}, {"drift_mode", "ml"}})),
      synthesis_done(m.GetCounter("coord_memory_synthesis_attempts_total", "Triage summaries for memory",
                                  {{"status", "success"}})),
      synthesis_failed(
          m.GetCounter("coord_memory_synthesis_attempts_total", "Triage summaries for memory", {{"status", "error"}})),
      router_ms(m.GetHistogram("coord_router_ms", "Time of a routing decision, ms", MillisecondBuckets())),
      end_to_end_ms(m.GetHistogram("coord_e2e_ms", "Time from request to result, ms", MillisecondBuckets())),
      drift_seconds(m.GetHistogram("coord_drift_computation_seconds", "Time of a drift score", DurationBuckets())),
      drift_scores(m.GetHistogram("coord_drift_scores", "Drift of tasks",
                                  {0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0})),
      evaluation_seconds(m.GetHistogram("coord_predicate_evaluation_seconds", "Time to work through the routing rules",
                                        DurationBuckets())) {
  using coordinator::Signal;
  const auto gauge = [&](Signal signal, const char* name) {
    const auto index = static_cast<std::size_t>(signal);
    signal_gauges[index] = &m.GetGauge(name, std::string(coordinator::AllSignals()[index].meaning));
  };
  gauge(Signal::kPFast, "coord_p_fast");
  gauge(Signal::kSDrift, "coord_s_drift");
  gauge(Signal::kEscalationRatio, "coord_escalation_ratio");
  gauge(Signal::kFastPathLatencyMs, "coord_fast_path_latency_ms");
  gauge(Signal::kHgnnLatencyMs, "coord_hgnn_latency_ms");
  gauge(Signal::kSuccessRate, "coord_success_rate");
  gauge(Signal::kMemoryUtilization, "coord_memory_utilization");
  gauge(Signal::kCpuUtilization, "coord_cpu_utilization");
}

void CoordinatorInstruments::CountRequest(std::string_view path, bool success) {
  total_requests.Increment();
  metrics
      .GetCounter("coord_requests_total", "Tasks routed, by path and outcome",
                  {{"path", std::string(path)}, {"success", success ? "true" : "false"}})
      .Increment();
}

void CoordinatorInstruments::CountRouting(const coordinator::RouteDecision& decision) {
  metrics
      .GetCounter("coord_routing_decisions_total", "Routing decisions by rule",
                  {{"decision", std::string(EnumToString(decision.action))}, {"reason", decision.rule}})
      .Increment();
  CountEvaluations("routing", decision.trace, !decision.rule.empty());
}

void CoordinatorInstruments::CountMutation(const coordinator::MutationDecision& decision) {
  metrics
      .GetCounter("coord_mutation_decisions_total", "Mutation decisions by rule",
                  {{"decision", std::string(EnumToString(decision.action))}, {"reason", decision.rule}})
      .Increment();
  CountEvaluations("mutation", decision.trace, !decision.rule.empty());
}

void CoordinatorInstruments::CountEvaluations(std::string_view rule_type, const coordinator::RuleTrace& trace,
                                              bool matched) {
  const auto count = [&](const char* result, std::uint32_t by) {
    if (by == 0) return;
    metrics
        .GetCounter("coord_predicate_evaluations_total", "Rules evaluated, by outcome",
                    {{"rule_type", std::string(rule_type)}, {"result", result}})
        .Increment(by);
  };
  count("true", matched ? 1 : 0);
  count("error", trace.skipped);
  count("false", trace.evaluated - trace.skipped - (matched ? 1 : 0));
}

void CoordinatorInstruments::SetSignals(const coordinator::Signals& signals) {
  for (std::size_t i = 0; i < signal_gauges.size(); ++i) {
    const auto value = signals.Get(static_cast<coordinator::Signal>(i));
    if (signal_gauges[i] != nullptr && value) signal_gauges[i]->Set(*value);
  }
}

}  // namespace seedcore::service

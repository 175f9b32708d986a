#include "organism/executors/executors.h"

namespace seedcore::organism {
namespace {

struct TriageParams {
  std::vector<double> series;
  std::vector<json::value> timestamps;
  std::int64_t report_from = 0;
  json::object context;
  static constexpr auto kFields =
      Fields(Optional("series", &TriageParams::series, "The values, oldest first"),
             Optional("timestamps", &TriageParams::timestamps, "One per value, RFC 3339 or Unix seconds"),
             Optional("report_from", &TriageParams::report_from, "Values before this index serve as history"),
             Optional("context", &TriageParams::context, "What is known about them"));
};

/// The confidence the triage itself reports; 1 when it reports none.
double ConfidenceOf(const json::value& reply) {
  const auto* object = reply.if_object();
  const json::value* decision = object != nullptr ? object->if_contains("decision") : nullptr;
  const auto* fields = decision != nullptr ? decision->if_object() : nullptr;
  const json::value* confidence = fields != nullptr ? fields->if_contains("confidence") : nullptr;
  return confidence != nullptr && confidence->is_number() ? JsonToDouble(*confidence) : 1.0;
}

std::string AgentOf(const TaskSpec& task) {
  const json::value* agent = task.params.if_contains("agent_id");
  if (agent != nullptr && agent->is_string()) return std::string(agent->get_string());
  return task.agent_id.empty() ? "task:" + task.id : task.agent_id;
}

}  // namespace

Executor MakeAnomalyTriage(AnomalyTriageFunction triage) {
  return {.type = "anomaly_triage",
          .doc =
              "Detects anomalies in a series, reasons about them and decides what to do, through the coordinator. "
              "params.agent_id names whose series it is. Quality: the decision's confidence; 1 when it states none.",
          .params_schema = ParamsSchema<TriageParams>(),
          .execute = [triage = std::move(triage)](const TaskSpec& task, const CallContext& call) -> ExecutionResult {
            const auto params = ReadParams<TriageParams>(task);
            if (!params) return ExecutionResult::Failure(params.error());
            if (!triage) {
              return ExecutionResult::Failure({ErrorCode::kUnavailable, "the coordinator is not connected", {}});
            }
            auto outcome = triage({{"agent_id", AgentOf(task)},
                                   {"series", json::array(params->series.begin(), params->series.end())},
                                   {"timestamps", json::array(params->timestamps.begin(), params->timestamps.end())},
                                   {"report_from", params->report_from},
                                   {"context", params->context}},
                                  call);
            if (!outcome) return ExecutionResult::Failure(outcome.error());
            const double confidence = ConfidenceOf(outcome->reply);
            ExecutionResult result = ExecutionResult::Success(std::move(outcome->reply), confidence);
            result.effects = std::move(outcome->effects);
            return result;
          }};
}

}  // namespace seedcore::organism

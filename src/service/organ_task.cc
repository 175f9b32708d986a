#include "service/organ_task.h"

#include <algorithm>

#include "service/edge.h"

namespace seedcore::service {
namespace {

/// Which agent the task asks for. The agent_id of an anomaly is whose series it is, not who should look at it.
std::string PinnedAgent(const RoutedTask& task) {
  if (task.type == "anomaly_triage") return {};
  for (const std::string_view name : {"agent_id", "agent", "owner_agent_id"}) {
    if (std::string agent = TextOf(task.params, name); !agent.empty()) return agent;
  }
  return {};
}

}  // namespace

double RequiredCapability(const json::object& params) {
  const json::value* value = params.if_contains("required_capability");
  return value != nullptr && value->is_number() ? std::clamp(JsonToDouble(*value), 0.0, 1.0) : 0.0;
}

json::object EvidenceFor(std::string_view type, const RouteResponse& response) {
  if (type != "anomaly_triage") return {};
  const Evidence evidence{
      .drift = response.drift, .ocps = response.ocps, .escalated = response.escalated, .warnings = response.warnings};
  return ToJson(evidence).as_object();
}

OrganTask OrganTaskOf(const RoutedTask& task, const RouteResponse& response) {
  return {.id = task.id,
          .type = task.type,
          .description = task.description,
          .domain = task.domain,
          .params = task.params,
          .priority = task.priority,
          .drift_score = response.drift.value_or(0.0),
          .required_capability = RequiredCapability(task.params),
          .agent_id = PinnedAgent(task),
          .idempotency_key = task.idempotency_key,
          .attempt = task.attempt,
          .evidence = EvidenceFor(task.type, response)};
}

std::optional<EnergyReport> EnergyOf(const ExecuteReply& reply) {
  if (!reply.result) return std::nullopt;
  return EnergyReport{.before = reply.result->energy_before,
                      .after = reply.result->energy_after,
                      .delta = reply.result->delta_e_realized};
}

}  // namespace seedcore::service

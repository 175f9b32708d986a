#include "service/task_route.h"

#include <algorithm>
#include <utility>

namespace seedcore::service {

RouteRequest RouteRequestOf(const store::Task& task, const CallContext& call) {
  RouteRequest request;
  request.id = task.id;
  request.type = task.type;
  request.description = task.description;
  request.domain = task.domain;
  request.params = task.params;
  request.priority = task.priority;
  request.attempt = std::max(task.attempts, 1);
  request.idempotency_key = call.idempotency_key;
  request.effects = EffectsMode::kReturn;
  if (const json::value* features = task.params.if_contains("features"); features != nullptr && features->is_object()) {
    request.features = features->get_object();
  }
  if (const json::value* history = task.params.if_contains("history_ids"); history != nullptr && history->is_array()) {
    for (const json::value& id : history->get_array()) {
      if (id.is_string()) request.history_ids.emplace_back(id.get_string());
    }
  }
  return request;
}

queue::TaskOutcome OutcomeOf(Result<RouteResponse> response, std::chrono::milliseconds retry_delay) {
  if (!response) return queue::TaskOutcome::Fail(response.error());
  store::Effects effects = std::exchange(response->effects, {}).ToStore();
  json::value result = ToJson(*response);
  result.as_object().erase("effects");
  if (response->path == "hold") return queue::TaskOutcome::Hold(response->routing_reason);
  if (response->path == "retry") {
    return queue::TaskOutcome::RetryAfter(retry_delay, {ErrorCode::kUnavailable, response->routing_reason, ""});
  }
  if (response->success) return queue::TaskOutcome::Complete(std::move(result), std::move(effects));
  queue::TaskOutcome outcome = queue::TaskOutcome::Fail(
      {ErrorCodeFromString(response->error_code), response->error.value_or(""), response->error_path},
      std::move(result));
  outcome.effects = std::move(effects);
  return outcome;
}

}  // namespace seedcore::service

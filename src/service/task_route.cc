#include "service/task_route.h"

#include <algorithm>
#include <utility>

namespace seedcore::service {

namespace {

std::vector<store::StepWrite> ToStore(std::vector<StepCheckpoint> checkpoints) {
  std::vector<store::StepWrite> out;
  for (StepCheckpoint& step : checkpoints) {
    out.push_back(
        {.name = std::move(step.step),
         .status = EnumFromString<store::TaskStepStatus>(step.status).value_or(store::TaskStepStatus::kFailed),
         .result = std::move(step.result),
         .error = std::move(step.error),
         .error_code = std::move(step.error_code),
         .wait_until = {}});
  }
  return out;
}

}  // namespace

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
  if (!task.owner_id.empty()) request.lease = TaskLease{task.owner_id, task.fencing_token};
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
  std::vector<store::StepWrite> steps = ToStore(std::exchange(response->checkpoints, {}));
  json::value result = ToJson(*response);
  result.as_object().erase("effects");
  result.as_object().erase("waits_for_step");
  if (response->path == "hold") {
    queue::TaskOutcome outcome = queue::TaskOutcome::Hold(response->routing_reason);
    std::get<store::Held>(outcome.verdict).for_step = response->waits_for_step;
    outcome.steps = std::move(steps);
    return outcome;
  }
  if (response->path == "retry") {
    return queue::TaskOutcome::RetryAfter(retry_delay, {ErrorCode::kUnavailable, response->routing_reason, ""});
  }
  if (response->success) {
    queue::TaskOutcome outcome = queue::TaskOutcome::Complete(std::move(result), std::move(effects));
    outcome.steps = std::move(steps);
    return outcome;
  }
  queue::TaskOutcome outcome = queue::TaskOutcome::Fail(
      {ErrorCodeFromString(response->error_code), response->error.value_or(""), response->error_path},
      std::move(result));
  outcome.effects = std::move(effects);
  outcome.steps = std::move(steps);
  return outcome;
}

}  // namespace seedcore::service

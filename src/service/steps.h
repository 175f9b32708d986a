#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "base/json_binding.h"
#include "service/operation.h"
#include "service/tasks.h"
#include "store/step_store.h"

/// The steps of tasks, `/api/v1/tasks/{id}/steps`: look, answer, replay, fork.
namespace seedcore::service {

struct StepRead {
  int number = 0;
  std::string name;
  store::TaskStepStatus status = store::TaskStepStatus::kPending;
  std::vector<std::string> depends_on;
  json::object spec;
  int attempt = 0;
  int round = 1;
  std::string idempotency_key;
  json::value result;
  std::optional<std::string> error;
  std::optional<std::string> error_code;
  std::optional<WallTime> started_at;
  std::optional<WallTime> finished_at;
  std::optional<WallTime> wait_until;
  static constexpr auto kFields = Fields(
      Required("number", &StepRead::number, "Place in the plan, from 0"),
      Required("name", &StepRead::name, "Unique in the task"), Required("status", &StepRead::status, "Where it stands"),
      Required("depends_on", &StepRead::depends_on, "Steps that had to be completed before"),
      Optional("spec", &StepRead::spec, "What it does: task or hold, retry, timeout_s; empty when a worker added it"),
      Required("attempt", &StepRead::attempt, "Executions begun in this round"),
      Required("round", &StepRead::round, "Grows at each replay that drops the step"),
      Required("idempotency_key", &StepRead::idempotency_key, "The same at every attempt of a round"),
      Optional("result", &StepRead::result,
               "Of a completed step. Of a planned one output, organ_id, agent_id and energy; of a hold the answer"),
      Optional("error", &StepRead::error, "Why it failed or was skipped; of a waiting step what is asked"),
      Optional("error_code", &StepRead::error_code, "Code of the error"),
      Optional("started_at", &StepRead::started_at, "Begin of the last attempt"),
      Optional("finished_at", &StepRead::finished_at, "When it ended"),
      Optional("wait_until", &StepRead::wait_until, "A waiting step fails when nobody has answered by then"));
};
/// `task_key`: what the keys of the steps begin with.
[[nodiscard]] StepRead ToStepRead(store::TaskStep step, std::string_view task_key);

struct StepList {
  std::vector<StepRead> items;
  static constexpr auto kFields = Fields(Required("items", &StepList::items, "In the order of the plan; may be empty"));
};

struct StepAnswerRequest {
  std::string id;
  std::string step;
  json::value answer;
  bool refuse = false;
  std::string reason;
  static constexpr auto kFields =
      Fields(Required("id", &StepAnswerRequest::id, "Task id, or a unique prefix of 4 characters or more"),
             Required("step", &StepAnswerRequest::step, "Name of the step that waits"),
             Optional("answer", &StepAnswerRequest::answer, "Any JSON; becomes the result of the step"),
             Optional("refuse", &StepAnswerRequest::refuse, "true: the step fails, and what depends on it is skipped"),
             Optional("reason", &StepAnswerRequest::reason, "Of a refusal"));
};

struct FromStepRequest {
  std::string id;
  std::string from_step;
  static constexpr auto kFields =
      Fields(Required("id", &FromStepRequest::id, "Task id, or a unique prefix of 4 characters or more"),
             Required("from_step", &FromStepRequest::from_step, "This step and what depends on it run again"));
};

/// Thread-safe; everything it knows is in the store.
class StepService {
 public:
  StepService(store::TaskStore& tasks, store::StepStore& steps) : tasks_(tasks), steps_(steps) {}

  Result<StepList> List(const TaskId& request, const CallContext& call);
  Result<TaskRead> Answer(const StepAnswerRequest& request, const CallContext& call);
  Result<TaskRead> Replay(const FromStepRequest& request, const CallContext& call);
  Result<TaskRead> Fork(const FromStepRequest& request, const CallContext& call);

 private:
  store::TaskStore& tasks_;
  store::StepStore& steps_;
};

[[nodiscard]] OperationTable<StepService> StepOperations();

}  // namespace seedcore::service

#include "service/steps.h"

#include <utility>

#include "service/members.h"

namespace seedcore::service {
namespace {

Result<TaskRead> ToRead(Result<store::Task> task) {
  if (!task) return std::unexpected(std::move(task.error()));
  return ToTaskRead(std::move(*task));
}

}  // namespace

StepRead ToStepRead(store::TaskStep step, std::string_view task_key) {
  std::string key = store::StepKey(task_key, step.name, step.round);
  return {.number = step.number,
          .name = std::move(step.name),
          .status = step.status,
          .depends_on = std::move(step.depends_on),
          .spec = std::move(step.spec),
          .attempt = step.attempt,
          .round = step.round,
          .idempotency_key = std::move(key),
          .result = std::move(step.result),
          .error = NonEmpty(std::move(step.error)),
          .error_code = NonEmpty(std::move(step.error_code)),
          .started_at = step.started_at,
          .finished_at = step.finished_at,
          .wait_until = step.wait_until};
}

Result<StepList> StepService::List(const TaskId& request, const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(const store::Task task, tasks_.Get(request.id));
  SEEDCORE_ASSIGN_OR_RETURN(std::vector<store::TaskStep> steps, steps_.Steps(task.id));
  StepList list;
  list.items.reserve(steps.size());
  for (store::TaskStep& step : steps) list.items.push_back(ToStepRead(std::move(step), task.id));
  return list;
}

Result<TaskRead> StepService::Answer(const StepAnswerRequest& request, const CallContext&) {
  return ToRead(steps_.Answer(request.id, request.step, {request.answer, request.refuse, request.reason}));
}

Result<TaskRead> StepService::Replay(const FromStepRequest& request, const CallContext&) {
  return ToRead(steps_.Replay(request.id, request.from_step));
}

Result<TaskRead> StepService::Fork(const FromStepRequest& request, const CallContext&) {
  return ToRead(steps_.Fork(request.id, request.from_step));
}

OperationTable<StepService> StepOperations() {
  return {"/api/v1",
          "Steps of tasks: look, answer, replay, fork",
          {
              Get<&StepService::List>("/tasks/{id}/steps", "The steps of a task with their results"),
              Post<&StepService::Answer>("/tasks/{id}/steps/{step}/resume",
                                         "Answers a step that waits for a person, and queues its task"),
              Post<&StepService::Replay>("/tasks/{id}/replay", "Runs an ended task again from a step"),
              Post<&StepService::Fork>("/tasks/{id}/fork", "A new task that goes on from a step of this one"),
          },
          ""};
}

}  // namespace seedcore::service

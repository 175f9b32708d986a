#include "sim/workflow.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "sim/link.h"

namespace seedcore::sim {

using queue::TaskOutcome;
using store::TaskStep;
using store::TaskStepStatus;

namespace {

std::string NameOf(int step) { return fmt::format("s{}", step); }

int IntOf(const json::object& object, const char* name, int otherwise) {
  const auto* found = object.if_contains(name);
  return found == nullptr ? otherwise : static_cast<int>(found->as_int64());
}

}  // namespace

Plan PlanOf(const store::Task& task) {
  return {.steps = IntOf(task.params, "steps", 0), .person = IntOf(task.params, "person", -1)};
}

json::object ParamsOf(const Plan& plan) {
  if (plan.steps == 0) return {};
  return {{"steps", plan.steps}, {"person", plan.person}};
}

std::string EffectOf(const std::string& task_id, int step) { return fmt::format("{}/{}", task_id, step); }

TaskStep* Workflow::FirstUnfinished() {
  const auto found =
      std::ranges::find_if(steps_, [](const TaskStep& s) { return s.status != TaskStepStatus::kCompleted; });
  return found == steps_.end() ? nullptr : &*found;
}

std::optional<TaskOutcome> Workflow::Advance() {
  if (steps_.empty()) return Open();
  if (executing_) return Complete();
  return Begin();
}

/// A call that fails is made again: whether it was done is not known, and doing it twice does no harm.
std::optional<TaskOutcome> Workflow::Failed(const Error& error) {
  if (error.code == ErrorCode::kUnavailable && --tries_left_ > 0) return std::nullopt;
  // Nobody writes what the lease of another protects, and the plan of a task never changes.
  if (error.code != ErrorCode::kUnavailable && error.code != ErrorCode::kLeaseLost) {
    checker_.Violate(fmt::format("{}: a step is refused: {}", claim_.task.id, ToString(error)));
  }
  return TaskOutcome::Fail(error);
}

std::optional<TaskOutcome> Workflow::Open() {
  store::NewPlan plan;
  for (int i = 0; i < plan_.steps; ++i) {
    plan.steps.push_back({.name = NameOf(i), .depends_on = {}, .spec = {}});
    if (i > 0) plan.steps.back().depends_on.push_back(NameOf(i - 1));
  }
  auto saved = Through(weather_, true, [&] { return store_.SavePlan(claim_.lease(), plan); });
  if (!saved) return Failed(saved.error());
  steps_ = std::move(*saved);
  return std::nullopt;
}

Result<void> Workflow::Write(TaskStepStatus status, const store::Effects& effects) {
  const std::array writes{store::StepWrite{.name = FirstUnfinished()->name,
                                           .status = status,
                                           .result = nullptr,
                                           .error = {},
                                           .error_code = {},
                                           .wait_until = {}}};
  return Belatable(
      weather_, true, [&] { return store_.WriteSteps(claim_.lease(), writes, effects); },
      [&] {
        return [&store = store_, lease = claim_.lease(), writes, effects] {
          static_cast<void>(store.WriteSteps(lease, writes, effects));
        };
      });
}

std::optional<TaskOutcome> Workflow::Begin() {
  const TaskStep* step = FirstUnfinished();
  if (step == nullptr) {
    return TaskOutcome::Complete("done", {.facts = {{.text = claim_.task.id, .tags = {}, .meta_data = {}}}});
  }
  if (step->number == plan_.person) {
    TaskOutcome outcome = TaskOutcome::Hold("a person must answer");
    std::get<store::Held>(outcome.verdict).for_step = true;
    if (step->status != TaskStepStatus::kWaiting) {
      outcome.steps.push_back({.name = step->name,
                               .status = TaskStepStatus::kWaiting,
                               .result = nullptr,
                               .error = "go on?",
                               .error_code = {},
                               .wait_until = {}});
    }
    return outcome;
  }
  if (auto written = Write(TaskStepStatus::kRunning, {}); !written) return Failed(written.error());
  checker_.StepBegins(claim_.task.id, step->number);
  executing_ = true;
  return std::nullopt;
}

std::optional<TaskOutcome> Workflow::Complete() {
  TaskStep& step = *FirstUnfinished();
  const store::Effects effects{.facts = {{.text = EffectOf(claim_.task.id, step.number), .tags = {}, .meta_data = {}}}};
  // Written again under the same token, where the answer was lost: neither the step nor its effects come twice.
  if (auto written = Write(TaskStepStatus::kCompleted, effects); !written) return Failed(written.error());
  step.status = TaskStepStatus::kCompleted;
  executing_ = false;
  return std::nullopt;
}

}  // namespace seedcore::sim

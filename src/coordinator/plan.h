#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/call_context.h"
#include "base/json.h"
#include "base/json_binding.h"
#include "base/result.h"

/// Plans: graphs of steps whose dependencies are respected, and whose independent steps run side by side.
namespace seedcore::coordinator {

/// MAX_PLAN_STEPS
inline constexpr std::size_t kMaxPlanSteps = 16;

/// Executions of one step within one execution of its task; what is left to the task's own retries comes after them.
struct StepRetry {
  int max_attempts = 1;
  double base_s = 1.0;
  double max_s = 60.0;
  [[nodiscard]] Result<void> Validate() const;
  static constexpr auto kFields =
      Fields(Optional("max_attempts", &StepRetry::max_attempts, "Executions in all, 1 to 20"),
             Optional("base_s", &StepRetry::base_s, "Wait before the first retry, seconds; doubles at each"),
             Optional("max_s", &StepRetry::max_s, "Longest wait, seconds"));
};

/// A step that waits for a person.
struct StepHold {
  std::string reason;
  std::optional<double> timeout_s;
  [[nodiscard]] Result<void> Validate() const;
  static constexpr auto kFields =
      Fields(Required("reason", &StepHold::reason, "What is asked, shown to whoever answers"),
             Sparse("timeout_s", &StepHold::timeout_s, "The step fails when nobody has answered by then, seconds"));
};

struct PlanStep {
  std::string id;                       ///< unique in the plan
  json::object task;                    ///< what to run: type, description, params, ...; empty for a hold
  std::vector<std::size_t> depends_on;  ///< indexes of earlier or later steps, ascending, never its own
  std::optional<StepHold> hold{};       ///< instead of a task
  StepRetry retry{};
  std::optional<double> timeout_s{};  ///< of one execution
};

struct Plan {
  std::vector<PlanStep> steps;
  std::vector<std::string>
      warnings;  ///< dependencies that named nothing, itself or the same step twice, and were dropped
};

/// Reads [{step_id?, task: {...}, depends_on?, retry?, timeout_s?}, {step_id?, hold: {reason, timeout_s?}, ...}, ...].
/// A step without an id becomes "step_<index>". A dependency may be an index, an index as text, a step or task id, an
/// object with one of task_id, id, parent_task_id, source_task_id, step_id, child_task_id or task, or a list of these
/// (C§4.6). kInvalidArgument: no step, more than `max_steps`, a step without a task, an id used twice, or a cycle.
[[nodiscard]] Result<Plan> ParsePlan(const json::array& steps, std::size_t max_steps = kMaxPlanSteps);
/// The plan that a task of type workflow brings in params.steps, written by hand: as ParsePlan, but what ParsePlan
/// drops with a warning is refused, and so are members it does not know, a task without a type, and a reference to a
/// step that is no dependency. The path of an error says where: `params.steps[2].depends_on[0]`.
[[nodiscard]] Result<Plan> ReadWorkflow(const json::object& params, std::size_t max_steps);
/// What ParsePlan reads back as the same plan.
[[nodiscard]] json::array ToJson(const Plan& plan);
/// One step of it, without its id and dependencies: what ParsePlan reads beside them.
[[nodiscard]] json::object SpecOf(const PlanStep& step);

enum class StepStatus {
  kDone,
  kReused,  ///< finished by an earlier run of the same plan
  kFailed,
  kSkipped,  ///< a step it depends on failed or was skipped
  kWaiting,  ///< a hold that nobody has answered
  kPending,  ///< depends on one that waits
};
[[nodiscard]] constexpr std::array<std::pair<StepStatus, std::string_view>, 6> EnumNames(StepStatus) {
  return {{{StepStatus::kDone, "done"},
           {StepStatus::kReused, "reused"},
           {StepStatus::kFailed, "failed"},
           {StepStatus::kSkipped, "skipped"},
           {StepStatus::kWaiting, "waiting"},
           {StepStatus::kPending, "pending"}}};
}

struct StepOutcome {
  StepStatus status = StepStatus::kSkipped;
  json::value output;          ///< of kDone and kReused
  std::optional<Error> error;  ///< of kFailed and kSkipped
  std::chrono::microseconds took{0};
};

/// How steps are run. `run` and `save` are called from several threads at once, each step by one.
struct PlanHooks {
  /// Runs the step. `inputs`: outputs of the steps it depends on, by step id. Must end by the call's deadline.
  std::function<Result<json::value>(const PlanStep& step, const json::object& inputs)> run;
  /// Output of the step, or the error it ended with for good, if an earlier run finished it. Empty: never.
  std::function<std::optional<Result<json::value>>(const PlanStep& step)> recall;
  /// Makes the output durable. An error fails the step: a later run does it again under the same idempotency key.
  /// `is_last`: with this step the whole plan has succeeded. Empty: nothing is kept.
  std::function<Result<void>(const PlanStep& step, const json::value& output, bool is_last)> save;
  /// Notes that a hold waits for an answer. Empty: holds fail.
  std::function<Result<void>(const PlanStep& step)> wait;
};

/// Runs the plan on the calling thread and at most `max_parallel` - 1 more. Of the steps that are ready the one with
/// the lowest index starts first. A failed step stops the steps that depend on it, and no others; so does a hold that
/// waits. A step is retried as its policy says, while the error can pass. Past the deadline, or
/// when cancelled, steps that have not begun fail with that error. One outcome per step, in the order of the plan.
[[nodiscard]] std::vector<StepOutcome> RunPlan(const Plan& plan, const PlanHooks& hooks, int max_parallel,
                                               const CallContext& call, Env& env);

}  // namespace seedcore::coordinator

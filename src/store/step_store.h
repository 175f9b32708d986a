#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/env.h"
#include "base/json.h"
#include "base/result.h"
#include "store/task.h"

/// The steps of a task, each kept with its result, so that an execution that breaks off is continued where it stopped.
/// A task without steps has no rows here.
namespace seedcore::store {

struct Effects;

inline constexpr std::size_t kMaxSteps = 256;                  ///< of one task
inline constexpr std::size_t kMaxStepName = 200;               ///< bytes
inline constexpr std::size_t kMaxStepResultBytes = 1U << 20U;  ///< of one step, as JSON
inline constexpr std::size_t kMaxStepSpecBytes = 1U << 20U;    ///< likewise

enum class TaskStepStatus { kPending, kRunning, kWaiting, kCompleted, kFailed, kSkipped };
constexpr std::array<std::pair<TaskStepStatus, std::string_view>, 6> EnumNames(TaskStepStatus) {
  return {{{TaskStepStatus::kPending, "pending"},
           {TaskStepStatus::kRunning, "running"},
           {TaskStepStatus::kWaiting, "waiting"},
           {TaskStepStatus::kCompleted, "completed"},
           {TaskStepStatus::kFailed, "failed"},
           {TaskStepStatus::kSkipped, "skipped"}}};
}

struct NewStep {
  std::string name;                     ///< unique in the task; 1 to kMaxStepName bytes
  std::vector<std::string> depends_on;  ///< names
  json::object spec;                    ///< what it does; the store does not look inside
};
struct NewPlan {
  std::vector<NewStep> steps;
  json::object note;  ///< what is to be kept about the plan as a whole
};

struct TaskStep {
  int number = 0;  ///< from 0, in the order of the plan
  std::string name;
  std::vector<std::string> depends_on;
  json::object spec;
  std::string plan_hash;  ///< of the plan it came with; empty when it was added by a write
  json::object plan_note;
  TaskStepStatus status = TaskStepStatus::kPending;
  int attempt = 0;  ///< executions begun in this round
  int round = 1;    ///< grows by one when a replay drops the step; part of the idempotency key
  json::value result;
  std::string error;
  std::string error_code;
  std::optional<WallTime> started_at;
  std::optional<WallTime> finished_at;
  std::optional<WallTime> wait_until;  ///< of a waiting step: when nobody need answer any more
  std::int64_t fencing_token = 0;      ///< of the claim that wrote it last
};

/// What whoever executes the step passes on to what it calls: the same at every attempt, another one after a replay.
[[nodiscard]] std::string StepKey(std::string_view task_key, std::string_view step, int round);

/// One change of a step by whoever holds the lease of its task.
struct StepWrite {
  std::string name;
  TaskStepStatus status = TaskStepStatus::kCompleted;
  json::value result;  ///< of kCompleted
  std::string error;   ///< of kFailed and kSkipped; of kWaiting what is asked
  std::string error_code;
  std::optional<WallTime> wait_until;  ///< of kWaiting
  /// A step that the plan does not have is added at the end, after the one before it. Otherwise kNotFound.
  bool may_add = false;
};

/// What a person says to a waiting step.
struct StepAnswer {
  json::value answer;  ///< becomes the result
  bool refused = false;
  std::string reason;  ///< of a refusal
};

/// Thread-safe; every method is one transaction, durable on return. Whatever takes a Lease is refused with kLeaseLost
/// when the lease is not the newest: a worker that was taken for dead changes nothing any more. kNotFound: no such task
/// or step. kInvalidArgument, kPayloadTooLarge: a bound above.
class StepStore {
 public:
  virtual ~StepStore() = default;

  /// Saves the plan unless the task has steps, and returns the steps as they are now. kConflict: the task has another
  /// plan.
  [[nodiscard]] virtual Result<std::vector<TaskStep>> SavePlan(const Lease& lease, const NewPlan& plan) = 0;
  /// All or none, with `effects`. kRunning begins an attempt. A completed step stays as it is: writing it again under
  /// the same token changes nothing, under another one it is kConflict.
  [[nodiscard]] virtual Result<void> WriteSteps(const Lease& lease, std::span<const StepWrite> writes,
                                                const Effects& effects) = 0;
  /// In the order of their numbers; empty when the task has none. Full id or unique prefix.
  [[nodiscard]] virtual Result<std::vector<TaskStep>> Steps(const std::string& task_id) = 0;

  /// Completes a waiting step, or fails it when refused, and queues the task if it is parked. kConflict: the step does
  /// not wait, or the task has ended. Full id or unique prefix.
  [[nodiscard]] virtual Result<Task> Answer(const std::string& task_id, const std::string& step,
                                            const StepAnswer& answer) = 0;
  /// Queues an ended task again: `from_step`, what depends on it and what was not completed go back to pending, without
  /// result and in a new round; the other completed steps stay. kConflict: the task has not ended, or as
  /// TaskStore::Run.
  [[nodiscard]] virtual Result<Task> Replay(const std::string& task_id, const std::string& from_step) = 0;
  /// Queues a new task with the content of this one and a copy of its plan, in which the completed steps that do not
  /// depend on `from_step` keep their results. Keys, dependencies, deadline and effects are not copied.
  [[nodiscard]] virtual Result<Task> Fork(const std::string& task_id, const std::string& from_step) = 0;
};

}  // namespace seedcore::store

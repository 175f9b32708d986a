#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/step_store.h"

/// What may become of steps: pure functions that every store applies to the rows it has read under its lock.
namespace seedcore::store {

/// A stored step whose JSON has not been parsed. The members are those of TaskStep.
struct StepRow {
  int number = 0;
  std::string name;
  std::string depends_on = "[]";
  std::string spec = "{}";
  std::string plan_hash;
  std::string plan_note;  ///< empty: none
  TaskStepStatus status = TaskStepStatus::kPending;
  int attempt = 0;
  int round = 1;
  std::string result;  ///< empty: none, or not read
  std::string error;
  std::string error_code;
  std::optional<WallTime> started_at;
  std::optional<WallTime> finished_at;
  std::optional<WallTime> wait_until;
  std::int64_t fencing_token = 0;
};
[[nodiscard]] Result<TaskStep> ToTaskStep(StepRow row);
[[nodiscard]] Result<std::vector<TaskStep>> ToTaskSteps(std::vector<StepRow> rows);

/// A write in the form in which it is stored; made on the caller's thread.
struct PreparedStepWrite {
  StepWrite write;     ///< without result
  std::string result;  ///< JSON; empty: none
};
[[nodiscard]] Result<std::vector<PreparedStepWrite>> PrepareStepWrites(std::span<const StepWrite> writes);
[[nodiscard]] Result<std::vector<StepRow>> PreparePlan(const NewPlan& plan);

struct StepChange {
  StepRow row;
  bool is_new = false;
  bool sets_result = false;  ///< otherwise the stored result stays
};
struct StepEvent {
  std::string kind;  ///< of task_event
  std::string detail;
};
struct StepChanges {
  std::vector<StepChange> rows;
  std::vector<StepEvent> events;
};

/// `rows`: all steps of the task, by number, with or without results.
[[nodiscard]] Result<StepChanges> SavePlanChanges(std::span<const StepRow> rows, std::span<const StepRow> plan);
[[nodiscard]] Result<StepChanges> WriteChanges(std::vector<StepRow> rows, std::span<const PreparedStepWrite> writes,
                                               std::int64_t fencing_token, WallTime now);
[[nodiscard]] Result<StepChanges> AnswerChanges(std::span<const StepRow> rows, std::string_view step,
                                                const StepAnswer& answer, WallTime now);
[[nodiscard]] Result<StepChanges> ReplayChanges(std::span<const StepRow> rows, std::string_view from_step);
/// The rows of the new task; `rows` with results.
[[nodiscard]] Result<StepChanges> ForkChanges(std::span<const StepRow> rows, std::string_view from_step,
                                              std::string_view task_id);
/// Waiting steps whose time is over fail.
[[nodiscard]] StepChanges OverdueChanges(std::span<const StepRow> rows, WallTime now);
[[nodiscard]] bool AnyWaiting(std::span<const StepRow> rows);
[[nodiscard]] Error StepLeaseLost(const Lease& lease, TaskStatus status, std::int64_t fencing_token);
[[nodiscard]] Error TaskHasEnded(TaskStatus status);
[[nodiscard]] Error TaskHasNotEnded(TaskStatus status);
/// What a fork begins with.
[[nodiscard]] NewTask ForkOf(const Task& task);

}  // namespace seedcore::store

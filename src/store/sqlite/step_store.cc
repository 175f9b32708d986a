#include "store/sqlite/step_store.h"

#include <utility>

#include <fmt/format.h>

#include "base/json_binding.h"
#include "store/prepared_task.h"
#include "store/sqlite/submit_writes.h"
#include "store/sqlite/task_effects.h"

namespace seedcore::store::sqlite {
namespace {

#define SEEDCORE_STEP_COLUMNS                                                                                     \
  "number, name, depends_on, spec, plan_hash, plan_note, status, attempt, round, error, error_code, started_at, " \
  "finished_at, wait_until, fencing_token"
constexpr char kSelectSteps[] = "SELECT " SEEDCORE_STEP_COLUMNS " FROM task_step WHERE task_seq = ?1 ORDER BY number";
constexpr char kSelectStepsWithResults[] =
    "SELECT " SEEDCORE_STEP_COLUMNS ", result FROM task_step WHERE task_seq = ?1 ORDER BY number";
constexpr char kInsertStep[] =
    "INSERT INTO task_step (task_seq, " SEEDCORE_STEP_COLUMNS
    ", result) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";
// ?11 whether to set the result
constexpr char kUpdateStep[] =
    "UPDATE task_step SET status = ?3, attempt = ?4, round = ?5, error = ?6, error_code = ?7, started_at = ?8, "
    "finished_at = ?9, wait_until = ?10, result = CASE WHEN ?11 THEN ?12 ELSE result END, fencing_token = ?13 "
    "WHERE task_seq = ?1 AND number = ?2";
constexpr char kUnderLease[] = "SELECT seq, id, status, attempts, fencing_token, owner_id FROM tasks WHERE id = ?1";
constexpr char kOverdue[] =
    "SELECT DISTINCT t.seq, t.id, t.status, t.attempts, t.fencing_token, t.owner_id FROM task_step s JOIN tasks t "
    "ON t.seq = s.task_seq WHERE s.status = 'waiting' AND s.wait_until <= ?1 AND t.finished_at IS NULL LIMIT ?2";
// So that an ended task of either kind can be queued again by the same rules.
constexpr char kReopen[] = "UPDATE tasks SET status = 'cancelled' WHERE seq = ?1 AND status = 'completed'";

StepRow ReadStep(const Statement& row, StepResults results, bool& damaged) {
  const auto status = EnumFromString<TaskStepStatus>(row.Text(6));
  damaged = damaged || !status;
  return {.number = static_cast<int>(row.Int(0)),
          .name = std::string(row.Text(1)),
          .depends_on = std::string(row.Text(2)),
          .spec = std::string(row.Text(3)),
          .plan_hash = std::string(row.Text(4)),
          .plan_note = std::string(row.Text(5)),
          .status = status.value_or(TaskStepStatus::kPending),
          .attempt = static_cast<int>(row.Int(7)),
          .round = static_cast<int>(row.Int(8)),
          .result = results == StepResults::kWith ? std::string(row.Text(15)) : std::string(),
          .error = std::string(row.Text(9)),
          .error_code = std::string(row.Text(10)),
          .started_at = row.OptionalTime(11),
          .finished_at = row.OptionalTime(12),
          .wait_until = row.OptionalTime(13),
          .fencing_token = row.Int(14)};
}

/// The task, if the lease is its newest.
Result<TaskHead> UnderLease(WriteContext& context, const Lease& lease) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement row, context.db.Query(kUnderLease, lease.task_id));
  SEEDCORE_ASSIGN_OR_RETURN(const bool found, row.Next());
  if (!found) return Fail(ErrorCode::kNotFound, fmt::format("there is no task {}", lease.task_id));
  SEEDCORE_ASSIGN_OR_RETURN(TaskHead task, ReadTaskHead(row));
  if (task.status == TaskStatus::kRunning && task.owner_id == lease.owner_id &&
      task.fencing_token == lease.fencing_token) {
    return task;
  }
  return std::unexpected(StepLeaseLost(lease, task.status, task.fencing_token));
}

}  // namespace

Result<std::vector<StepRow>> ReadSteps(Database& database, std::int64_t task_seq, StepResults results) {
  SEEDCORE_ASSIGN_OR_RETURN(
      Statement rows, database.Query(results == StepResults::kWith ? kSelectStepsWithResults : kSelectSteps, task_seq));
  std::vector<StepRow> out;
  bool damaged = false;
  for (;;) {
    SEEDCORE_ASSIGN_OR_RETURN(const bool more, rows.Next());
    if (damaged) return Fail(ErrorCode::kCorrupt, "a stored step is damaged");
    if (!more) return out;
    out.push_back(ReadStep(rows, results, damaged));
  }
}

Result<void> ApplyChanges(WriteContext& context, const TaskHead& task, const StepChanges& changes) {
  for (const StepChange& change : changes.rows) {
    const StepRow& row = change.row;
    if (change.is_new) {
      SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kInsertStep, task.seq, row.number, row.name, row.depends_on, row.spec,
                                                  row.plan_hash, NullIfEmpty(row.plan_note), EnumToString(row.status),
                                                  row.attempt, row.round, NullIfEmpty(row.error),
                                                  NullIfEmpty(row.error_code), row.started_at, row.finished_at,
                                                  row.wait_until, row.fencing_token, NullIfEmpty(row.result)));
    } else {
      SEEDCORE_RETURN_IF_ERROR(
          context.db.Execute(kUpdateStep, task.seq, row.number, EnumToString(row.status), row.attempt, row.round,
                             NullIfEmpty(row.error), NullIfEmpty(row.error_code), row.started_at, row.finished_at,
                             row.wait_until, change.sets_result ? 1 : 0, NullIfEmpty(row.result), row.fencing_token));
    }
  }
  for (const StepEvent& event : changes.events) {
    SEEDCORE_RETURN_IF_ERROR(AppendEvent(
        context, {task.seq, event.kind, task.status, task.attempts, task.fencing_token, task.owner_id, event.detail}));
  }
  return {};
}

Result<void> WriteStepsOf(WriteContext& context, const TaskHead& task, std::span<const PreparedStepWrite> writes,
                          std::int64_t fencing_token) {
  if (writes.empty()) return {};
  SEEDCORE_ASSIGN_OR_RETURN(std::vector<StepRow> rows, ReadSteps(context.db, task.seq, StepResults::kWithout));
  SEEDCORE_ASSIGN_OR_RETURN(const StepChanges changes,
                            WriteChanges(std::move(rows), writes, fencing_token, context.now));
  return ApplyChanges(context, task, changes);
}

Result<void> AfterHold(WriteContext& context, const TaskHead& task) {
  SEEDCORE_ASSIGN_OR_RETURN(const std::vector<StepRow> rows, ReadSteps(context.db, task.seq, StepResults::kWithout));
  if (AnyWaiting(rows)) return {};
  TaskHead held = task;
  held.status = TaskStatus::kCreated;
  return Requeue(context, held, "resumed");
}

Result<int> ExpireWaits(WriteContext& context, int limit) {
  std::vector<TaskHead> tasks;
  {
    SEEDCORE_ASSIGN_OR_RETURN(Statement rows, context.db.Query(kOverdue, context.now, limit));
    for (;;) {
      SEEDCORE_ASSIGN_OR_RETURN(const bool more, rows.Next());
      if (!more) break;
      SEEDCORE_ASSIGN_OR_RETURN(tasks.emplace_back(), ReadTaskHead(rows));
    }
  }
  for (const TaskHead& task : tasks) {
    SEEDCORE_ASSIGN_OR_RETURN(const auto rows, ReadSteps(context.db, task.seq, StepResults::kWithout));
    SEEDCORE_RETURN_IF_ERROR(ApplyChanges(context, task, OverdueChanges(rows, context.now)));
    if (task.status == TaskStatus::kCreated) SEEDCORE_RETURN_IF_ERROR(Requeue(context, task, "resumed"));
  }
  return static_cast<int>(tasks.size());
}

Result<std::vector<TaskStep>> SqliteStepStore::SavePlan(const Lease& lease, const NewPlan& plan) {
  SEEDCORE_ASSIGN_OR_RETURN(const std::vector<StepRow> planned, PreparePlan(plan));
  SEEDCORE_ASSIGN_OR_RETURN(
      std::vector<StepRow> rows, writer_.Run([&](WriteContext& context) -> Result<std::vector<StepRow>> {
        SEEDCORE_ASSIGN_OR_RETURN(const TaskHead task, UnderLease(context, lease));
        SEEDCORE_ASSIGN_OR_RETURN(std::vector<StepRow> known, ReadSteps(context.db, task.seq, StepResults::kWith));
        SEEDCORE_ASSIGN_OR_RETURN(const StepChanges changes, SavePlanChanges(known, planned));
        SEEDCORE_RETURN_IF_ERROR(ApplyChanges(context, task, changes));
        return known.empty() ? planned : known;
      }));
  return ToTaskSteps(std::move(rows));
}

Result<void> SqliteStepStore::WriteSteps(const Lease& lease, std::span<const StepWrite> writes,
                                         const Effects& effects) {
  SEEDCORE_ASSIGN_OR_RETURN(const std::vector<PreparedStepWrite> prepared, PrepareStepWrites(writes));
  return writer_.Run([&](WriteContext& context) -> Result<void> {
    SEEDCORE_ASSIGN_OR_RETURN(const TaskHead task, UnderLease(context, lease));
    SEEDCORE_ASSIGN_OR_RETURN(std::vector<StepRow> rows, ReadSteps(context.db, task.seq, StepResults::kWithout));
    SEEDCORE_ASSIGN_OR_RETURN(const StepChanges changes,
                              WriteChanges(std::move(rows), prepared, lease.fencing_token, context.now));
    // Written before, and the answer was lost: its effects stand, too.
    if (changes.rows.empty() && !prepared.empty()) return {};
    SEEDCORE_RETURN_IF_ERROR(ApplyChanges(context, task, changes));
    return WriteEffects(context, task.id, effects);
  });
}

Result<std::vector<TaskStep>> SqliteStepStore::Steps(const std::string& task_id) {
  SEEDCORE_ASSIGN_OR_RETURN(std::vector<StepRow> rows,
                            readers_.Run([&](Database& database) -> Result<std::vector<StepRow>> {
                              SEEDCORE_ASSIGN_OR_RETURN(const TaskHead task, FindTaskHead(database, task_id));
                              return ReadSteps(database, task.seq, StepResults::kWith);
                            }));
  return ToTaskSteps(std::move(rows));
}

Result<Task> SqliteStepStore::Answer(const std::string& task_id, const std::string& step, const StepAnswer& answer) {
  return ToTask(writer_.Run([&](WriteContext& context) -> Result<TaskRow> {
    SEEDCORE_ASSIGN_OR_RETURN(const TaskHead task, FindTaskHead(context.db, task_id));
    if (IsTerminal(task.status)) return std::unexpected(TaskHasEnded(task.status));
    SEEDCORE_ASSIGN_OR_RETURN(const auto rows, ReadSteps(context.db, task.seq, StepResults::kWithout));
    SEEDCORE_ASSIGN_OR_RETURN(const StepChanges changes, AnswerChanges(rows, step, answer, context.now));
    SEEDCORE_RETURN_IF_ERROR(ApplyChanges(context, task, changes));
    if (task.status == TaskStatus::kCreated) SEEDCORE_RETURN_IF_ERROR(Requeue(context, task, "resumed"));
    return SelectTask(context.db, task.seq);
  }));
}

Result<Task> SqliteStepStore::Replay(const std::string& task_id, const std::string& from_step) {
  return ToTask(writer_.Run([&](WriteContext& context) -> Result<TaskRow> {
    SEEDCORE_ASSIGN_OR_RETURN(TaskHead task, FindTaskHead(context.db, task_id));
    if (!IsTerminal(task.status)) return std::unexpected(TaskHasNotEnded(task.status));
    SEEDCORE_ASSIGN_OR_RETURN(const auto rows, ReadSteps(context.db, task.seq, StepResults::kWithout));
    SEEDCORE_ASSIGN_OR_RETURN(const StepChanges changes, ReplayChanges(rows, from_step));
    SEEDCORE_RETURN_IF_ERROR(ApplyChanges(context, task, changes));
    SEEDCORE_ASSIGN_OR_RETURN(const int reopened, context.db.Execute(kReopen, task.seq));
    if (reopened > 0) {
      context.notes.Moved(TaskStatus::kCompleted, TaskStatus::kCancelled);
      task.status = TaskStatus::kCancelled;
    }
    SEEDCORE_RETURN_IF_ERROR(Requeue(context, task, "queued"));
    return SelectTask(context.db, task.seq);
  }));
}

Result<Task> SqliteStepStore::Fork(const std::string& task_id, const std::string& from_step) {
  return ToTask(writer_.Run([&](WriteContext& context) -> Result<TaskRow> {
    SEEDCORE_ASSIGN_OR_RETURN(const TaskHead origin, FindTaskHead(context.db, task_id));
    SEEDCORE_ASSIGN_OR_RETURN(const auto rows, ReadSteps(context.db, origin.seq, StepResults::kWith));
    SEEDCORE_ASSIGN_OR_RETURN(const StepChanges changes, ForkChanges(rows, from_step, origin.id));
    SEEDCORE_ASSIGN_OR_RETURN(TaskRow row, SelectTask(context.db, origin.seq));
    SEEDCORE_ASSIGN_OR_RETURN(const Task task, ToTask(std::move(row)));
    const NewTask fork = ForkOf(task);
    SEEDCORE_ASSIGN_OR_RETURN(const PreparedTask prepared, PrepareTask(fork));
    SEEDCORE_ASSIGN_OR_RETURN(const Submitted submitted, InsertTask(context, prepared));
    const TaskHead made{.seq = submitted.seq, .id = submitted.id, .status = submitted.status, .owner_id = {}};
    SEEDCORE_RETURN_IF_ERROR(ApplyChanges(context, made, changes));
    return SelectTask(context.db, made.seq);
  }));
}

}  // namespace seedcore::store::sqlite

#include "store/postgres/step_store.h"

#include <utility>

#include <fmt/format.h>

#include "base/json_binding.h"
#include "base/uuid.h"
#include "store/postgres/submit_writes.h"
#include "store/postgres/task_effects.h"
#include "store/postgres/task_row.h"
#include "store/prepared_task.h"

namespace seedcore::store::postgres {
namespace {

#define SEEDCORE_PG_STEP_COLUMNS                                                                                  \
  "number, name, depends_on, spec, plan_hash, plan_note, status, attempt, round, error, error_code, started_at, " \
  "finished_at, wait_until, fencing_token"
constexpr char kSelectSteps[] =
    "SELECT " SEEDCORE_PG_STEP_COLUMNS ", NULL::json FROM task_step WHERE task_seq = $1 ORDER BY number";
constexpr char kSelectStepsWithResults[] =
    "SELECT " SEEDCORE_PG_STEP_COLUMNS ", result FROM task_step WHERE task_seq = $1 ORDER BY number";
constexpr char kInsertStep[] =
    "INSERT INTO task_step (task_seq, " SEEDCORE_PG_STEP_COLUMNS
    ", result) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)";
// $11 whether to set the result
constexpr char kUpdateStep[] =
    "UPDATE task_step SET status = $3, attempt = $4, round = $5, error = $6, error_code = $7, started_at = $8, "
    "finished_at = $9, wait_until = $10, result = CASE WHEN $11::boolean THEN $12::json ELSE result END, "
    "fencing_token = $13 WHERE task_seq = $1 AND number = $2";
constexpr char kAppendEvent[] =
    "INSERT INTO task_event (task_seq, at, kind, status, attempt, fencing_token, owner_id, detail) "
    "SELECT seq, $2, $3, status, attempts, fencing_token, owner_id, $4 FROM tasks WHERE seq = $1";
// Whoever changes the steps of a task holds its row, so nobody claims, ends or cancels it meanwhile.
constexpr char kLockTask[] =
    "SELECT seq, id, status, fencing_token, owner_id FROM tasks WHERE id = $1 FOR NO KEY UPDATE";
// The steps of a task that was cancelled wait for ever, and do not count. $1 now, $2 at most
constexpr char kOverdue[] =
    "SELECT t.id FROM tasks t WHERE t.finished_at IS NULL AND t.seq IN (SELECT s.task_seq FROM task_step s CROSS JOIN "
    "LATERAL (SELECT FROM tasks u WHERE u.seq = s.task_seq AND u.finished_at IS NULL LIMIT 1) unfinished "
    "WHERE s.status = 'waiting' AND s.wait_until <= $1 ORDER BY s.wait_until LIMIT $2) "
    "FOR NO KEY UPDATE OF t SKIP LOCKED";
// So that an ended task of either kind can be queued again by the same rules.
constexpr char kReopen[] = "UPDATE tasks SET status = 'cancelled' WHERE seq = $1 AND status = 'completed'";

struct LockedTask {
  std::int64_t seq = 0;
  std::string id;
  TaskStatus status = TaskStatus::kCreated;
  std::int64_t fencing_token = 0;
  std::string owner_id;
};

Result<LockedTask> LockTask(WriteContext& context, const std::string& id) {
  if (!IsUuid(id)) return Fail(ErrorCode::kNotFound, fmt::format("there is no task {}", id));
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, context.db.Query(kLockTask, Uuid{id}));
  if (rows.empty()) return Fail(ErrorCode::kNotFound, fmt::format("there is no task {}", id));
  bool damaged = false;
  return LockedTask{.seq = rows.Int(0, 0),
                    .id = rows.Id(0, 1),
                    .status = StatusFromName(rows.Text(0, 2), damaged),
                    .fencing_token = rows.Int(0, 3),
                    .owner_id = std::string(rows.Text(0, 4))};
}

Result<LockedTask> LockUnderLease(WriteContext& context, const Lease& lease) {
  SEEDCORE_ASSIGN_OR_RETURN(LockedTask task, LockTask(context, lease.task_id));
  if (task.status == TaskStatus::kRunning && task.owner_id == lease.owner_id &&
      task.fencing_token == lease.fencing_token) {
    return task;
  }
  return std::unexpected(StepLeaseLost(lease, task.status, task.fencing_token));
}

Result<LockedTask> LockByPrefix(WriteContext& context, const std::string& id_or_prefix) {
  SEEDCORE_ASSIGN_OR_RETURN(const TaskName name, FindTask(context.db, id_or_prefix));
  return LockTask(context, name.id);
}

Result<std::vector<StepRow>> ReadSteps(Connection& connection, std::int64_t task_seq, bool with_results) {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows,
                            connection.Query(with_results ? kSelectStepsWithResults : kSelectSteps, task_seq));
  std::vector<StepRow> out;
  out.reserve(static_cast<std::size_t>(rows.size()));
  for (int row = 0; row < rows.size(); ++row) {
    const auto status = EnumFromString<TaskStepStatus>(rows.Text(row, 6));
    if (!status) return Fail(ErrorCode::kCorrupt, "a stored step is damaged");
    out.push_back({.number = static_cast<int>(rows.Int(row, 0)),
                   .name = std::string(rows.Text(row, 1)),
                   .depends_on = std::string(rows.Text(row, 2)),
                   .spec = std::string(rows.Text(row, 3)),
                   .plan_hash = std::string(rows.Text(row, 4)),
                   .plan_note = std::string(rows.Text(row, 5)),
                   .status = *status,
                   .attempt = static_cast<int>(rows.Int(row, 7)),
                   .round = static_cast<int>(rows.Int(row, 8)),
                   .result = std::string(rows.Text(row, 15)),
                   .error = std::string(rows.Text(row, 9)),
                   .error_code = std::string(rows.Text(row, 10)),
                   .started_at = rows.OptionalTime(row, 11),
                   .finished_at = rows.OptionalTime(row, 12),
                   .wait_until = rows.OptionalTime(row, 13),
                   .fencing_token = rows.Int(row, 14)});
  }
  return out;
}

Result<void> ApplyChanges(WriteContext& context, std::int64_t task_seq, const StepChanges& changes) {
  for (const StepChange& change : changes.rows) {
    const StepRow& row = change.row;
    if (change.is_new) {
      SEEDCORE_RETURN_IF_ERROR(context.db.Query(kInsertStep, task_seq, row.number, row.name, row.depends_on, row.spec,
                                                row.plan_hash, NullIfEmpty(row.plan_note), EnumToString(row.status),
                                                row.attempt, row.round, NullIfEmpty(row.error),
                                                NullIfEmpty(row.error_code), row.started_at, row.finished_at,
                                                row.wait_until, row.fencing_token, NullIfEmpty(row.result)));
    } else {
      SEEDCORE_RETURN_IF_ERROR(
          context.db.Query(kUpdateStep, task_seq, row.number, EnumToString(row.status), row.attempt, row.round,
                           NullIfEmpty(row.error), NullIfEmpty(row.error_code), row.started_at, row.finished_at,
                           row.wait_until, change.sets_result, NullIfEmpty(row.result), row.fencing_token));
    }
  }
  for (const StepEvent& event : changes.events) {
    SEEDCORE_RETURN_IF_ERROR(context.db.Query(kAppendEvent, task_seq, context.now, event.kind, event.detail));
    context.notes.appended_events = true;
  }
  return {};
}

}  // namespace

Result<void> WriteStepsOf(WriteContext& context, const Lease& lease, std::span<const PreparedStepWrite> writes) {
  SEEDCORE_ASSIGN_OR_RETURN(const LockedTask task, LockUnderLease(context, lease));
  SEEDCORE_ASSIGN_OR_RETURN(std::vector<StepRow> rows, ReadSteps(context.db, task.seq, false));
  SEEDCORE_ASSIGN_OR_RETURN(const StepChanges changes,
                            WriteChanges(std::move(rows), writes, lease.fencing_token, context.now));
  return ApplyChanges(context, task.seq, changes);
}

Result<void> AfterHold(WriteContext& context, const std::string& task_id) {
  SEEDCORE_ASSIGN_OR_RETURN(const LockedTask task, LockTask(context, task_id));
  SEEDCORE_ASSIGN_OR_RETURN(const std::vector<StepRow> rows, ReadSteps(context.db, task.seq, false));
  if (AnyWaiting(rows)) return {};
  SEEDCORE_RETURN_IF_ERROR(Requeue(context, task_id, std::nullopt));
  return {};
}

Result<int> ExpireWaits(WriteContext& context, int limit) {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows overdue, context.db.Query(kOverdue, context.now, std::int64_t{limit}));
  for (int i = 0; i < overdue.size(); ++i) {
    SEEDCORE_ASSIGN_OR_RETURN(const LockedTask task, LockTask(context, overdue.Id(i, 0)));
    SEEDCORE_ASSIGN_OR_RETURN(const auto rows, ReadSteps(context.db, task.seq, false));
    SEEDCORE_RETURN_IF_ERROR(ApplyChanges(context, task.seq, OverdueChanges(rows, context.now)));
    if (task.status == TaskStatus::kCreated) SEEDCORE_RETURN_IF_ERROR(Requeue(context, task.id, std::nullopt));
  }
  return overdue.size();
}

Result<std::vector<TaskStep>> PostgresStepStore::SavePlan(const Lease& lease, const NewPlan& plan) {
  SEEDCORE_ASSIGN_OR_RETURN(const std::vector<StepRow> planned, PreparePlan(plan));
  SEEDCORE_ASSIGN_OR_RETURN(
      std::vector<StepRow> rows, database_.Write([&](WriteContext& context) -> Result<std::vector<StepRow>> {
        SEEDCORE_ASSIGN_OR_RETURN(const LockedTask task, LockUnderLease(context, lease));
        SEEDCORE_ASSIGN_OR_RETURN(std::vector<StepRow> known, ReadSteps(context.db, task.seq, true));
        SEEDCORE_ASSIGN_OR_RETURN(const StepChanges changes, SavePlanChanges(known, planned));
        SEEDCORE_RETURN_IF_ERROR(ApplyChanges(context, task.seq, changes));
        return known.empty() ? planned : known;
      }));
  return ToTaskSteps(std::move(rows));
}

Result<void> PostgresStepStore::WriteSteps(const Lease& lease, std::span<const StepWrite> writes,
                                           const Effects& effects) {
  SEEDCORE_ASSIGN_OR_RETURN(const std::vector<PreparedStepWrite> prepared, PrepareStepWrites(writes));
  return database_.Write([&](WriteContext& context) -> Result<void> {
    SEEDCORE_ASSIGN_OR_RETURN(const LockedTask task, LockUnderLease(context, lease));
    SEEDCORE_ASSIGN_OR_RETURN(std::vector<StepRow> rows, ReadSteps(context.db, task.seq, false));
    SEEDCORE_ASSIGN_OR_RETURN(const StepChanges changes,
                              WriteChanges(std::move(rows), prepared, lease.fencing_token, context.now));
    // Written before, and the answer was lost: its effects stand, too.
    if (changes.rows.empty() && !prepared.empty()) return {};
    SEEDCORE_RETURN_IF_ERROR(ApplyChanges(context, task.seq, changes));
    return WriteEffects(context, lease.task_id, effects);
  });
}

Result<std::vector<TaskStep>> PostgresStepStore::Steps(const std::string& task_id) {
  SEEDCORE_ASSIGN_OR_RETURN(std::vector<StepRow> rows,
                            database_.Read([&](Connection& connection) -> Result<std::vector<StepRow>> {
                              SEEDCORE_ASSIGN_OR_RETURN(const TaskName task, FindTask(connection, task_id));
                              return ReadSteps(connection, task.seq, true);
                            }));
  return ToTaskSteps(std::move(rows));
}

Result<Task> PostgresStepStore::Answer(const std::string& task_id, const std::string& step, const StepAnswer& answer) {
  return ToTask(database_.Write([&](WriteContext& context) -> Result<TaskRow> {
    SEEDCORE_ASSIGN_OR_RETURN(const LockedTask task, LockByPrefix(context, task_id));
    if (IsTerminal(task.status)) return std::unexpected(TaskHasEnded(task.status));
    SEEDCORE_ASSIGN_OR_RETURN(const auto rows, ReadSteps(context.db, task.seq, false));
    SEEDCORE_ASSIGN_OR_RETURN(const StepChanges changes, AnswerChanges(rows, step, answer, context.now));
    SEEDCORE_RETURN_IF_ERROR(ApplyChanges(context, task.seq, changes));
    if (task.status == TaskStatus::kCreated) SEEDCORE_RETURN_IF_ERROR(Requeue(context, task.id, std::nullopt));
    return SelectTask(context.db, task.seq);
  }));
}

Result<Task> PostgresStepStore::Replay(const std::string& task_id, const std::string& from_step) {
  return ToTask(database_.Write([&](WriteContext& context) -> Result<TaskRow> {
    SEEDCORE_ASSIGN_OR_RETURN(const LockedTask task, LockByPrefix(context, task_id));
    if (!IsTerminal(task.status)) return std::unexpected(TaskHasNotEnded(task.status));
    SEEDCORE_ASSIGN_OR_RETURN(const auto rows, ReadSteps(context.db, task.seq, false));
    SEEDCORE_ASSIGN_OR_RETURN(const StepChanges changes, ReplayChanges(rows, from_step));
    SEEDCORE_RETURN_IF_ERROR(ApplyChanges(context, task.seq, changes));
    SEEDCORE_RETURN_IF_ERROR(context.db.Query(kReopen, task.seq));
    SEEDCORE_RETURN_IF_ERROR(Requeue(context, task.id, "queued"));
    return SelectTask(context.db, task.seq);
  }));
}

Result<Task> PostgresStepStore::Fork(const std::string& task_id, const std::string& from_step) {
  return ToTask(database_.Write([&](WriteContext& context) -> Result<TaskRow> {
    SEEDCORE_ASSIGN_OR_RETURN(const LockedTask origin, LockByPrefix(context, task_id));
    SEEDCORE_ASSIGN_OR_RETURN(const auto rows, ReadSteps(context.db, origin.seq, true));
    SEEDCORE_ASSIGN_OR_RETURN(const StepChanges changes, ForkChanges(rows, from_step, origin.id));
    SEEDCORE_ASSIGN_OR_RETURN(TaskRow row, SelectTask(context.db, origin.seq));
    SEEDCORE_ASSIGN_OR_RETURN(const Task task, ToTask(std::move(row)));
    const NewTask fork = ForkOf(task);
    SEEDCORE_ASSIGN_OR_RETURN(const PreparedTask prepared, PrepareTask(fork));
    SEEDCORE_ASSIGN_OR_RETURN(const std::vector<Submitted> made, SubmitCalls(context, {&prepared, 1}));
    SEEDCORE_RETURN_IF_ERROR(ApplyChanges(context, made.front().seq, changes));
    return SelectTask(context.db, made.front().seq);
  }));
}

}  // namespace seedcore::store::postgres

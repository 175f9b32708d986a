#include "store/sqlite/task_writes.h"

#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/json_binding.h"
#include "store/sqlite/ids.h"

namespace seedcore::store::sqlite {
namespace {

constexpr char kInsertEvent[] =
    "INSERT INTO task_event (task_seq, at, kind, status, attempt, fencing_token, owner_id, detail) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

constexpr char kFindHead[] =
    "SELECT seq, id, status, attempts, fencing_token, owner_id FROM tasks WHERE id >= ?1 AND id < ?2 ORDER BY id LIMIT "
    "2";

constexpr char kSelectTask[] = "SELECT " SEEDCORE_TASK_COLUMNS SEEDCORE_TASK_FROM "WHERE t.seq = ?1";

// ?1 seq, ?2 now, ?3 error, ?4 error code
constexpr char kFailTask[] =
    "UPDATE tasks SET status = 'failed', runnable = 0, dead_letter = 1, error = ?3, error_code = ?4, finished_at = ?2, "
    "updated_at = ?2, lease_expires_at = NULL, owner_id = NULL WHERE seq = ?1 AND finished_at IS NULL";

constexpr char kAnyDependency[] = "SELECT 1 FROM task_depends_on_task LIMIT 1";
constexpr char kSelectDependants[] =
    "SELECT t.seq, t.id, t.status, t.attempts, t.fencing_token, t.owner_id FROM task_depends_on_task d "
    "JOIN tasks t ON t.id = d.src_task_id WHERE d.dst_task_id = ?1 AND t.finished_at IS NULL ORDER BY t.seq";

// ?1 seq, ?2 now. A task that was held or not yet started stays so; it only has one dependency less.
constexpr char kReleaseDependant[] =
    "UPDATE tasks SET blockers = blockers - 1, updated_at = ?2, runnable = CASE WHEN runnable <> 3 OR blockers > 1 "
    "THEN "
    "runnable WHEN run_after > ?2 THEN 2 ELSE 1 END WHERE seq = ?1 AND blockers > 0 RETURNING blockers, runnable";

constexpr char kHasDue[] = "SELECT 1 FROM tasks WHERE runnable = 2 AND run_after <= ?1 LIMIT 1";
constexpr char kPromoteDue[] =
    "UPDATE tasks SET runnable = 1 WHERE seq IN "
    "(SELECT seq FROM tasks WHERE runnable = 2 AND run_after <= ?1 ORDER BY run_after LIMIT ?2)";

constexpr char kSelectUnmet[] =
    "SELECT t.id, t.status FROM task_depends_on_task d JOIN tasks t ON t.id = d.dst_task_id "
    "WHERE d.src_task_id = ?1 AND t.status <> 'completed'";

constexpr char kWasCancelled[] = "SELECT 1 FROM tasks WHERE id = ?1 AND fencing_token = ?2 AND cancel_requested = 1";
// ?1 seq, ?2 now, ?3 runnable, ?4 blockers. A deadline that has passed would fail the task again at once, so it is
// lifted.
constexpr char kRequeue[] =
    "UPDATE tasks SET status = 'queued', runnable = ?3, blockers = ?4, attempts = 0, run_after = NULL, error = NULL, "
    "error_code = NULL, hold_reason = NULL, turn = CASE WHEN status = 'retry' THEN turn END, dead_letter = 0, "
    "cancel_requested = 0, started_at = NULL, finished_at = "
    "NULL, "
    "deadline = CASE WHEN deadline > ?2 THEN deadline END, updated_at = ?2 "
    "WHERE seq = ?1 AND status <> 'queued' AND status <> 'running' AND status <> 'completed'";
constexpr char kDeleteResult[] = "DELETE FROM task_result WHERE seq = ?1";

constexpr char kHoldsUniqueKey[] =
    "SELECT o.id FROM tasks t JOIN tasks o ON o.unique_key = t.unique_key AND o.unique_key IS NOT NULL "
    "AND o.finished_at IS NULL AND o.seq <> t.seq WHERE t.seq = ?1";

/// kConflict when another unfinished task has the unique key of this one.
Result<void> CheckUniqueKeyIsFree(WriteContext& context, std::int64_t seq) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement row, context.db.Query(kHoldsUniqueKey, seq));
  SEEDCORE_ASSIGN_OR_RETURN(const bool found, row.Next());
  if (!found) return {};
  return Fail(ErrorCode::kConflict, fmt::format("task {} has the same unique key and is not finished", row.Text(0)));
}

Result<std::vector<TaskHead>> UnfinishedDependants(WriteContext& context, const std::string& id) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement rows, context.db.Query(kSelectDependants, id));
  std::vector<TaskHead> heads;
  for (;;) {
    SEEDCORE_ASSIGN_OR_RETURN(const bool more, rows.Next());
    if (!more) return heads;
    SEEDCORE_ASSIGN_OR_RETURN(heads.emplace_back(), ReadTaskHead(rows));
  }
}

/// Without its dependants.
Result<void> FailOne(WriteContext& context, const TaskHead& task, const Error& error) {
  SEEDCORE_ASSIGN_OR_RETURN(const int changed,
                            context.db.Execute(kFailTask, task.seq, context.now, error.message, ToString(error.code)));
  if (changed == 0) return {};
  context.notes.Moved(task.status, TaskStatus::kFailed);
  return AppendEvent(context, {task.seq, "failed", TaskStatus::kFailed, task.attempts, task.fencing_token,
                               task.owner_id, error.message});
}

}  // namespace

Result<void> AppendEvent(WriteContext& context, const NewEvent& event) {
  SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kInsertEvent, event.task_seq, context.now, event.kind,
                                              EnumToString(event.status), event.attempt, event.fencing_token,
                                              NullIfEmpty(event.owner_id), NullIfEmpty(event.detail)));
  context.notes.appended_events = true;
  return {};
}

Result<TaskHead> ReadTaskHead(const Statement& row) {
  bool damaged = false;
  TaskHead head{.seq = row.Int(0),
                .id = std::string(row.Text(1)),
                .status = StatusFromName(row.Text(2), damaged),
                .attempts = static_cast<int>(row.Int(3)),
                .fencing_token = row.Int(4),
                .owner_id = std::string(row.Text(5))};
  if (damaged) return Fail(ErrorCode::kCorrupt, fmt::format("the stored row of task {} is damaged", head.id));
  return head;
}

Result<TaskHead> FindTaskHead(Database& database, std::string_view id_or_prefix) {
  return FindByPrefix(database, kFindHead, "task", id_or_prefix, ReadTaskHead);
}

Result<TaskRow> SelectTask(Database& database, std::int64_t seq) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement rows, database.Query(kSelectTask, seq));
  SEEDCORE_ASSIGN_OR_RETURN(const bool found, rows.Next());
  if (!found) return Fail(ErrorCode::kNotFound, "the task was deleted");
  return ReadTaskRow(rows);
}

Result<bool> WasCancelled(WriteContext& context, const Lease& lease) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement row, context.db.Query(kWasCancelled, lease.task_id, lease.fencing_token));
  return row.Next();
}

Result<void> FailTask(WriteContext& context, const TaskHead& task, const Error& error) {
  SEEDCORE_RETURN_IF_ERROR(FailOne(context, task, error));
  return FailDependants(context, task.id, TaskStatus::kFailed);
}

Result<bool> AnyDependsOnAnother(WriteContext& context) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement row, context.db.Query(kAnyDependency));
  return row.Next();
}

Result<void> ReleaseDependants(WriteContext& context, const std::string& id) {
  SEEDCORE_ASSIGN_OR_RETURN(const std::vector<TaskHead> dependants, UnfinishedDependants(context, id));
  for (const TaskHead& task : dependants) {
    SEEDCORE_ASSIGN_OR_RETURN(Statement row, context.db.Query(kReleaseDependant, task.seq, context.now));
    SEEDCORE_ASSIGN_OR_RETURN(const bool changed, row.Next());
    if (!changed || row.Int(0) > 0) continue;
    if (row.Int(1) != static_cast<int>(Runnable::kNo)) context.notes.made_runnable = true;
    SEEDCORE_RETURN_IF_ERROR(
        AppendEvent(context, {task.seq, "released", task.status, task.attempts, task.fencing_token, {}, {}}));
  }
  return {};
}

Result<void> FailDependants(WriteContext& context, const std::string& id, TaskStatus outcome) {
  struct Cause {
    std::string id;
    TaskStatus outcome;
  };
  // Each task is failed at most once, so the list ends.
  std::vector<Cause> causes{{id, outcome}};
  while (!causes.empty()) {
    const Cause cause = std::move(causes.back());
    causes.pop_back();
    SEEDCORE_ASSIGN_OR_RETURN(const std::vector<TaskHead> dependants, UnfinishedDependants(context, cause.id));
    const Error error{ErrorCode::kNonRetryable,
                      fmt::format("it depends on task {}, which is {}", cause.id, EnumToString(cause.outcome)),
                      {}};
    for (const TaskHead& task : dependants) {
      SEEDCORE_RETURN_IF_ERROR(FailOne(context, task, error));
      causes.push_back({task.id, TaskStatus::kFailed});
    }
  }
  return {};
}

Result<int> PromoteDue(WriteContext& context, int limit) {
  {
    // Nearly always nothing is due; asking is cheaper than an UPDATE with a subquery.
    SEEDCORE_ASSIGN_OR_RETURN(Statement row, context.db.Query(kHasDue, context.now));
    SEEDCORE_ASSIGN_OR_RETURN(const bool due, row.Next());
    if (!due) return 0;
  }
  return context.db.Execute(kPromoteDue, context.now, limit);
}

Result<void> Requeue(WriteContext& context, const TaskHead& task, std::string_view event_kind) {
  int blockers = 0;
  {
    SEEDCORE_ASSIGN_OR_RETURN(Statement unmet, context.db.Query(kSelectUnmet, task.id));
    for (;;) {
      SEEDCORE_ASSIGN_OR_RETURN(const bool more, unmet.Next());
      if (!more) break;
      bool damaged = false;
      if (IsTerminal(StatusFromName(unmet.Text(1), damaged))) {
        return Fail(ErrorCode::kConflict, fmt::format("it depends on task {}, which is {}; run that one first",
                                                      unmet.Text(0), unmet.Text(1)));
      }
      ++blockers;
    }
  }
  if (IsTerminal(task.status)) SEEDCORE_RETURN_IF_ERROR(CheckUniqueKeyIsFree(context, task.seq));
  const Runnable runnable = blockers > 0 ? Runnable::kAfterDependencies : Runnable::kNow;
  SEEDCORE_ASSIGN_OR_RETURN(const int changed,
                            context.db.Execute(kRequeue, task.seq, context.now, static_cast<int>(runnable), blockers));
  if (changed == 0) return {};
  SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kDeleteResult, task.seq));
  context.notes.Moved(task.status, TaskStatus::kQueued);
  if (runnable == Runnable::kNow) context.notes.made_runnable = true;
  return AppendEvent(context, {task.seq, event_kind, TaskStatus::kQueued, 0, task.fencing_token, {}, {}});
}

}  // namespace seedcore::store::sqlite

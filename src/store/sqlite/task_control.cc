#include "base/json_binding.h"
#include "store/sqlite/knowledge_writes.h"
#include "store/sqlite/queue_store.h"
#include "store/sqlite/task_filter.h"
#include "store/sqlite/task_store.h"
#include "store/sqlite/task_writes.h"
#include "store/sqlite/turns.h"

namespace seedcore::store::sqlite {
namespace {

// ?1 seq, ?2 now
constexpr char kCancel[] =
    "UPDATE tasks SET cancel_requested = status = 'running', status = 'cancelled', runnable = 0, finished_at = ?2, "
    "updated_at = ?2, lease_expires_at = NULL, owner_id = NULL WHERE seq = ?1 AND finished_at IS NULL";
constexpr char kSelectFinished[] =
    "SELECT seq FROM tasks WHERE finished_at IS NOT NULL AND finished_at < ?1 ORDER BY finished_at LIMIT ?2";
constexpr char kHasFinished[] =
    "SELECT EXISTS (SELECT 1 FROM tasks WHERE finished_at IS NOT NULL AND finished_at < ?1)";
constexpr char kDeleteTask[] = "DELETE FROM tasks WHERE seq = ?1 AND finished_at IS NOT NULL RETURNING status";
constexpr char kDeleteEvents[] = "DELETE FROM task_event WHERE task_seq = ?1";
constexpr char kHoldReason[] = "SELECT hold_reason FROM tasks WHERE seq = ?1";

Result<TaskRow> CancelTask(WriteContext& context, const std::string& id) {
  SEEDCORE_ASSIGN_OR_RETURN(const TaskHead task, FindTaskHead(context.db, id));
  SEEDCORE_ASSIGN_OR_RETURN(const int changed, context.db.Execute(kCancel, task.seq, context.now));
  if (changed == 1) {
    context.notes.Moved(task.status, TaskStatus::kCancelled);
    SEEDCORE_RETURN_IF_ERROR(AppendEvent(
        context,
        {task.seq, "cancelled", TaskStatus::kCancelled, task.attempts, task.fencing_token, task.owner_id, {}}));
    SEEDCORE_RETURN_IF_ERROR(FailDependants(context, task.id, TaskStatus::kCancelled));
    SEEDCORE_RETURN_IF_ERROR(NoteRoom(context));
  }
  return SelectTask(context.db, task.seq);
}

Result<bool> IsHeld(WriteContext& context, std::int64_t seq) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement row, context.db.Query(kHoldReason, seq));
  SEEDCORE_ASSIGN_OR_RETURN(const bool found, row.Next());
  return found && !row.IsNull(0);
}

Result<TaskRow> RunTask(WriteContext& context, const std::string& id) {
  SEEDCORE_ASSIGN_OR_RETURN(const TaskHead task, FindTaskHead(context.db, id));
  SEEDCORE_ASSIGN_OR_RETURN(const bool held, IsHeld(context, task.seq));
  const bool unchanged = task.status == TaskStatus::kQueued || task.status == TaskStatus::kRunning ||
                         task.status == TaskStatus::kCompleted;
  if (!unchanged) SEEDCORE_RETURN_IF_ERROR(Requeue(context, task, held ? "resumed" : "queued"));
  return SelectTask(context.db, task.seq);
}

Result<std::vector<TaskHead>> DeadLetters(WriteContext& context, const TaskFilter& filter, std::int64_t after,
                                          int limit) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement rows, QueryDeadLetters(context.db, filter, after, limit));
  std::vector<TaskHead> out;
  for (;;) {
    SEEDCORE_ASSIGN_OR_RETURN(const bool more, rows.Next());
    if (!more) return out;
    SEEDCORE_ASSIGN_OR_RETURN(out.emplace_back(), ReadTaskHead(rows));
  }
}

Result<int> RedriveTasks(WriteContext& context, const TaskFilter& filter, int limit) {
  int done = 0;
  std::int64_t after = 0;
  // Those that cannot run yet are passed over; oldest first, a dependency comes before what depends on it.
  while (done < limit) {
    SEEDCORE_ASSIGN_OR_RETURN(const std::vector<TaskHead> tasks, DeadLetters(context, filter, after, limit));
    if (tasks.empty()) break;
    for (const TaskHead& task : tasks) {
      after = task.seq;
      if (auto requeued = Requeue(context, task, "redriven"); requeued) {
        ++done;
      } else if (requeued.error().code != ErrorCode::kConflict) {
        return std::unexpected(requeued.error());
      }
      if (done == limit) break;
    }
  }
  return done;
}

Result<std::vector<std::int64_t>> FinishedBefore(WriteContext& context, WallTime before, int limit) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement rows, context.db.Query(kSelectFinished, before, limit));
  std::vector<std::int64_t> out;
  for (;;) {
    SEEDCORE_ASSIGN_OR_RETURN(const bool more, rows.Next());
    if (!more) return out;
    out.push_back(rows.Int(0));
  }
}

Result<void> DeleteOne(WriteContext& context, std::int64_t seq) {
  {
    SEEDCORE_ASSIGN_OR_RETURN(Statement row, context.db.Query(kDeleteTask, seq));
    SEEDCORE_ASSIGN_OR_RETURN(const bool deleted, row.Next());
    if (!deleted) return {};
    bool damaged = false;
    context.notes.Left(StatusFromName(row.Text(0), damaged));
  }
  SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kDeleteEvents, seq));
  return {};
}

}  // namespace

Result<Task> SqliteTaskStore::Cancel(const std::string& id) {
  return ToTask(writer_.Run([&](WriteContext& context) { return CancelTask(context, id); }));
}

Result<Task> SqliteTaskStore::Run(const std::string& id) {
  return ToTask(writer_.Run([&](WriteContext& context) { return RunTask(context, id); }));
}

Result<int> SqliteTaskStore::Redrive(const TaskFilter& filter, int limit) {
  return writer_.Run([&](WriteContext& context) { return RedriveTasks(context, filter, limit); });
}

Result<int> SqliteTaskStore::DeleteFinished(WallTime before, int limit) {
  return writer_.Run([&](WriteContext& context) -> Result<int> {
    SEEDCORE_ASSIGN_OR_RETURN(const std::vector<std::int64_t> tasks, FinishedBefore(context, before, limit));
    for (const std::int64_t seq : tasks) SEEDCORE_RETURN_IF_ERROR(DeleteOne(context, seq));
    if (static_cast<int>(tasks.size()) < limit) {
      SEEDCORE_RETURN_IF_ERROR(ForgetFlows(context));
      SEEDCORE_RETURN_IF_ERROR(ForgetStreams(context, streams_));
    }
    return static_cast<int>(tasks.size());
  });
}

Result<bool> SqliteTaskStore::HasFinished(WallTime before) {
  return readers_.Run([&](Database& database) -> Result<bool> {
    SEEDCORE_ASSIGN_OR_RETURN(Statement row, database.Query(kHasFinished, before));
    SEEDCORE_ASSIGN_OR_RETURN(const bool found, row.Next());
    return found && row.Int(0) != 0;
  });
}

}  // namespace seedcore::store::sqlite

#include <fmt/format.h>

#include "base/json_binding.h"
#include "store/prepared_task.h"
#include "store/sqlite/task_store.h"
#include "store/sqlite/task_writes.h"
#include "store/sqlite/turns.h"

namespace seedcore::store::sqlite {
namespace {

constexpr char kFindByKey[] = "SELECT seq, content_hash FROM task_payload WHERE idempotency_key = ?1";
constexpr char kFindUniqueLive[] = "SELECT seq FROM tasks WHERE unique_key = ?1 AND finished_at IS NULL";
constexpr char kFindUniqueUntil[] =
    "SELECT seq FROM tasks WHERE unique_key = ?1 AND unique_until > ?2 ORDER BY unique_until DESC LIMIT 1";
constexpr char kFindDependency[] = "SELECT status FROM tasks WHERE id = ?1";
constexpr char kInsertTask[] =
    "INSERT INTO tasks (id, type, domain, status, runnable, blockers, priority, max_attempts, retry_base_ms, "
    "retry_max_ms, "
    "drift_score, created_at, updated_at, run_after, deadline, finished_at, dead_letter, error, error_code, "
    "concurrency_key, unique_key, unique_until, turn) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)";
constexpr char kInsertPayload[] =
    "INSERT INTO task_payload (seq, description, params, depends_on, traceparent, idempotency_key, content_hash) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
constexpr char kInsertDependency[] = "INSERT INTO task_depends_on_task (src_task_id, dst_task_id) VALUES (?1, ?2)";

/// What the writer found or made for one of them.
struct Submitted {
  bool duplicate = false;
  TaskRow earlier;  ///< when duplicate
  std::string id;
  TaskStatus status = TaskStatus::kQueued;
  std::string error;
  WallTime at;
};

Result<std::optional<TaskRow>> FindEarlier(WriteContext& context, const PreparedTask& prepared) {
  const std::string& key = prepared.task->idempotency_key;
  if (key.empty()) return std::nullopt;
  std::int64_t seq = 0;
  {
    SEEDCORE_ASSIGN_OR_RETURN(Statement row, context.db.Query(kFindByKey, key));
    SEEDCORE_ASSIGN_OR_RETURN(const bool found, row.Next());
    if (!found) return std::nullopt;
    if (row.Int(1) != prepared.content_hash) {
      return Fail(ErrorCode::kConflict,
                  fmt::format("the idempotency key '{}' was used for a task with other content", key),
                  "idempotency_key");
    }
    seq = row.Int(0);
  }
  SEEDCORE_ASSIGN_OR_RETURN(TaskRow earlier, SelectTask(context.db, seq));
  return earlier;
}

/// The task that holds the unique key, if it is taken.
Result<std::optional<TaskRow>> FindUnique(WriteContext& context, const std::string& key) {
  if (key.empty()) return std::nullopt;
  std::optional<std::int64_t> seq;
  {
    SEEDCORE_ASSIGN_OR_RETURN(Statement row, context.db.Query(kFindUniqueLive, key));
    SEEDCORE_ASSIGN_OR_RETURN(const bool found, row.Next());
    if (found) seq = row.Int(0);
  }
  if (!seq) {
    SEEDCORE_ASSIGN_OR_RETURN(Statement row, context.db.Query(kFindUniqueUntil, key, context.now));
    SEEDCORE_ASSIGN_OR_RETURN(const bool found, row.Next());
    if (!found) return std::nullopt;
    seq = row.Int(0);
  }
  SEEDCORE_ASSIGN_OR_RETURN(TaskRow holder, SelectTask(context.db, *seq));
  return holder;
}

struct Dependencies {
  int unmet = 0;
  std::string failure;  ///< why the task can never run; empty when it can
};

Result<Dependencies> CheckDependencies(WriteContext& context, const PreparedTask& prepared) {
  Dependencies out;
  for (const std::string& id : prepared.dependencies) {
    SEEDCORE_ASSIGN_OR_RETURN(Statement row, context.db.Query(kFindDependency, id));
    SEEDCORE_ASSIGN_OR_RETURN(const bool found, row.Next());
    if (!found) return Fail(ErrorCode::kNotFound, fmt::format("there is no task {} to depend on", id), "depends_on");
    bool damaged = false;
    const TaskStatus status = StatusFromName(row.Text(0), damaged);
    if (status == TaskStatus::kCompleted) continue;
    ++out.unmet;
    if (IsTerminal(status)) out.failure = fmt::format("it depends on task {}, which is {}", id, row.Text(0));
  }
  return out;
}

struct Start {
  TaskStatus status;
  Runnable runnable;
};

Start StartOf(const NewTask& task, const Dependencies& dependencies, WallTime now) {
  if (!dependencies.failure.empty()) return {TaskStatus::kFailed, Runnable::kNo};
  if (!task.run_immediately) return {TaskStatus::kCreated, Runnable::kNo};
  if (dependencies.unmet > 0) return {TaskStatus::kQueued, Runnable::kAfterDependencies};
  if (task.run_after && *task.run_after > now) return {TaskStatus::kQueued, Runnable::kAtRunAfter};
  return {TaskStatus::kQueued, Runnable::kNow};
}

Result<Submitted> Insert(WriteContext& context, Turns& turns, const PreparedTask& prepared) {
  const NewTask& task = *prepared.task;
  SEEDCORE_ASSIGN_OR_RETURN(std::optional<TaskRow> earlier, FindEarlier(context, prepared));
  if (!earlier) {
    SEEDCORE_ASSIGN_OR_RETURN(earlier, FindUnique(context, task.unique_key));
  }
  if (earlier) return Submitted{.duplicate = true, .earlier = std::move(*earlier)};

  SEEDCORE_ASSIGN_OR_RETURN(const Dependencies dependencies, CheckDependencies(context, prepared));
  const Start start = StartOf(task, dependencies, context.now);
  const bool failed = start.status == TaskStatus::kFailed;
  Submitted out{.id = context.env.NewId(), .status = start.status, .error = dependencies.failure, .at = context.now};

  std::optional<std::int64_t> turn;
  if (start.runnable == Runnable::kNow) {
    SEEDCORE_ASSIGN_OR_RETURN(turn, turns.Take(task.type, task.domain, task.priority));
  }
  SEEDCORE_RETURN_IF_ERROR(context.db.Execute(
      kInsertTask, out.id, task.type, task.domain, EnumToString(start.status), static_cast<int>(start.runnable),
      dependencies.unmet, task.priority, task.retry.max_attempts, task.retry.base, task.retry.max, task.drift_score,
      context.now, task.run_after, task.deadline, failed ? std::optional(context.now) : std::nullopt, failed ? 1 : 0,
      NullIfEmpty(out.error), NullIfEmpty(failed ? ToString(ErrorCode::kNonRetryable) : std::string_view()),
      NullIfEmpty(task.concurrency_key), NullIfEmpty(task.unique_key),
      task.unique_for.count() > 0 ? std::optional(context.now + task.unique_for) : std::nullopt, turn));
  const std::int64_t seq = context.db.LastInsertId();
  const bool keyed = !task.idempotency_key.empty();
  SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kInsertPayload, seq, task.description, prepared.params,
                                              NullIfEmpty(prepared.depends_on), NullIfEmpty(task.traceparent),
                                              NullIfEmpty(task.idempotency_key),
                                              keyed ? std::optional(prepared.content_hash) : std::nullopt));
  for (const std::string& id : prepared.dependencies) {
    SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kInsertDependency, out.id, id));
  }
  context.notes.Entered(start.status);
  if (start.runnable == Runnable::kNow || start.runnable == Runnable::kAtRunAfter) context.notes.made_runnable = true;
  SEEDCORE_RETURN_IF_ERROR(
      AppendEvent(context, {seq, "submitted", failed ? TaskStatus::kCreated : start.status, 0, 0, {}, {}}));
  if (failed) SEEDCORE_RETURN_IF_ERROR(AppendEvent(context, {seq, "failed", TaskStatus::kFailed, 0, 0, {}, out.error}));
  return out;
}

Result<SubmitResult> ToSubmitResult(const NewTask& task, Submitted submitted) {
  if (submitted.duplicate) {
    SEEDCORE_ASSIGN_OR_RETURN(Task earlier, ToTask(std::move(submitted.earlier)));
    return SubmitResult{.task = std::move(earlier), .duplicate = true};
  }
  return SubmitResult{
      .task = TaskFromNew(task, std::move(submitted.id), submitted.status, std::move(submitted.error), submitted.at)};
}

}  // namespace

Result<std::vector<SubmitResult>> SqliteTaskStore::Submit(std::span<const NewTask> tasks) {
  std::vector<PreparedTask> prepared;
  prepared.reserve(tasks.size());
  for (const NewTask& task : tasks) {
    SEEDCORE_ASSIGN_OR_RETURN(prepared.emplace_back(), PrepareTask(task));
  }
  auto submitted = writer_.Run([&](WriteContext& context) -> Result<std::vector<Submitted>> {
    std::vector<Submitted> out;
    out.reserve(prepared.size());
    Turns turns(context);
    for (const PreparedTask& task : prepared) {
      SEEDCORE_ASSIGN_OR_RETURN(out.emplace_back(), Insert(context, turns, task));
    }
    SEEDCORE_RETURN_IF_ERROR(turns.Store());
    return out;
  });
  if (!submitted) return std::unexpected(std::move(submitted.error()));

  std::vector<SubmitResult> results;
  results.reserve(tasks.size());
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    SEEDCORE_ASSIGN_OR_RETURN(results.emplace_back(), ToSubmitResult(tasks[i], std::move((*submitted)[i])));
  }
  return results;
}

}  // namespace seedcore::store::sqlite

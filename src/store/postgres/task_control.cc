#include "store/postgres/knowledge_writes.h"
#include "store/postgres/task_effects.h"
#include "store/postgres/task_filter.h"
#include "store/postgres/task_row.h"
#include "store/postgres/task_store.h"
#include "store/turn.h"

namespace seedcore::store::postgres {
namespace {

constexpr char kCancel[] = "SELECT seedcore_cancel($1, $2), EXISTS (SELECT 1 FROM queue_limit)";
// $1 now, $2 id, $3 kind of the event, or NULL
constexpr char kRequeue[] = "SELECT seedcore_requeue($1, $2, $3)";
constexpr char kDeleteFinished[] = "SELECT seedcore_delete_finished($1, $2)";
constexpr char kHasFinished[] = "SELECT EXISTS (SELECT FROM finished_batch WHERE finished_at < $1)";
// What no turn depends on any more (turn.h). Nobody waits for these rows, and these statements wait for nobody: a flow
// whose row is locked goes by the clock, which gives what its row would give.
// $1 kTurn, $2 kPriorityStep, $3 at most
constexpr char kForgetFlows[] =
    "WITH gone AS MATERIALIZED (SELECT f.type, f.domain, f.priority FROM queue_flow f "
    "WHERE f.last_turn + $1 <= (10 - f.priority) * $2::bigint + "
    "(SELECT coalesce(max(c.turn), 0) FROM queue_clock c WHERE c.type IN ('', f.type)) "
    "LIMIT $3 FOR UPDATE OF f SKIP LOCKED) "
    "DELETE FROM queue_flow f USING gone g WHERE f.type = g.type AND f.domain = g.domain AND f.priority = g.priority";
// $1 kTurn, $2 at most
constexpr char kForgetClocks[] =
    "WITH gone AS MATERIALIZED (SELECT c.type FROM queue_clock c WHERE c.type <> '' AND "
    "c.turn + $1 <= (SELECT a.turn FROM queue_clock a WHERE a.type = '') LIMIT $2 FOR UPDATE OF c SKIP LOCKED) "
    "DELETE FROM queue_clock c USING gone g WHERE c.type = g.type";

Result<TaskRow> CancelTask(WriteContext& context, const std::string& id) {
  SEEDCORE_ASSIGN_OR_RETURN(const TaskName task, FindTask(context.db, id));
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, context.db.Query(kCancel, context.now, Uuid{task.id}));
  context.notes.appended_events = rows.Bool(0, 0);
  // It may have left room under a limit.
  if (rows.Bool(0, 0) && rows.Bool(0, 1)) ++context.notes.runnable.tasks;
  return SelectTask(context.db, task.seq);
}

Result<TaskRow> RunTask(WriteContext& context, const std::string& id) {
  SEEDCORE_ASSIGN_OR_RETURN(const TaskName task, FindTask(context.db, id));
  SEEDCORE_RETURN_IF_ERROR(Requeue(context, task.id, std::nullopt));
  return SelectTask(context.db, task.seq);
}

Result<int> RedriveTasks(WriteContext& context, const TaskFilter& filter, int limit) {
  int done = 0;
  std::int64_t after = 0;
  // Those that cannot run yet are passed over; oldest first, a dependency comes before what depends on it.
  while (done < limit) {
    SEEDCORE_ASSIGN_OR_RETURN(const std::vector<TaskName> tasks, QueryDeadLetters(context.db, filter, after, limit));
    if (tasks.empty()) break;
    for (const TaskName& task : tasks) {
      after = task.seq;
      if (auto requeued = Requeue(context, task.id, "redriven"); requeued) {
        if (*requeued) ++done;
      } else if (requeued.error().code != ErrorCode::kConflict) {
        return std::unexpected(std::move(requeued.error()));
      }
      if (done == limit) break;
    }
  }
  return done;
}

}  // namespace

Result<bool> Requeue(WriteContext& context, const std::string& task_id, std::optional<std::string_view> kind) {
  constexpr std::string_view kConflict = "conflict: ";
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, context.db.Query(kRequeue, context.now, Uuid{task_id}, kind));
  const std::string_view answer = rows.Text(0, 0);
  if (answer.starts_with(kConflict)) {
    return Fail(ErrorCode::kConflict, std::string(answer.substr(kConflict.size())));
  }
  if (answer == "unchanged") return false;
  context.notes.appended_events = true;
  if (answer == "runnable") ++context.notes.runnable.tasks;
  return true;
}

Result<Task> PostgresTaskStore::Cancel(const std::string& id) {
  return ToTask(database_.Write([&](WriteContext& context) { return CancelTask(context, id); }));
}

Result<Task> PostgresTaskStore::Run(const std::string& id) {
  return ToTask(database_.Write([&](WriteContext& context) { return RunTask(context, id); }));
}

Result<int> PostgresTaskStore::Redrive(const TaskFilter& filter, int limit) {
  return database_.Write([&](WriteContext& context) { return RedriveTasks(context, filter, limit); });
}

Result<int> PostgresTaskStore::DeleteFinished(WallTime before, int limit) {
  return database_.WriteOnce([&](WriteContext& context) -> Result<int> {
    SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, context.db.Query(kDeleteFinished, before, std::int64_t{limit}));
    const int deleted = static_cast<int>(rows.Int(0, 0));
    if (deleted < limit) {
      constexpr std::int64_t kMost = kMostFlowsForgotten;
      SEEDCORE_RETURN_IF_ERROR(context.db.Query(kForgetFlows, kTurn, kPriorityStep, kMost));
      SEEDCORE_RETURN_IF_ERROR(context.db.Query(kForgetClocks, kTurn, kMost));
      SEEDCORE_RETURN_IF_ERROR(ForgetStreams(context, streams_));
    }
    return deleted;
  });
}

Result<bool> PostgresTaskStore::HasFinished(WallTime before) {
  SEEDCORE_ASSIGN_OR_RETURN(
      const Rows rows, database_.Read([&](Connection& connection) { return connection.Query(kHasFinished, before); }));
  return rows.Bool(0, 0);
}

}  // namespace seedcore::store::postgres

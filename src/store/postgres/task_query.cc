#include <array>

#include <fmt/format.h>

#include "base/json_binding.h"
#include "store/postgres/queue_store.h"
#include "store/postgres/task_filter.h"
#include "store/postgres/task_row.h"
#include "store/postgres/task_store.h"

namespace seedcore::store::postgres {
namespace {

constexpr char kGetTask[] = SEEDCORE_PG_TASK_SELECT "WHERE t.id BETWEEN $1 AND $2 LIMIT 2";
constexpr char kEventsOfTask[] =
    "SELECT e.seq, t.id, e.at, e.kind, e.status, e.attempt, e.fencing_token, e.owner_id, e.detail "
    "FROM tasks t CROSS JOIN LATERAL ("
    "SELECT seq, at, kind, status, attempt, fencing_token, owner_id, detail FROM task_event WHERE task_seq = t.seq "
    "UNION ALL SELECT b.seq + array_position(b.task_seqs, t.seq) - 1, b.at, b.kind, b.status, b.attempt, "
    "b.fencing_token, b.owner_id, NULL FROM task_event_batch b WHERE b.seq IN (t.claim_event, t.end_event, "
    "(SELECT submit_event FROM task_payload WHERE seq = t.seq))) e WHERE t.seq = $1 ORDER BY e.seq";
constexpr char kEventsAfter[] =
    "SELECT seq, task_id, at, kind, status, attempt, fencing_token, owner_id, detail FROM seedcore_events_after($1, "
    "$2)";

constexpr char kTaskCounts[] = "SELECT status, sum(n)::bigint FROM task_count GROUP BY status";
constexpr char kDeadLetters[] = "SELECT count(*) FROM tasks WHERE dead_letter";
constexpr char kOldestQueued[] =
    "SELECT t.created_at FROM (SELECT least((SELECT min(seq) FROM task_ready), "
    "(SELECT min(seqs[taken + 1]) FROM ready_batch)) AS seq) r JOIN tasks t ON t.seq = r.seq";
constexpr char kNextRunAfter[] =
    "SELECT min(run_after), EXISTS (SELECT 1 FROM queue_limit WHERE rate_tasks IS NOT NULL) FROM tasks WHERE waits_as "
    "= 2";
// $1 scope, $2 name
constexpr char kWaitsForToken[] =
    "SELECT CASE $1::text WHEN 'type' THEN EXISTS (SELECT 1 FROM task_ready WHERE type = $2) "
    "OR EXISTS (SELECT 1 FROM ready_batch WHERE type = $2) "
    "ELSE EXISTS (SELECT 1 FROM tasks WHERE waits_as = 4 AND concurrency_key = $2) END";

Result<std::vector<TaskEvent>> ReadEvents(const Rows& rows) {
  std::vector<TaskEvent> out;
  out.reserve(static_cast<std::size_t>(rows.size()));
  bool damaged = false;
  for (int row = 0; row < rows.size(); ++row) {
    out.push_back({.seq = rows.Int(row, 0),
                   .task_id = rows.Id(row, 1),
                   .at = rows.Time(row, 2),
                   .kind = std::string(rows.Text(row, 3)),
                   .status = StatusFromName(rows.Text(row, 4), damaged),
                   .attempt = static_cast<int>(rows.Int(row, 5)),
                   .fencing_token = rows.Int(row, 6),
                   .owner_id = std::string(rows.Text(row, 7)),
                   .detail = std::string(rows.Text(row, 8))});
  }
  if (damaged) return Fail(ErrorCode::kCorrupt, "a stored task event is damaged");
  return out;
}

}  // namespace

Result<Task> PostgresTaskStore::Get(const std::string& id_or_prefix) {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, database_.Read([&](Connection& connection) {
    return FindByPrefix(connection, kGetTask, "task", id_or_prefix);
  }));
  return ToTask(ReadTaskRow(rows, 0));
}

Result<TaskPage> PostgresTaskStore::List(const TaskFilter& filter, int limit, const std::string& cursor) {
  if (limit < 1) return Fail(ErrorCode::kInvalidArgument, "expected at least 1", "limit");
  SEEDCORE_ASSIGN_OR_RETURN(const std::int64_t before, ParseTaskCursor(cursor));
  // One more than asked for tells whether there is another page.
  SEEDCORE_ASSIGN_OR_RETURN(std::vector<TaskRow> rows, database_.Read([&](Connection& connection) {
    return QueryTasks(connection, filter, before, limit + 1);
  }));
  return ToTaskPage(std::move(rows), limit);
}

Result<std::vector<TaskEvent>> PostgresTaskStore::Events(const std::string& task_id) {
  return database_.Read([&](Connection& connection) -> Result<std::vector<TaskEvent>> {
    SEEDCORE_ASSIGN_OR_RETURN(const TaskName task, FindTask(connection, task_id));
    SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, connection.Query(kEventsOfTask, task.seq));
    return ReadEvents(rows);
  });
}

Result<std::vector<TaskEvent>> PostgresTaskStore::EventsAfter(std::int64_t after, int limit) {
  return database_.Read([&](Connection& connection) -> Result<std::vector<TaskEvent>> {
    SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, connection.Query(kEventsAfter, after, limit));
    return ReadEvents(rows);
  });
}

Result<TaskCounts> PostgresTaskStore::Counts() {
  SEEDCORE_ASSIGN_OR_RETURN(const std::vector<Rows> rows, database_.Read([&](Connection& connection) {
    const std::array<Call, 3> calls{Call{kTaskCounts, {}}, Call{kDeadLetters, {}}, Call{kOldestQueued, {}}};
    return connection.Pipeline(calls);
  }));
  TaskCounts out;
  for (const auto& [status, name] : EnumNames(TaskStatus{})) out.by_status[status] = 0;
  bool damaged = false;
  for (int row = 0; row < rows[0].size(); ++row) {
    out.by_status[StatusFromName(rows[0].Text(row, 0), damaged)] = rows[0].Int(row, 1);
  }
  out.dead_letters = rows[1].Int(0, 0);
  if (!rows[2].empty()) out.oldest_queued = rows[2].OptionalTime(0, 0);
  return out;
}

Result<std::optional<WallTime>> PostgresTaskStore::NextRunAfter() {
  const WallTime now = env_.WallNow();
  auto found = database_.Read([&](Connection& connection) -> Result<std::optional<WallTime>> {
    SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, connection.Query(kNextRunAfter));
    std::optional<WallTime> next = rows.OptionalTime(0, 0);
    if (!rows.Bool(0, 1)) return next;
    SEEDCORE_ASSIGN_OR_RETURN(const std::vector<LimitState> limits, ReadLimits(connection));
    for (const LimitState& state : limits) {
      const auto token = NextToken(state, now);
      if (!token || (next && *next <= *token)) continue;
      SEEDCORE_ASSIGN_OR_RETURN(const Rows waits, connection.Query(kWaitsForToken, EnumToString(state.limit.scope),
                                                                   std::string_view(state.limit.name)));
      if (waits.Bool(0, 0)) next = token;
    }
    return next;
  });
  // Where many wait for the same moment, most of them are told of a later one.
  if (found && *found) **found += database_.notifier().wake_ups().PauseAtTime();
  return found;
}

Subscription PostgresTaskStore::OnRunnable(std::function<void()> listener) {
  return database_.OnRunnable(std::move(listener));
}

Subscription PostgresTaskStore::OnEvents(std::function<void()> listener) {
  return database_.OnEvents(std::move(listener));
}

}  // namespace seedcore::store::postgres

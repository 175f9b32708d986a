
#include <fmt/format.h>

#include "base/json_binding.h"
#include "store/sqlite/ids.h"
#include "store/sqlite/queue_store.h"
#include "store/sqlite/task_filter.h"
#include "store/sqlite/task_store.h"
#include "store/sqlite/task_writes.h"

namespace seedcore::store::sqlite {
namespace {

constexpr char kGetTask[] = "SELECT " SEEDCORE_TASK_COLUMNS SEEDCORE_TASK_FROM "WHERE t.id >= ?1 AND t.id < ?2 LIMIT 2";

#define SEEDCORE_EVENT_SELECT                                                                     \
  "SELECT e.seq, t.id, e.at, e.kind, e.status, e.attempt, e.fencing_token, e.owner_id, e.detail " \
  "FROM task_event e JOIN tasks t ON t.seq = e.task_seq "
constexpr char kEventsOfTask[] = SEEDCORE_EVENT_SELECT "WHERE e.task_seq = ?1 ORDER BY e.seq";
constexpr char kEventsAfter[] = SEEDCORE_EVENT_SELECT "WHERE e.seq > ?1 ORDER BY e.seq LIMIT ?2";

constexpr char kTaskCounts[] = "SELECT status, n FROM task_count";
constexpr char kDeadLetters[] = "SELECT count(*) FROM tasks WHERE dead_letter = 1";
constexpr char kOldestQueued[] =
    "SELECT created_at FROM tasks INDEXED BY idx_tasks_ready WHERE runnable = 1 ORDER BY seq LIMIT 1";
constexpr char kNextRunAfter[] = "SELECT min(run_after) FROM tasks WHERE runnable = 2";

// ?1 scope, ?2 name
constexpr char kWaitsForToken[] =
    "SELECT 1 WHERE (?1 = 'type' AND EXISTS (SELECT 1 FROM tasks WHERE runnable = 1 AND type = ?2)) "
    "OR (?1 = 'key' AND EXISTS (SELECT 1 FROM tasks WHERE runnable = 4 AND concurrency_key = ?2))";

Result<std::vector<TaskEvent>> ReadEvents(Statement rows) {
  std::vector<TaskEvent> out;
  bool damaged = false;
  for (;;) {
    SEEDCORE_ASSIGN_OR_RETURN(const bool more, rows.Next());
    if (damaged) return Fail(ErrorCode::kCorrupt, "a stored task event is damaged");
    if (!more) return out;
    out.push_back({.seq = rows.Int(0),
                   .task_id = std::string(rows.Text(1)),
                   .at = rows.Time(2),
                   .kind = std::string(rows.Text(3)),
                   .status = StatusFromName(rows.Text(4), damaged),
                   .attempt = static_cast<int>(rows.Int(5)),
                   .fencing_token = rows.Int(6),
                   .owner_id = std::string(rows.Text(7)),
                   .detail = std::string(rows.Text(8))});
  }
}

Result<std::optional<WallTime>> QueryTime(Database& database, const char* sql) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement row, database.Query(sql));
  SEEDCORE_ASSIGN_OR_RETURN(const bool found, row.Next());
  if (!found) return std::nullopt;
  return row.OptionalTime(0);
}

Result<TaskCounts> ReadCounts(Database& database) {
  TaskCounts out;
  {
    SEEDCORE_ASSIGN_OR_RETURN(Statement rows, database.Query(kTaskCounts));
    for (;;) {
      SEEDCORE_ASSIGN_OR_RETURN(const bool more, rows.Next());
      if (!more) break;
      bool damaged = false;
      out.by_status[StatusFromName(rows.Text(0), damaged)] = rows.Int(1);
    }
  }
  SEEDCORE_ASSIGN_OR_RETURN(Statement dead, database.Query(kDeadLetters));
  SEEDCORE_ASSIGN_OR_RETURN(const bool found, dead.Next());
  if (found) out.dead_letters = dead.Int(0);
  SEEDCORE_ASSIGN_OR_RETURN(out.oldest_queued, QueryTime(database, kOldestQueued));
  return out;
}

}  // namespace

Result<Task> SqliteTaskStore::Get(const std::string& id_or_prefix) {
  SEEDCORE_ASSIGN_OR_RETURN(TaskRow row, readers_.Run([&](Database& database) -> Result<TaskRow> {
    return FindByPrefix(database, kGetTask, "task", id_or_prefix,
                        [](const Statement& found) -> Result<TaskRow> { return ReadTaskRow(found); });
  }));
  return ToTask(std::move(row));
}

Result<TaskPage> SqliteTaskStore::List(const TaskFilter& filter, int limit, const std::string& cursor) {
  if (limit < 1) return Fail(ErrorCode::kInvalidArgument, "expected at least 1", "limit");
  SEEDCORE_ASSIGN_OR_RETURN(const std::int64_t before, ParseTaskCursor(cursor));
  SEEDCORE_ASSIGN_OR_RETURN(
      std::vector<TaskRow> rows, readers_.Run([&](Database& database) -> Result<std::vector<TaskRow>> {
        // One more than asked for tells whether there is another page.
        SEEDCORE_ASSIGN_OR_RETURN(Statement found, QueryTasks(database, filter, before, limit + 1));
        std::vector<TaskRow> out;
        for (;;) {
          SEEDCORE_ASSIGN_OR_RETURN(const bool more, found.Next());
          if (!more) return out;
          out.push_back(ReadTaskRow(found));
        }
      }));
  return ToTaskPage(std::move(rows), limit);
}

Result<std::vector<TaskEvent>> SqliteTaskStore::Events(const std::string& task_id) {
  return readers_.Run([&](Database& database) -> Result<std::vector<TaskEvent>> {
    SEEDCORE_ASSIGN_OR_RETURN(const TaskHead task, FindTaskHead(database, task_id));
    SEEDCORE_ASSIGN_OR_RETURN(Statement rows, database.Query(kEventsOfTask, task.seq));
    return ReadEvents(std::move(rows));
  });
}

Result<std::vector<TaskEvent>> SqliteTaskStore::EventsAfter(std::int64_t after, int limit) {
  return readers_.Run([&](Database& database) -> Result<std::vector<TaskEvent>> {
    SEEDCORE_ASSIGN_OR_RETURN(Statement rows, database.Query(kEventsAfter, after, limit));
    return ReadEvents(std::move(rows));
  });
}

Result<TaskCounts> SqliteTaskStore::Counts() {
  return readers_.Run([](Database& database) { return ReadCounts(database); });
}

Result<std::optional<WallTime>> SqliteTaskStore::NextRunAfter() {
  const WallTime now = env_.WallNow();
  return readers_.Run([&](Database& database) -> Result<std::optional<WallTime>> {
    SEEDCORE_ASSIGN_OR_RETURN(std::optional<WallTime> next, QueryTime(database, kNextRunAfter));
    SEEDCORE_ASSIGN_OR_RETURN(const std::vector<LimitState> limits, ReadLimits(database));
    for (const LimitState& state : limits) {
      const auto token = NextToken(state, now);
      if (!token || (next && *next <= *token)) continue;
      SEEDCORE_ASSIGN_OR_RETURN(Statement row, database.Query(kWaitsForToken, EnumToString(state.limit.scope),
                                                              std::string_view(state.limit.name)));
      SEEDCORE_ASSIGN_OR_RETURN(const bool waits, row.Next());
      if (waits) next = token;
    }
    return next;
  });
}

Subscription SqliteTaskStore::OnRunnable(std::function<void()> listener) {
  return writer_.runnable().Connect(std::move(listener));
}

Subscription SqliteTaskStore::OnEvents(std::function<void()> listener) {
  return writer_.events().Connect(std::move(listener));
}

}  // namespace seedcore::store::sqlite

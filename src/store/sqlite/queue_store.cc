#include "store/sqlite/queue_store.h"

#include <algorithm>
#include <map>

#include "base/json_binding.h"

namespace seedcore::store::sqlite {
namespace {

constexpr char kHasAny[] = "SELECT EXISTS (SELECT 1 FROM queue_limit) OR EXISTS (SELECT 1 FROM queue_pause)";
constexpr char kHasLimits[] = "SELECT EXISTS (SELECT 1 FROM queue_limit)";
constexpr char kSelectLimits[] =
    "SELECT scope, name, max_running, rate_tasks, interval_ms, burst, tokens, tokens_at FROM queue_limit "
    "ORDER BY scope = 'key', name";
// A bucket of the same rate keeps what it holds, so that nobody gains by writing a limit again.
constexpr char kPutLimit[] =
    "INSERT INTO queue_limit (scope, name, max_running, rate_tasks, interval_ms, burst, tokens, tokens_at) "
    "VALUES (?1, ?2, ?3, ?4, ?5, ?6, coalesce(?6, 0), ?7) ON CONFLICT (scope, name) DO UPDATE SET "
    "max_running = excluded.max_running, "
    "tokens = CASE WHEN rate_tasks IS excluded.rate_tasks AND interval_ms IS excluded.interval_ms AND burst IS "
    "excluded.burst THEN tokens ELSE excluded.tokens END, "
    "tokens_at = CASE WHEN rate_tasks IS excluded.rate_tasks AND interval_ms IS excluded.interval_ms AND burst IS "
    "excluded.burst THEN tokens_at ELSE excluded.tokens_at END, "
    "rate_tasks = excluded.rate_tasks, interval_ms = excluded.interval_ms, burst = excluded.burst";
constexpr char kOtherLimits[] = "SELECT count(*) FROM queue_limit WHERE (scope, name) <> (?1, ?2)";
constexpr char kDeleteLimit[] = "DELETE FROM queue_limit WHERE scope = ?1 AND name = ?2";
constexpr char kUnparkKey[] = "UPDATE tasks SET runnable = 1 WHERE runnable = 4 AND concurrency_key = ?1";
constexpr char kUnparkAll[] = "UPDATE tasks SET runnable = 1 WHERE runnable = 4";

constexpr char kOtherPauses[] = "SELECT count(*) FROM queue_pause WHERE type <> ?1";
constexpr char kPause[] =
    "INSERT INTO queue_pause (type, reason, paused_at) VALUES (?1, ?2, ?3) "
    "ON CONFLICT (type) DO UPDATE SET reason = excluded.reason RETURNING paused_at";
constexpr char kResume[] = "DELETE FROM queue_pause WHERE type = ?1";
constexpr char kSelectPauses[] = "SELECT type, reason, paused_at FROM queue_pause ORDER BY type";

constexpr char kAddExternal[] = "INSERT INTO external_type (type, registered_at) VALUES (?1, ?2)";
constexpr char kRemoveExternal[] = "DELETE FROM external_type WHERE type = ?1";
constexpr char kSelectExternal[] = "SELECT type, registered_at FROM external_type ORDER BY type";

// Each from a partial index; finished tasks are not looked at.
constexpr char kCountReady[] =
    "SELECT type, count(*) FROM tasks INDEXED BY idx_tasks_claim_type WHERE runnable = 1 GROUP BY type";
constexpr char kCountScheduled[] =
    "SELECT type, count(*) FROM tasks INDEXED BY idx_tasks_run_after WHERE runnable = 2 GROUP BY type";
constexpr char kCountParked[] =
    "SELECT type, count(*) FROM tasks INDEXED BY idx_tasks_parked WHERE runnable = 4 GROUP BY type";
constexpr char kCountRunning[] =
    "SELECT type, count(*) FROM tasks INDEXED BY idx_tasks_lease_expires_at WHERE status = 'running' GROUP BY type";

constexpr char kNextParkedKey[] =
    "SELECT concurrency_key FROM tasks WHERE runnable = 4 AND concurrency_key > ?1 ORDER BY concurrency_key LIMIT 1";
constexpr char kRunningOfKey[] = "SELECT count(*) FROM tasks WHERE status = 'running' AND concurrency_key = ?1";
constexpr char kUnparkSome[] =
    "UPDATE tasks SET runnable = 1 WHERE seq IN (SELECT seq FROM tasks WHERE runnable = 4 AND concurrency_key = ?1 "
    "ORDER BY turn, seq LIMIT ?2)";

template <class T>
std::optional<T> OptionalInt(const Statement& row, int column) {
  if (row.IsNull(column)) return std::nullopt;
  return static_cast<T>(row.Int(column));
}

Result<void> AddCounts(Database& database, const char* sql, std::int64_t QueueCounts::* field,
                       std::map<std::string, QueueCounts>& queues) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement rows, database.Query(sql));
  for (;;) {
    SEEDCORE_ASSIGN_OR_RETURN(const bool more, rows.Next());
    if (!more) return {};
    QueueCounts& queue = queues[std::string(rows.Text(0))];
    queue.type = rows.Text(0);
    queue.*field = rows.Int(1);
  }
}

Result<void> UnparkUnder(WriteContext& context, const QueueLimit& limit) {
  if (limit.scope != LimitScope::kKey) return {};
  // Those that still find no room are parked again when their turn comes.
  if (limit.name == kEveryKey) {
    SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kUnparkAll));
  } else {
    SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kUnparkKey, limit.name));
  }
  return {};
}

Result<std::vector<ExternalType>> ReadExternalTypes(Database& database) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement rows, database.Query(kSelectExternal));
  std::vector<ExternalType> out;
  for (;;) {
    SEEDCORE_ASSIGN_OR_RETURN(const bool more, rows.Next());
    if (!more) return out;
    out.push_back({.type = std::string(rows.Text(0)), .registered_at = rows.Time(1)});
  }
}

/// The first key after `after`.
Result<std::optional<std::string>> NextParkedKey(Database& database, const std::string& after) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement row, database.Query(kNextParkedKey, after));
  SEEDCORE_ASSIGN_OR_RETURN(const bool found, row.Next());
  if (!found) return std::nullopt;
  return std::string(row.Text(0));
}

template <class... Args>
Result<std::int64_t> Count(WriteContext& context, const char* sql, const Args&... args) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement row, context.db.Query(sql, args...));
  SEEDCORE_RETURN_IF_ERROR(row.Next());
  return row.Int(0);
}

}  // namespace

Result<std::int64_t> RunningOfKey(Database& database, const std::string& key) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement row, database.Query(kRunningOfKey, key));
  SEEDCORE_RETURN_IF_ERROR(row.Next());
  return row.Int(0);
}

Result<bool> HasLimitsOrPauses(Database& database) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement row, database.Query(kHasAny));
  SEEDCORE_ASSIGN_OR_RETURN(const bool found, row.Next());
  return found && row.Int(0) != 0;
}

Result<std::vector<LimitState>> ReadLimits(Database& database) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement rows, database.Query(kSelectLimits));
  std::vector<LimitState> out;
  for (;;) {
    SEEDCORE_ASSIGN_OR_RETURN(const bool more, rows.Next());
    if (!more) return out;
    LimitState state;
    state.limit.scope = rows.Text(0) == EnumToString(LimitScope::kKey) ? LimitScope::kKey : LimitScope::kType;
    state.limit.name = rows.Text(1);
    state.limit.max_running = OptionalInt<int>(rows, 2);
    if (!rows.IsNull(3)) {
      state.limit.rate = RateLimit{.tasks = static_cast<int>(rows.Int(3)),
                                   .interval = std::chrono::milliseconds(rows.Int(4)),
                                   .burst = static_cast<int>(rows.Int(5))};
    }
    state.tokens = rows.Double(6);
    state.tokens_at = rows.Time(7);
    out.push_back(std::move(state));
  }
}

Result<std::vector<QueuePause>> ReadPauses(Database& database) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement rows, database.Query(kSelectPauses));
  std::vector<QueuePause> out;
  for (;;) {
    SEEDCORE_ASSIGN_OR_RETURN(const bool more, rows.Next());
    if (!more) return out;
    out.push_back({.type = std::string(rows.Text(0)), .reason = std::string(rows.Text(1)), .paused_at = rows.Time(2)});
  }
}

Result<void> NoteRoom(WriteContext& context) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement row, context.db.Query(kHasLimits));
  SEEDCORE_ASSIGN_OR_RETURN(const bool found, row.Next());
  if (found && row.Int(0) != 0) context.notes.made_runnable = true;
  return {};
}

Result<void> Unpark(WriteContext& context, Admission& admission, int max_keys, std::string& cursor) {
  for (int seen = 0; seen < max_keys; ++seen) {
    SEEDCORE_ASSIGN_OR_RETURN(const auto key, NextParkedKey(context.db, cursor));
    cursor = key.value_or("");
    if (!key) return {};
    const LimitState* state = admission.Find(LimitScope::kKey, *key);
    SEEDCORE_ASSIGN_OR_RETURN(const std::int64_t running, RunningOfKey(context.db, *key));
    // A key under no limit any more has been let out as a whole; what is left of it goes in pieces.
    constexpr int kMost = 1000;
    const int room = state == nullptr ? kMost : std::min(RoomOf(*state, running, context.now), kMost);
    if (room == 0) continue;
    SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kUnparkSome, *key, room));
    context.notes.made_runnable = true;
  }
  return {};
}

Result<void> UnparkKey(WriteContext& context, const std::string& key, int room) {
  if (room <= 0) return {};
  SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kUnparkSome, key, room));
  return {};
}

Result<void> SqliteQueueStore::PutLimit(const QueueLimit& limit) {
  SEEDCORE_RETURN_IF_ERROR(CheckLimit(limit));
  return writer_.Run([&](WriteContext& context) -> Result<void> {
    const auto of_rate = [&](auto RateLimit::* field) {
      return limit.rate ? std::optional(*limit.rate.*field) : std::nullopt;
    };
    SEEDCORE_ASSIGN_OR_RETURN(const std::int64_t others,
                              Count(context, kOtherLimits, EnumToString(limit.scope), limit.name));
    SEEDCORE_RETURN_IF_ERROR(CheckRoomFor(others, kMaxLimits, "limits"));
    SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kPutLimit, EnumToString(limit.scope), limit.name, limit.max_running,
                                                of_rate(&RateLimit::tasks), of_rate(&RateLimit::interval),
                                                of_rate(&RateLimit::burst), context.now));
    context.notes.made_runnable = true;
    return UnparkUnder(context, limit);
  });
}

Result<bool> SqliteQueueStore::DeleteLimit(LimitScope scope, const std::string& name) {
  return writer_.Run([&](WriteContext& context) -> Result<bool> {
    SEEDCORE_ASSIGN_OR_RETURN(const int changed, context.db.Execute(kDeleteLimit, EnumToString(scope), name));
    if (changed == 0) return false;
    context.notes.made_runnable = true;
    SEEDCORE_RETURN_IF_ERROR(
        UnparkUnder(context, {.scope = scope, .name = name, .max_running = std::nullopt, .rate = std::nullopt}));
    return true;
  });
}

Result<std::vector<QueueLimit>> SqliteQueueStore::Limits() {
  SEEDCORE_ASSIGN_OR_RETURN(std::vector<LimitState> states, readers_.Run(ReadLimits));
  std::vector<QueueLimit> out;
  out.reserve(states.size());
  for (LimitState& state : states) out.push_back(std::move(state.limit));
  return out;
}

Result<QueuePause> SqliteQueueStore::Pause(const std::string& type, const std::string& reason) {
  SEEDCORE_RETURN_IF_ERROR(CheckPause(type, reason));
  return writer_.Run([&](WriteContext& context) -> Result<QueuePause> {
    SEEDCORE_ASSIGN_OR_RETURN(const std::int64_t others, Count(context, kOtherPauses, type));
    SEEDCORE_RETURN_IF_ERROR(CheckRoomFor(others, kMaxPauses, "pauses"));
    SEEDCORE_ASSIGN_OR_RETURN(Statement row, context.db.Query(kPause, type, reason, context.now));
    SEEDCORE_RETURN_IF_ERROR(row.Next());
    return QueuePause{.type = type, .reason = reason, .paused_at = row.Time(0)};
  });
}

Result<bool> SqliteQueueStore::Resume(const std::string& type) {
  return writer_.Run([&](WriteContext& context) -> Result<bool> {
    SEEDCORE_ASSIGN_OR_RETURN(const int changed, context.db.Execute(kResume, type));
    if (changed > 0) context.notes.made_runnable = true;
    return changed > 0;
  });
}

Result<std::vector<QueuePause>> SqliteQueueStore::Pauses() { return readers_.Run(ReadPauses); }

Result<void> SqliteQueueStore::AddExternalTypes(std::span<const std::string> types) {
  SEEDCORE_RETURN_IF_ERROR(CheckExternalTypes(types));
  SEEDCORE_ASSIGN_OR_RETURN(const auto seen, readers_.Run(ReadExternalTypes));
  if (NewExternalTypes(types, seen).empty()) return {};
  return writer_.Run([&](WriteContext& context) -> Result<void> {
    SEEDCORE_ASSIGN_OR_RETURN(const auto known, ReadExternalTypes(context.db));
    const std::vector<std::string> added = NewExternalTypes(types, known);
    SEEDCORE_RETURN_IF_ERROR(
        CheckRoomFor(std::ssize(known) + std::ssize(added) - 1, kMaxExternalTypes, "external types"));
    for (const std::string& type : added) {
      SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kAddExternal, type, context.now));
    }
    return {};
  });
}

Result<bool> SqliteQueueStore::RemoveExternalType(const std::string& type) {
  return writer_.Run([&](WriteContext& context) -> Result<bool> {
    SEEDCORE_ASSIGN_OR_RETURN(const int changed, context.db.Execute(kRemoveExternal, type));
    if (changed > 0) context.notes.made_runnable = true;
    return changed > 0;
  });
}

Result<std::vector<ExternalType>> SqliteQueueStore::ExternalTypes() { return readers_.Run(ReadExternalTypes); }

Result<std::vector<QueueCounts>> SqliteQueueStore::Queues() {
  return readers_.Run([](Database& database) -> Result<std::vector<QueueCounts>> {
    std::map<std::string, QueueCounts> queues;
    SEEDCORE_RETURN_IF_ERROR(AddCounts(database, kCountReady, &QueueCounts::ready, queues));
    SEEDCORE_RETURN_IF_ERROR(AddCounts(database, kCountScheduled, &QueueCounts::scheduled, queues));
    SEEDCORE_RETURN_IF_ERROR(AddCounts(database, kCountParked, &QueueCounts::parked, queues));
    SEEDCORE_RETURN_IF_ERROR(AddCounts(database, kCountRunning, &QueueCounts::running, queues));
    std::vector<QueueCounts> out;
    out.reserve(queues.size());
    for (auto& [type, queue] : queues) out.push_back(std::move(queue));
    return out;
  });
}

}  // namespace seedcore::store::sqlite

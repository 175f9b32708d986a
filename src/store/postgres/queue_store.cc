#include "store/postgres/queue_store.h"

#include <algorithm>
#include <array>
#include <map>

#include "base/json_binding.h"

namespace seedcore::store::postgres {
namespace {

#define SEEDCORE_PG_LIMIT_SELECT \
  "SELECT scope, name, max_running, rate_tasks, interval_ms, burst, tokens, tokens_at FROM queue_limit "
constexpr char kSelectLimits[] = SEEDCORE_PG_LIMIT_SELECT "ORDER BY scope = 'key', name";
// $1 types. Everybody locks in this order.
constexpr char kLockLimits[] = SEEDCORE_PG_LIMIT_SELECT
    "WHERE (scope = 'type' AND name = ANY ($1::text[])) OR (scope = 'key' AND rate_tasks IS NOT NULL) "
    "ORDER BY scope = 'key', name FOR UPDATE";
constexpr char kSelectKeyLimits[] = SEEDCORE_PG_LIMIT_SELECT "WHERE scope = 'key' AND rate_tasks IS NULL ORDER BY name";
// A bucket of the same rate keeps what it holds, so that nobody gains by writing a limit again.
#define SEEDCORE_PG_SAME_RATE                                                                                \
  "(l.rate_tasks, l.interval_ms, l.burst) IS NOT DISTINCT FROM (excluded.rate_tasks, excluded.interval_ms, " \
  "excluded.burst)"
constexpr char kPutLimit[] =
    "INSERT INTO queue_limit AS l (scope, name, max_running, rate_tasks, interval_ms, burst, tokens, tokens_at) "
    "VALUES ($1, $2, $3, $4, $5, $6, coalesce($6, 0), $7) ON CONFLICT (scope, name) DO UPDATE SET "
    "max_running = excluded.max_running, "
    "tokens = CASE WHEN " SEEDCORE_PG_SAME_RATE
    " THEN l.tokens ELSE excluded.tokens END, "
    "tokens_at = CASE WHEN " SEEDCORE_PG_SAME_RATE
    " THEN l.tokens_at ELSE excluded.tokens_at END, "
    "rate_tasks = excluded.rate_tasks, interval_ms = excluded.interval_ms, burst = excluded.burst";
// Whoever ends tasks with a key holds this lock shared, and has looked for limits once it has it (schema/places.cc).
constexpr char kWaitForKeys[] = "SELECT pg_advisory_xact_lock(24307, 0)";
constexpr char kOtherLimits[] = "SELECT count(*) FROM queue_limit WHERE (scope, name) <> ($1, $2)";
constexpr char kDeleteLimit[] = "DELETE FROM queue_limit WHERE scope = $1 AND name = $2";
// $1 a key; NULL: all
constexpr char kUnparkAll[] =
    "UPDATE tasks SET runnable = 1 WHERE seq IN (SELECT seq FROM tasks WHERE waits_as = 4 AND "
    "($1::text IS NULL OR concurrency_key = $1) FOR UPDATE SKIP LOCKED)";

constexpr char kPause[] =
    "INSERT INTO queue_pause AS p (type, reason, paused_at) VALUES ($1, $2, $3) "
    "ON CONFLICT (type) DO UPDATE SET reason = excluded.reason RETURNING p.paused_at";
constexpr char kOtherPauses[] = "SELECT count(*) FROM queue_pause WHERE type <> $1";
constexpr char kResume[] = "DELETE FROM queue_pause WHERE type = $1";
constexpr char kSelectPauses[] = "SELECT type, reason, paused_at FROM queue_pause ORDER BY type";

// $1 types, $2 now
constexpr char kAddExternal[] =
    "INSERT INTO external_type (type, registered_at) SELECT t, $2 FROM unnest($1::text[]) t ON CONFLICT DO NOTHING";
constexpr char kRemoveExternal[] = "DELETE FROM external_type WHERE type = $1";
constexpr char kSelectExternal[] = "SELECT type, registered_at FROM external_type ORDER BY type COLLATE \"C\"";

// Finished tasks are not looked at.
constexpr char kCounts[] =
    "SELECT type, 0, sum(n)::bigint FROM (SELECT type, count(*) AS n FROM task_ready GROUP BY type UNION ALL "
    "SELECT type, sum(cardinality(seqs) - taken) FROM ready_batch GROUP BY type) line GROUP BY type UNION ALL "
    "SELECT type, 1, count(*) FROM tasks WHERE waits_as = 2 GROUP BY type UNION ALL "
    "SELECT type, 2, count(*) FROM tasks WHERE waits_as = 4 GROUP BY type UNION ALL "
    "SELECT type, 3, count(*) FROM seedcore_running(NULL) GROUP BY type";

// $1 a type. As many as others are told of exactly.
constexpr char kReadyOf[] =
    "SELECT (SELECT count(*) FROM (SELECT FROM task_ready WHERE type = $1 LIMIT 10000) alone) + "
    "(SELECT coalesce(sum(n), 0)::bigint FROM (SELECT cardinality(seqs) - taken AS n FROM ready_batch WHERE type = $1 "
    "LIMIT 1000) together)";

constexpr char kNextParkedKey[] =
    "SELECT concurrency_key FROM tasks WHERE waits_as = 4 AND concurrency_key > $1 ORDER BY concurrency_key LIMIT 1";
constexpr char kRunningOfKey[] = "SELECT count(*) FROM tasks WHERE running_key = $1";
constexpr char kUnparkSome[] =
    "UPDATE tasks SET runnable = 1 WHERE seq IN (SELECT seq FROM tasks WHERE waits_as = 4 AND concurrency_key = $1 "
    "ORDER BY turn, seq LIMIT $2 FOR UPDATE SKIP LOCKED)";

std::vector<LimitState> ReadStates(const Rows& rows) {
  std::vector<LimitState> out;
  for (int row = 0; row < rows.size(); ++row) {
    LimitState state;
    state.limit.scope = rows.Text(row, 0) == EnumToString(LimitScope::kKey) ? LimitScope::kKey : LimitScope::kType;
    state.limit.name = rows.Text(row, 1);
    if (!rows.IsNull(row, 2)) state.limit.max_running = static_cast<int>(rows.Int(row, 2));
    if (!rows.IsNull(row, 3)) {
      state.limit.rate = RateLimit{.tasks = static_cast<int>(rows.Int(row, 3)),
                                   .interval = std::chrono::milliseconds(rows.Int(row, 4)),
                                   .burst = static_cast<int>(rows.Int(row, 5))};
    }
    state.tokens = rows.Double(row, 6);
    state.tokens_at = rows.Time(row, 7);
    out.push_back(std::move(state));
  }
  return out;
}

Result<std::vector<ExternalType>> ReadExternalTypes(Connection& connection) {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, connection.Query(kSelectExternal));
  std::vector<ExternalType> out;
  out.reserve(static_cast<std::size_t>(rows.size()));
  for (int row = 0; row < rows.size(); ++row) {
    out.push_back({.type = std::string(rows.Text(row, 0)), .registered_at = rows.Time(row, 1)});
  }
  return out;
}

/// Those that still find no room are parked again when their turn comes.
Result<void> UnparkUnder(WriteContext& context, LimitScope scope, const std::string& name) {
  if (scope == LimitScope::kKey) {
    const auto key = name == kEveryKey ? std::nullopt : std::optional(std::string_view(name));
    SEEDCORE_ASSIGN_OR_RETURN(const Rows unparked, context.db.Query(kUnparkAll, key));
    context.notes.runnable.tasks = unparked.changed();
  } else {
    SEEDCORE_ASSIGN_OR_RETURN(const Rows ready, context.db.Query(kReadyOf, std::string_view(name)));
    context.notes.runnable.tasks = ready.Int(0, 0);
  }
  // When there is room may have changed, even where nothing waits for it in this moment.
  context.notes.runnable.later = true;
  return {};
}

}  // namespace

Result<std::vector<LimitState>> ReadLimits(Connection& connection) {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, connection.Query(kSelectLimits));
  return ReadStates(rows);
}

Result<std::vector<LimitState>> LockLimits(Connection& connection, const std::set<std::string>& types) {
  Array names(Oid::kText);
  for (const std::string& type : types) names.Add(type);
  SEEDCORE_ASSIGN_OR_RETURN(const Rows locked, connection.Query(kLockLimits, names));
  SEEDCORE_ASSIGN_OR_RETURN(const Rows of_keys, connection.Query(kSelectKeyLimits));
  std::vector<LimitState> out = ReadStates(locked);
  for (LimitState& state : ReadStates(of_keys)) out.push_back(std::move(state));
  return out;
}

Result<std::vector<QueuePause>> ReadPauses(Connection& connection) {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, connection.Query(kSelectPauses));
  std::vector<QueuePause> out;
  for (int row = 0; row < rows.size(); ++row) {
    out.push_back({.type = std::string(rows.Text(row, 0)),
                   .reason = std::string(rows.Text(row, 1)),
                   .paused_at = rows.Time(row, 2)});
  }
  return out;
}

Result<int> UnparkKey(WriteContext& context, const std::string& key, int room) {
  if (room <= 0) return 0;
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, context.db.Query(kUnparkSome, std::string_view(key), std::int64_t{room}));
  return static_cast<int>(rows.changed());
}

Result<void> Unpark(WriteContext& context, Admission& admission, int max_keys, std::string& cursor) {
  for (int seen = 0; seen < max_keys; ++seen) {
    SEEDCORE_ASSIGN_OR_RETURN(const Rows next, context.db.Query(kNextParkedKey, std::string_view(cursor)));
    cursor = next.empty() ? std::string() : std::string(next.Text(0, 0));
    if (next.empty()) return {};
    SEEDCORE_ASSIGN_OR_RETURN(const Rows running, context.db.Query(kRunningOfKey, std::string_view(cursor)));
    // A key under no limit any more has been let out as a whole; what is left of it goes in pieces.
    constexpr int kMost = 1000;
    const LimitState* state = admission.Find(LimitScope::kKey, cursor);
    const int room = state == nullptr ? kMost : std::min(RoomOf(*state, running.Int(0, 0), context.now), kMost);
    if (room == 0) continue;
    SEEDCORE_ASSIGN_OR_RETURN(const int unparked, UnparkKey(context, cursor, room));
    context.notes.runnable.tasks += unparked;
  }
  return {};
}

Result<void> PostgresQueueStore::PutLimit(const QueueLimit& limit) {
  SEEDCORE_RETURN_IF_ERROR(CheckLimit(limit));
  return database_.Write([&](WriteContext& context) -> Result<void> {
    const auto of_rate = [&](auto RateLimit::* field) {
      return limit.rate ? std::optional(*limit.rate.*field) : std::nullopt;
    };
    if (limit.scope == LimitScope::kKey) SEEDCORE_RETURN_IF_ERROR(context.db.Query(kWaitForKeys));
    SEEDCORE_ASSIGN_OR_RETURN(const Rows others,
                              context.db.Query(kOtherLimits, EnumToString(limit.scope), std::string_view(limit.name)));
    SEEDCORE_RETURN_IF_ERROR(CheckRoomFor(others.Int(0, 0), kMaxLimits, "limits"));
    SEEDCORE_RETURN_IF_ERROR(context.db.Query(kPutLimit, EnumToString(limit.scope), std::string_view(limit.name),
                                              limit.max_running, of_rate(&RateLimit::tasks),
                                              of_rate(&RateLimit::interval), of_rate(&RateLimit::burst), context.now));
    return UnparkUnder(context, limit.scope, limit.name);
  });
}

Result<bool> PostgresQueueStore::DeleteLimit(LimitScope scope, const std::string& name) {
  return database_.Write([&](WriteContext& context) -> Result<bool> {
    SEEDCORE_ASSIGN_OR_RETURN(const Rows rows,
                              context.db.Query(kDeleteLimit, EnumToString(scope), std::string_view(name)));
    if (rows.changed() == 0) return false;
    SEEDCORE_RETURN_IF_ERROR(UnparkUnder(context, scope, name));
    return true;
  });
}

Result<std::vector<QueueLimit>> PostgresQueueStore::Limits() {
  SEEDCORE_ASSIGN_OR_RETURN(std::vector<LimitState> states, database_.Read(ReadLimits));
  std::vector<QueueLimit> out;
  out.reserve(states.size());
  for (LimitState& state : states) out.push_back(std::move(state.limit));
  return out;
}

Result<QueuePause> PostgresQueueStore::Pause(const std::string& type, const std::string& reason) {
  SEEDCORE_RETURN_IF_ERROR(CheckPause(type, reason));
  return database_.Write([&](WriteContext& context) -> Result<QueuePause> {
    SEEDCORE_ASSIGN_OR_RETURN(const Rows others, context.db.Query(kOtherPauses, std::string_view(type)));
    SEEDCORE_RETURN_IF_ERROR(CheckRoomFor(others.Int(0, 0), kMaxPauses, "pauses"));
    SEEDCORE_ASSIGN_OR_RETURN(const Rows rows,
                              context.db.Query(kPause, std::string_view(type), std::string_view(reason), context.now));
    return QueuePause{.type = type, .reason = reason, .paused_at = rows.Time(0, 0)};
  });
}

Result<bool> PostgresQueueStore::Resume(const std::string& type) {
  return database_.WriteOnce([&](WriteContext& context) -> Result<bool> {
    const std::array<Call, 2> calls{Call{kResume, MakeParams(std::string_view(type))},
                                    Call{kReadyOf, MakeParams(std::string_view(type))}};
    SEEDCORE_ASSIGN_OR_RETURN(const std::vector<Rows> answers, context.db.Pipeline(calls));
    if (answers[0].changed() == 0) return false;
    context.notes.runnable = {.tasks = answers[1].Int(0, 0), .later = true};
    return true;
  });
}

Result<std::vector<QueuePause>> PostgresQueueStore::Pauses() { return database_.Read(ReadPauses); }

Result<void> PostgresQueueStore::AddExternalTypes(std::span<const std::string> types) {
  SEEDCORE_RETURN_IF_ERROR(CheckExternalTypes(types));
  SEEDCORE_ASSIGN_OR_RETURN(const auto seen, database_.Read(ReadExternalTypes));
  if (NewExternalTypes(types, seen).empty()) return {};
  return database_.Write([&](WriteContext& context) -> Result<void> {
    SEEDCORE_ASSIGN_OR_RETURN(const auto known, ReadExternalTypes(context.db));
    const std::vector<std::string> added = NewExternalTypes(types, known);
    SEEDCORE_RETURN_IF_ERROR(
        CheckRoomFor(std::ssize(known) + std::ssize(added) - 1, kMaxExternalTypes, "external types"));
    Array names(Oid::kText);
    for (const std::string& type : added) names.Add(type);
    SEEDCORE_RETURN_IF_ERROR(context.db.Query(kAddExternal, names, context.now));
    return {};
  });
}

Result<bool> PostgresQueueStore::RemoveExternalType(const std::string& type) {
  return database_.WriteOnce([&](WriteContext& context) -> Result<bool> {
    SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, context.db.Query(kRemoveExternal, std::string_view(type)));
    // Whoever has an executor of the type can claim its tasks now.
    context.notes.runnable.later = rows.changed() > 0;
    return rows.changed() > 0;
  });
}

Result<std::vector<ExternalType>> PostgresQueueStore::ExternalTypes() { return database_.Read(ReadExternalTypes); }

Result<std::vector<QueueCounts>> PostgresQueueStore::Queues() {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows,
                            database_.Read([](Connection& connection) { return connection.Query(kCounts); }));
  constexpr std::array kFields = {&QueueCounts::ready, &QueueCounts::scheduled, &QueueCounts::parked,
                                  &QueueCounts::running};
  std::map<std::string, QueueCounts> queues;
  for (int row = 0; row < rows.size(); ++row) {
    QueueCounts& queue = queues[std::string(rows.Text(row, 0))];
    queue.type = rows.Text(row, 0);
    queue.*kFields.at(static_cast<std::size_t>(rows.Int(row, 1))) = rows.Int(row, 2);
  }
  std::vector<QueueCounts> out;
  out.reserve(queues.size());
  for (auto& [type, queue] : queues) out.push_back(std::move(queue));
  return out;
}

}  // namespace seedcore::store::postgres

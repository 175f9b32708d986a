#include "base/uuid.h"
#include "store/postgres/queue_store.h"
#include "store/postgres/step_store.h"
#include "store/postgres/task_row.h"
#include "store/postgres/task_store.h"

namespace seedcore::store::postgres {
namespace {

// The CASE keeps the planner from looking elsewhere than at the ids, see schema/finish.cc.
#define SEEDCORE_PG_IS_HELD \
  "CASE WHEN t.status = 'running' THEN t.owner_id = g.owner_id AND t.fencing_token = g.token ELSE false END"

// $1 ids, $2 owners, $3 tokens, $4 lease end, $5 now. The number of each lease that is renewed, cancelled, or busy: an
// application that has stored something which depends on a task keeps it locked until it commits, and the other leases
// do not wait for that. The reaper looks at a lease when it ends as it was given: one that now ends sooner is named
// anew.
constexpr char kRenew[] =
    "WITH given AS MATERIALIZED (SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[]) WITH ORDINALITY "
    "AS g (id, owner_id, token, number) ORDER BY g.id), "
    "held AS MATERIALIZED (SELECT g.number, t.seq, t.lease_expires_at AS before FROM given g JOIN tasks t "
    "ON t.id = g.id WHERE " SEEDCORE_PG_IS_HELD
    " FOR NO KEY UPDATE OF t SKIP LOCKED), "
    "renewed AS (UPDATE tasks t SET lease_expires_at = $4, updated_at = $5 FROM held h WHERE t.seq = h.seq "
    "RETURNING h.number, t.seq, t.type, h.before), "
    "sooner AS (INSERT INTO lease_batch (look_at, types, seqs) SELECT $4, array_agg(DISTINCT type), array_agg(seq) "
    "FROM renewed WHERE before > $4 HAVING count(*) > 0) "
    "SELECT number, 'renewed' FROM renewed "
    "UNION ALL SELECT g.number, 'cancelled' FROM given g JOIN tasks t ON t.id = g.id "
    "WHERE t.fencing_token = g.token AND t.cancel_requested "
    "UNION ALL SELECT g.number, 'busy' FROM given g JOIN tasks t ON t.id = g.id "
    "WHERE " SEEDCORE_PG_IS_HELD " AND g.number NOT IN (SELECT number FROM held)";

// $1 now. Whether any of the four steps below would find something: most looks are for nothing, of every process each
// second.
constexpr char kAnythingToReap[] =
    "SELECT EXISTS (SELECT FROM tasks WHERE live_deadline <= $1) "
    "OR EXISTS (SELECT FROM lease_batch WHERE look_at <= $1) OR EXISTS (SELECT FROM tasks WHERE waits_as = 4) "
    "OR EXISTS (SELECT FROM task_step s JOIN tasks t ON t.seq = s.task_seq "
    "WHERE s.status = 'waiting' AND s.wait_until <= $1 AND t.finished_at IS NULL)";
constexpr char kHasParked[] = "SELECT 1 FROM tasks WHERE waits_as = 4 LIMIT 1";
constexpr char kFailLate[] = "SELECT seedcore_fail_late($1, $2, $3, $4), EXISTS (SELECT 1 FROM queue_limit)";
// $1 now, $2 limit, $3 error, $4 error without an attempt left, $5 code
constexpr char kExpireLeases[] = "SELECT touched, runnable FROM seedcore_expire_leases($1, $2, $3, $4, $5)";

constexpr std::string_view kStoppedRenewing = "the worker stopped renewing its lease";
constexpr std::string_view kNoAttemptLeft = "the worker stopped renewing its lease, and no attempt is left";

/// Parked tasks whose key has room after all.
Result<void> LookAfterParked(WriteContext& context, std::string& cursor) {
  constexpr int kMaxKeys = 100;
  SEEDCORE_ASSIGN_OR_RETURN(const Rows parked, context.db.Query(kHasParked));
  if (parked.empty()) return {};
  SEEDCORE_ASSIGN_OR_RETURN(std::vector<LimitState> limits, ReadLimits(context.db));
  Admission admission(std::move(limits), {}, context.now);
  return Unpark(context, admission, kMaxKeys, cursor);
}

}  // namespace

Result<std::vector<RenewResult>> PostgresTaskStore::Renew(std::span<const Lease> leases,
                                                          std::chrono::milliseconds lease) {
  Array ids(Oid::kUuid), owners(Oid::kText), tokens(Oid::kInt8);
  std::vector<std::size_t> places;  // of what is sent, among what is given
  for (std::size_t i = 0; i < leases.size(); ++i) {
    if (!IsUuid(leases[i].task_id)) continue;
    places.push_back(i);
    ids.Add(Uuid{leases[i].task_id});
    owners.Add(leases[i].owner_id);
    tokens.Add(leases[i].fencing_token);
  }
  std::vector<RenewResult> out(leases.size());
  if (places.empty()) return out;
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, database_.WriteOnce([&](WriteContext& context) {
    return context.db.Query(kRenew, ids, owners, tokens, context.now + lease, context.now);
  }));
  for (int row = 0; row < rows.size(); ++row) {
    RenewResult& result = out[places[static_cast<std::size_t>(rows.Int(row, 0)) - 1]];
    const std::string_view what = rows.Text(row, 1);
    if (what == "renewed") result.renewed = true;
    if (what == "cancelled") result.cancel_requested = true;
    if (what == "busy") result.busy = true;
  }
  return out;
}

Result<int> PostgresTaskStore::Reap(int limit) {
  if (limit < 1) return 0;
  SEEDCORE_ASSIGN_OR_RETURN(const Rows anything, database_.Read([&](Connection& connection) {
    return connection.Query(kAnythingToReap, env_.WallNow());
  }));
  if (!anything.Bool(0, 0)) return 0;
  return database_.Write([&](WriteContext& context) -> Result<int> {
    SEEDCORE_ASSIGN_OR_RETURN(const Rows late, context.db.Query(kFailLate, context.now, limit, kDeadlinePassed,
                                                                ToString(ErrorCode::kDeadlineExceeded)));
    const int failed = static_cast<int>(late.Int(0, 0));
    SEEDCORE_ASSIGN_OR_RETURN(const Rows expired,
                              context.db.Query(kExpireLeases, context.now, limit - failed, kStoppedRenewing,
                                               kNoAttemptLeft, ToString(ErrorCode::kUnavailable)));
    const int touched = failed + static_cast<int>(expired.Int(0, 0));
    context.notes.appended_events = touched > 0;
    // A running task that has ended may have left room under a limit.
    context.notes.runnable.tasks = late.Bool(0, 1) ? touched : expired.Int(0, 1);
    std::string cursor;
    {
      const std::scoped_lock lock(cursor_mutex_);
      cursor = parked_cursor_;
    }
    SEEDCORE_RETURN_IF_ERROR(LookAfterParked(context, cursor));
    SEEDCORE_ASSIGN_OR_RETURN(const int overdue, ExpireWaits(context, limit - touched));
    const std::scoped_lock lock(cursor_mutex_);
    parked_cursor_ = std::move(cursor);
    return touched + overdue;
  });
}

}  // namespace seedcore::store::postgres

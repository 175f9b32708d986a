#include <algorithm>
#include <array>
#include <unordered_set>

#include "base/uuid.h"
#include "store/postgres/task_row.h"
#include "store/postgres/task_store.h"

namespace seedcore::store::postgres {
namespace {

// $1 now, $2 limit, $3 error, $4 error code
constexpr char kPrepareClaim[] = "SELECT seedcore_prepare_claim($1, $2, $3, $4)";

// $1 now, $2 limit, $3 owner, $4 lease end. Both read a partial index that holds claimable tasks alone, in the order of
// claiming; rows that another claim has locked are passed over.
#define SEEDCORE_PG_CLAIMABLE "runnable = 1 AND (deadline IS NULL OR deadline > $1)"
#define SEEDCORE_PG_CLAIM_NEXT                                                                                      \
  "claimed AS (UPDATE tasks t SET status = 'running', runnable = 0, attempts = t.attempts + 1, "                    \
  "fencing_token = t.fencing_token + 1, owner_id = $3::text, lease_expires_at = $4::timestamptz, started_at = $1, " \
  "updated_at = $1, cancel_requested = false FROM next n WHERE t.seq = n.seq RETURNING t.*), "                      \
  "events AS (INSERT INTO task_event (task_seq, at, kind, status, attempt, fencing_token, owner_id) "               \
  "SELECT seq, $1, 'claimed', 'running', attempts, fencing_token, owner_id FROM claimed) "                          \
  "SELECT " SEEDCORE_PG_TASK_COLUMNS                                                                                \
  ", NULL::json FROM claimed t JOIN task_payload p ON p.seq = t.seq ORDER BY t.priority DESC, t.seq"
constexpr char kClaim[] = "WITH next AS MATERIALIZED (SELECT seq FROM tasks WHERE " SEEDCORE_PG_CLAIMABLE
                          " ORDER BY priority DESC, seq LIMIT $2 FOR UPDATE SKIP LOCKED), " SEEDCORE_PG_CLAIM_NEXT;
// $5 types, each once
constexpr char kClaimOfTypes[] =
    "WITH next AS MATERIALIZED (SELECT c.seq FROM unnest($5::text[]) AS wanted (type) CROSS JOIN LATERAL "
    "(SELECT seq, priority FROM tasks WHERE " SEEDCORE_PG_CLAIMABLE
    " AND type = wanted.type ORDER BY priority DESC, seq LIMIT $2 FOR UPDATE SKIP LOCKED) c "
    "ORDER BY c.priority DESC, c.seq LIMIT $2), " SEEDCORE_PG_CLAIM_NEXT;

// $1 ids, $2 owners, $3 tokens, $4 lease end, $5 now. The number of each renewed lease, and negative the number of each
// that a cancellation ended. The CASE keeps the planner from idx_tasks_running, see schema_finish.cc.
constexpr char kRenew[] =
    "WITH given AS MATERIALIZED (SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[]) WITH ORDINALITY "
    "AS g (id, owner_id, token, number) ORDER BY g.id), "
    "renewed AS (UPDATE tasks t SET lease_expires_at = $4, updated_at = $5 FROM given g WHERE t.id = g.id "
    "AND CASE WHEN t.status = 'running' THEN t.owner_id = g.owner_id AND t.fencing_token = g.token ELSE false END "
    "RETURNING g.number) "
    "SELECT number FROM renewed UNION ALL SELECT -g.number FROM given g JOIN tasks t ON t.id = g.id "
    "WHERE t.fencing_token = g.token AND t.cancel_requested";

constexpr char kFailLate[] = "SELECT seedcore_fail_late($1, $2, $3, $4)";
// $1 now, $2 limit, $3 error, $4 error without an attempt left, $5 code
constexpr char kExpireLeases[] = "SELECT touched, runnable FROM seedcore_expire_leases($1, $2, $3, $4, $5)";

constexpr std::string_view kDeadlinePassed = "the deadline of the task has passed";
constexpr std::string_view kStoppedRenewing = "the worker stopped renewing its lease";
constexpr std::string_view kNoAttemptLeft = "the worker stopped renewing its lease, and no attempt is left";

Result<std::vector<TaskRow>> ClaimRows(WriteContext& context, const ClaimRequest& request) {
  constexpr int kLeastPrepared = 256;
  const WallTime lease_end = context.now + request.lease;
  std::array<Call, 2> calls{
      Call{kPrepareClaim, MakeParams(context.now, std::max(request.limit, kLeastPrepared), kDeadlinePassed,
                                     ToString(ErrorCode::kDeadlineExceeded))},
      Call{kClaim, MakeParams(context.now, std::int64_t{request.limit}, request.owner_id, lease_end)}};
  if (!request.types.empty()) {
    const std::unordered_set<std::string> distinct(request.types.begin(), request.types.end());
    Array types(Oid::kText);
    for (const std::string& type : distinct) types.Add(type);
    calls[1].sql = kClaimOfTypes;
    calls[1].params.Add(types);
  }
  SEEDCORE_ASSIGN_OR_RETURN(const std::vector<Rows> answers, context.db.Pipeline(calls));
  const Rows& claimed = answers[1];
  context.notes.appended_events = !claimed.empty() || answers[0].Bool(0, 0);
  std::vector<TaskRow> rows;
  rows.reserve(static_cast<std::size_t>(claimed.size()));
  for (int row = 0; row < claimed.size(); ++row) rows.push_back(ReadTaskRow(claimed, row));
  return rows;
}

}  // namespace

Result<std::vector<Claim>> PostgresTaskStore::ClaimTasks(const ClaimRequest& request) {
  if (request.limit < 1) return Fail(ErrorCode::kInvalidArgument, "a claim asks for at least one task", "limit");
  if (request.owner_id.empty()) return Fail(ErrorCode::kInvalidArgument, "a claim names its owner", "owner_id");
  SEEDCORE_ASSIGN_OR_RETURN(std::vector<TaskRow> rows,
                            database_.WriteOnce([&](WriteContext& context) { return ClaimRows(context, request); }));
  std::vector<Claim> claims;
  claims.reserve(rows.size());
  for (TaskRow& row : rows) {
    SEEDCORE_ASSIGN_OR_RETURN(Task task, ToTask(std::move(row)));
    claims.push_back({std::move(task)});
  }
  return claims;
}

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
    const std::int64_t number = rows.Int(row, 0);
    RenewResult& result = out[places[static_cast<std::size_t>(std::abs(number)) - 1]];
    (number > 0 ? result.renewed : result.cancel_requested) = true;
  }
  return out;
}

Result<int> PostgresTaskStore::Reap(int limit) {
  if (limit < 1) return 0;
  return database_.Write([&](WriteContext& context) -> Result<int> {
    SEEDCORE_ASSIGN_OR_RETURN(const Rows late, context.db.Query(kFailLate, context.now, limit, kDeadlinePassed,
                                                                ToString(ErrorCode::kDeadlineExceeded)));
    const int failed = static_cast<int>(late.Int(0, 0));
    SEEDCORE_ASSIGN_OR_RETURN(const Rows expired,
                              context.db.Query(kExpireLeases, context.now, limit - failed, kStoppedRenewing,
                                               kNoAttemptLeft, ToString(ErrorCode::kUnavailable)));
    const int touched = failed + static_cast<int>(expired.Int(0, 0));
    context.notes.appended_events = touched > 0;
    context.notes.made_runnable = expired.Int(0, 1) > 0;
    return touched;
  });
}

}  // namespace seedcore::store::postgres

#include "store/postgres/task_claim.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "store/postgres/task_row.h"
#include "store/postgres/task_store.h"

namespace seedcore::store::postgres {
namespace {

// $1 now, $2 limit, $3 error, $4 error code
constexpr char kPrepareClaim[] = "SELECT changed, limited FROM seedcore_prepare_claim($1, $2, $3, $4)";

constexpr char kClaim[] =
    "WITH next AS MATERIALIZED (SELECT seq FROM tasks WHERE " SEEDCORE_PG_CLAIMABLE " " SEEDCORE_PG_UNLIMITED
    " ORDER BY turn, seq LIMIT $2 FOR UPDATE SKIP LOCKED), " SEEDCORE_PG_CLAIM_NEXT("'{\"\"}'::text[]");
// $5 types, each once
constexpr char kClaimOfTypes[] =
    "WITH next AS MATERIALIZED (SELECT c.seq FROM unnest($5::text[]) AS wanted (type) CROSS JOIN LATERAL "
    "(SELECT seq, turn FROM tasks WHERE " SEEDCORE_PG_CLAIMABLE " AND type = wanted.type " SEEDCORE_PG_UNLIMITED
    " ORDER BY turn, seq LIMIT $2 FOR UPDATE SKIP LOCKED) c "
    "ORDER BY c.turn, c.seq LIMIT $2), " SEEDCORE_PG_CLAIM_NEXT("$5::text[]");

constexpr std::string_view kDeadlinePassed = "the deadline of the task has passed";

Array DistinctTypes(const ClaimRequest& request) {
  const std::unordered_set<std::string> distinct(request.types.begin(), request.types.end());
  Array types(Oid::kText);
  for (const std::string& type : distinct) types.Add(type);
  return types;
}

struct Claimed {
  std::vector<TaskRow> rows;
  bool limited = false;  ///< limits or pauses are in force: nothing has been claimed yet
};

Result<Claimed> ClaimFreely(WriteContext& context, const ClaimRequest& request) {
  constexpr int kLeastPrepared = 256;
  const WallTime lease_end = context.now + request.lease;
  std::array<Call, 2> calls{
      Call{kPrepareClaim, MakeParams(context.now, std::max(request.limit, kLeastPrepared), kDeadlinePassed,
                                     ToString(ErrorCode::kDeadlineExceeded))},
      Call{kClaim, MakeParams(context.now, std::int64_t{request.limit}, request.owner_id, lease_end)}};
  if (!request.types.empty()) {
    calls[1].sql = kClaimOfTypes;
    calls[1].params.Add(DistinctTypes(request));
  }
  SEEDCORE_ASSIGN_OR_RETURN(const std::vector<Rows> answers, context.db.Pipeline(calls));
  Claimed out{.rows = ReadTaskRows(answers[1]), .limited = answers[0].Bool(0, 1)};
  context.notes.appended_events = !out.rows.empty() || answers[0].Bool(0, 0);
  return out;
}

}  // namespace

Result<std::vector<Claim>> PostgresTaskStore::ClaimTasks(const ClaimRequest& request) {
  if (request.limit < 1) return Fail(ErrorCode::kInvalidArgument, "a claim asks for at least one task", "limit");
  if (request.owner_id.empty()) return Fail(ErrorCode::kInvalidArgument, "a claim names its owner", "owner_id");
  Notifier& notifier = database_.notifier();
  const std::uint64_t types = KeyOfTypes(request.types);
  const std::uint32_t mark = notifier.wake_ups().BeginClaim(types);
  SEEDCORE_ASSIGN_OR_RETURN(Claimed claimed,
                            database_.WriteOnce([&](WriteContext& context) { return ClaimFreely(context, request); }));
  std::vector<TaskRow>& rows = claimed.rows;
  // What limits hold back can be claimed a moment later: nobody is told that nothing is left.
  if (!claimed.limited) {
    const auto drained =
        notifier.wake_ups().EndClaim(mark, types, rows.size(), static_cast<std::size_t>(request.limit));
    if (drained) notifier.Tell(*drained);
  }
  if (claimed.limited && rows.empty()) {
    SEEDCORE_ASSIGN_OR_RETURN(
        rows, database_.Write([&](WriteContext& context) { return ClaimUnderLimits(context, request); }));
  }
  std::vector<Claim> claims;
  claims.reserve(rows.size());
  for (TaskRow& row : rows) {
    SEEDCORE_ASSIGN_OR_RETURN(Task task, ToTask(std::move(row)));
    claims.push_back({std::move(task)});
  }
  return claims;
}

}  // namespace seedcore::store::postgres

#include "store/postgres/task_claim.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <optional>
#include <unordered_set>
#include <utility>

#include "store/postgres/task_row.h"
#include "store/postgres/task_store.h"

namespace seedcore::store::postgres {
namespace {

// $1 now, $2 limit of preparing, $3 error, $4 error code, $5 a number for the types asked for, NULL: to begin at the
// first task, $6 limit of the claim, $7 the types, NULL: all
constexpr char kPrepareClaim[] =
    "SELECT changed, limited, place FROM seedcore_prepare_claim($1, $2, $3, $4, $5, $6, $7)";

// What the preparation has taken out of batches, or else the first in task_ready, see schema_ready_batches.cc. What of
// a batch is not claimed after all stands alone from now on.
#define SEEDCORE_PG_PICKED \
  "WITH picked AS MATERIALIZED (SELECT nullif(current_setting('seedcore.claim_seqs', true), '')::bigint[] AS seqs), "
#define SEEDCORE_PG_OF_BATCHES                                                                           \
  " UNION ALL SELECT * FROM (SELECT t.seq, t.ctid AS tid, NULL::tid AS ready, t.status FROM "            \
  "unnest((SELECT seqs FROM picked)) AS r (seq) JOIN tasks t ON t.seq = r.seq WHERE t.runnable = 1 AND " \
  "(t.deadline IS NULL OR t.deadline > $1) " SEEDCORE_PG_UNLIMITED SEEDCORE_PG_LOCK ") of_batches), "
#define SEEDCORE_PG_ALONE                                                                                   \
  "alone AS (INSERT INTO task_ready (seq, turn, type) SELECT seq, turn, type FROM tasks WHERE "             \
  "(SELECT cardinality(seqs) FROM picked) > (SELECT count(*) FROM claimed) AND "                            \
  "seq = ANY ((SELECT seqs FROM picked)::bigint[]) AND runnable = 1 AND seq <> ALL (ARRAY(SELECT seq FROM " \
  "claimed))), "
#define SEEDCORE_PG_FROM_PLACE "ORDER BY turn, seq OFFSET current_setting('seedcore.claim_place')::bigint * $2"
constexpr char kClaim[] = SEEDCORE_PG_PICKED
    "next AS MATERIALIZED (SELECT * FROM (SELECT t.seq, t.ctid AS tid, r.ready, t.status FROM " SEEDCORE_PG_CLAIMABLE(
        "SELECT seq, turn, ctid AS ready FROM task_ready WHERE (SELECT seqs FROM picked) IS "
        "NULL " SEEDCORE_PG_FROM_PLACE) SEEDCORE_PG_UNLIMITED
    " ORDER BY r.turn, r.seq LIMIT $2" SEEDCORE_PG_LOCK
    ") single" SEEDCORE_PG_OF_BATCHES SEEDCORE_PG_CLAIM_NEXT("'{\"\"}'::text[]", SEEDCORE_PG_ALONE);
// $5 types, each once
constexpr char kClaimOfTypes[] = SEEDCORE_PG_PICKED
    "next AS MATERIALIZED (SELECT * FROM (SELECT c.seq, c.tid, c.ready, c.status FROM unnest($5::text[]) AS wanted "
    "(type) CROSS JOIN LATERAL (SELECT t.seq, t.ctid AS tid, r.ready, t.status, t.turn FROM " SEEDCORE_PG_CLAIMABLE(
        "SELECT seq, turn, ctid AS ready FROM task_ready WHERE type = wanted.type AND (SELECT seqs FROM picked) IS "
        "NULL " SEEDCORE_PG_FROM_PLACE) SEEDCORE_PG_UNLIMITED
    " ORDER BY r.turn, r.seq LIMIT $2" SEEDCORE_PG_LOCK
    ") c ORDER BY c.turn, c.seq LIMIT $2) single" SEEDCORE_PG_OF_BATCHES SEEDCORE_PG_CLAIM_NEXT("$5::text[]",
                                                                                                SEEDCORE_PG_ALONE);

Array DistinctTypes(const ClaimRequest& request) {
  const std::unordered_set<std::string> distinct(request.types.begin(), request.types.end());
  Array types(Oid::kText);
  for (const std::string& type : distinct) types.Add(type);
  return types;
}

struct Claimed {
  std::vector<TaskRow> rows;
  bool limited = false;     ///< limits or pauses are in force: nothing has been claimed yet
  bool from_first = false;  ///< nobody else was before this claim
};

/// `types`: see kPrepareClaim.
Result<Claimed> ClaimFreely(WriteContext& context, const ClaimRequest& request, std::optional<std::int32_t> types) {
  constexpr int kLeastPrepared = 256;
  const WallTime lease_end = context.now + request.lease;
  std::optional<Array> wanted;
  if (!request.types.empty()) wanted = DistinctTypes(request);
  std::array<Call, 2> calls{
      Call{kPrepareClaim, MakeParams(context.now, std::max(request.limit, kLeastPrepared), kDeadlinePassed,
                                     ToString(ErrorCode::kDeadlineExceeded), types, request.limit, wanted)},
      Call{kClaim, MakeParams(context.now, std::int64_t{request.limit}, request.owner_id, lease_end)}};
  if (wanted) {
    calls[1].sql = kClaimOfTypes;
    calls[1].params.Add(*wanted);
  }
  SEEDCORE_ASSIGN_OR_RETURN(const std::vector<Rows> answers, context.db.Pipeline(calls));
  const Rows& prepared = answers[0];
  Claimed out{.rows = ReadTaskRows(answers[1]), .limited = prepared.Bool(0, 1), .from_first = prepared.Int(0, 2) == 0};
  context.notes.appended_events = !out.rows.empty() || prepared.Bool(0, 0);
  return out;
}

/// Whoever began behind others and found too little looks at what they have left.
Result<Claimed> ClaimFreely(Database& database, const ClaimRequest& request, std::uint64_t types) {
  const auto claim = [&](const ClaimRequest& wanted, std::optional<std::int32_t> key) {
    return database.WriteOnce([&](WriteContext& context) { return ClaimFreely(context, wanted, key); });
  };
  constexpr int kHalf = 32;
  SEEDCORE_ASSIGN_OR_RETURN(Claimed claimed, claim(request, static_cast<std::int32_t>(types ^ (types >> kHalf))));
  const int missing = request.limit - static_cast<int>(claimed.rows.size());
  if (claimed.from_first || claimed.limited || missing == 0) return claimed;
  ClaimRequest rest = request;
  rest.limit = missing;
  auto more = claim(rest, std::nullopt);
  if (!more && claimed.rows.empty()) return more;
  if (!more) return claimed;  // what has been claimed is the caller's
  std::ranges::move(more->rows, std::back_inserter(claimed.rows));
  claimed.limited = more->limited;
  return claimed;
}

/// At most kMostInBatch of them.
Result<std::vector<TaskRow>> ClaimSome(Database& database, const ClaimRequest& request) {
  Notifier& notifier = database.notifier();
  const std::uint64_t types = KeyOfTypes(request.types);
  const std::uint32_t mark = notifier.wake_ups().BeginClaim(types);
  SEEDCORE_ASSIGN_OR_RETURN(Claimed claimed, ClaimFreely(database, request, types));
  // What limits hold back can be claimed a moment later: nobody is told that nothing is left.
  if (!claimed.limited) {
    const auto drained =
        notifier.wake_ups().EndClaim(mark, types, claimed.rows.size(), static_cast<std::size_t>(request.limit));
    if (drained) notifier.Tell(*drained);
  }
  if (!claimed.limited || !claimed.rows.empty()) return std::move(claimed.rows);
  return database.Write([&](WriteContext& context) { return ClaimUnderLimits(context, request); });
}

}  // namespace

Result<std::vector<Claim>> PostgresTaskStore::ClaimTasks(const ClaimRequest& request) {
  if (request.limit < 1) return Fail(ErrorCode::kInvalidArgument, "a claim asks for at least one task", "limit");
  if (request.owner_id.empty()) return Fail(ErrorCode::kInvalidArgument, "a claim names its owner", "owner_id");
  std::vector<Claim> claims;
  ClaimRequest some = request;
  do {
    some.limit = std::min(request.limit - static_cast<int>(claims.size()), kMostInBatch);
    auto rows = ClaimSome(database_, some);
    if (!rows && claims.empty()) return std::unexpected(std::move(rows.error()));
    if (!rows) break;  // what has been claimed is the caller's
    for (TaskRow& row : *rows) {
      SEEDCORE_ASSIGN_OR_RETURN(Task task, ToTask(std::move(row)));
      claims.push_back({std::move(task)});
    }
    if (std::cmp_less(rows->size(), some.limit)) break;
  } while (std::cmp_less(claims.size(), request.limit));
  return claims;
}

}  // namespace seedcore::store::postgres

#pragma once

#include <vector>

#include "store/postgres/database.h"
#include "store/postgres/task_row.h"
#include "store/store.h"

/// What the two ways of claiming share: task_claim.cc without limits and pauses, limited_claim.cc under them.
namespace seedcore::store::postgres {

// $1 now, $2 limit, $3 owner, $4 lease end. Both read a partial index that holds claimable tasks alone, in the order of
// claiming; rows that another claim has locked are passed over.
// Where limits or pauses are in force they find nothing; ClaimUnderLimits takes their place.
#define SEEDCORE_PG_CLAIMABLE "runnable = 1 AND (deadline IS NULL OR deadline > $1)"
#define SEEDCORE_PG_UNLIMITED "AND NOT EXISTS (SELECT 1 FROM queue_limit) AND NOT EXISTS (SELECT 1 FROM queue_pause)"
// `types`: those that the claim was restricted to, {''} when to none; their clocks move in the same statement.
#define SEEDCORE_PG_CLAIM_NEXT(types)                                                                               \
  "claimed AS (UPDATE tasks t SET status = 'running', runnable = 0, attempts = t.attempts + 1, "                    \
  "fencing_token = t.fencing_token + 1, owner_id = $3::text, lease_expires_at = $4::timestamptz, started_at = $1, " \
  "updated_at = $1, cancel_requested = false FROM next n WHERE t.seq = n.seq RETURNING t.*), "                      \
  "events AS (INSERT INTO task_event (task_seq, at, kind, status, attempt, fencing_token, owner_id) "               \
  "SELECT seq, $1, 'claimed', 'running', attempts, fencing_token, owner_id FROM claimed), "                         \
  "clock AS MATERIALIZED (SELECT seedcore_move_clocks(" types                                                       \
  ", max(turn - (10 - priority) * 1000000::bigint), count(*)) FROM claimed) "                                       \
  "SELECT " SEEDCORE_PG_TASK_COLUMNS                                                                                \
  ", NULL::json FROM clock CROSS JOIN claimed t JOIN task_payload p ON p.seq = t.seq ORDER BY t.turn, t.seq"

/// A claim while limits or pauses are in force, in a transaction of several statements.
[[nodiscard]] Result<std::vector<TaskRow>> ClaimUnderLimits(WriteContext& context, const ClaimRequest& request);

[[nodiscard]] std::vector<TaskRow> ReadTaskRows(const Rows& rows);

}  // namespace seedcore::store::postgres

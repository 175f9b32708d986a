#pragma once

#include <vector>

#include "store/postgres/database.h"
#include "store/postgres/task_history.h"
#include "store/postgres/task_row.h"
#include "store/store.h"

/// What the two ways of claiming share: task_claim.cc without limits and pauses, limited_claim.cc under them.
namespace seedcore::store::postgres {

/// Tasks in one claim: as many as a row of history can hold.
inline constexpr int kMostAtOnce = 960;

// $1 now, $2 limit, $3 owner, $4 lease end.

// `ready`: a query of task_ready. Of its rows `r` those that can be claimed, with the task `t`; SEEDCORE_PG_LOCK at the
// end of the query locks each when it is met, and passes over what somebody else has locked.
#define SEEDCORE_PG_CLAIMABLE(ready) \
  "(" ready ") r JOIN tasks t ON t.seq = r.seq WHERE t.runnable = 1 AND (t.deadline IS NULL OR t.deadline > $1) "
#define SEEDCORE_PG_LOCK " FOR UPDATE OF t SKIP LOCKED"
// Where limits or pauses are in force a claim finds nothing; ClaimUnderLimits takes its place.
#define SEEDCORE_PG_UNLIMITED "AND NOT EXISTS (SELECT 1 FROM queue_limit) AND NOT EXISTS (SELECT 1 FROM queue_pause)"
// At most kMostAtOnce rows of `next` (seq, tid), which this transaction has locked. A version that this statement
// cannot see yet is left where it is. `types`: those that the claim was restricted to, {''} when to none; their clocks
// move in the same statement. First claims share one row of history, see schema_history.cc.
#define SEEDCORE_PG_CLAIM_NEXT(types)                                                                               \
  "batch AS MATERIALIZED (SELECT seedcore_new_batch() AS seq WHERE EXISTS (SELECT 1 FROM next)), "                  \
  "claimed AS (UPDATE tasks t SET status = 'running', runnable = 0, attempts = t.attempts + 1, "                    \
  "fencing_token = t.fencing_token + 1, owner_id = $3::text, lease_expires_at = $4::timestamptz, started_at = $1, " \
  "updated_at = $1, cancel_requested = false, "                                                                     \
  "claim_event = CASE WHEN t.fencing_token = 0 AND t.attempts = 0 THEN (SELECT seq FROM batch) ELSE t.claim_event " \
  "END WHERE t.ctid = ANY (ARRAY(SELECT tid FROM next)) RETURNING t.*), "                                           \
  "taken AS (DELETE FROM task_ready WHERE seq = ANY (ARRAY(SELECT seq FROM claimed))), "                            \
  "first_claims AS (INSERT INTO task_event_batch (seq, at, fencing_token, status, attempt, kind, owner_id, "        \
  "task_seqs) "                                                                                                     \
  "SELECT claim_event, $1, 1, 'running', 1, 'claimed', $3::text, array_agg(seq) FROM claimed "                      \
  "WHERE fencing_token = 1 AND attempts = 1 GROUP BY claim_event), "                                                \
  "other_claims AS (INSERT INTO task_event (task_seq, at, kind, status, attempt, fencing_token, owner_id) "         \
  "SELECT seq, $1, 'claimed', 'running', attempts, fencing_token, owner_id FROM claimed "                           \
  "WHERE fencing_token > 1 OR attempts > 1), "                                                                      \
  "clock AS MATERIALIZED (SELECT seedcore_move_clocks(" types                                                       \
  ", max(turn - (10 - priority) * 1000000::bigint), count(*)) FROM claimed) "                                       \
  "SELECT " SEEDCORE_PG_TASK_COLUMNS                                                                                \
  ", NULL::json FROM clock CROSS JOIN claimed t JOIN task_payload p ON p.seq = t.seq ORDER BY t.turn, t.seq"

/// A claim while limits or pauses are in force, in a transaction of several statements.
[[nodiscard]] Result<std::vector<TaskRow>> ClaimUnderLimits(WriteContext& context, const ClaimRequest& request);

[[nodiscard]] std::vector<TaskRow> ReadTaskRows(const Rows& rows);

}  // namespace seedcore::store::postgres

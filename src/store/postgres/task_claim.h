#pragma once

#include <vector>

#include "store/postgres/database.h"
#include "store/postgres/task_history.h"
#include "store/postgres/task_row.h"
#include "store/store.h"

/// What the two ways of claiming share: task_claim.cc without limits and pauses, limited_claim.cc under them.
namespace seedcore::store::postgres {

// $1 now, $2 limit, $3 owner, $4 lease end.

// `ready`: a query of task_ready. Of its rows `r` those that can be claimed, with the task `t`; SEEDCORE_PG_LOCK at the
// end of the query locks each when it is met, and passes over what somebody else has locked.
#define SEEDCORE_PG_CLAIMABLE(ready) \
  "(" ready ") r JOIN tasks t ON t.seq = r.seq WHERE t.runnable = 1 AND (t.deadline IS NULL OR t.deadline > $1) "
#define SEEDCORE_PG_LOCK " FOR UPDATE OF t SKIP LOCKED"
// Where limits or pauses are in force a claim finds nothing; ClaimUnderLimits takes its place.
#define SEEDCORE_PG_UNLIMITED "AND NOT EXISTS (SELECT 1 FROM queue_limit) AND NOT EXISTS (SELECT 1 FROM queue_pause)"
// At most kMostInBatch rows of `next` (seq, tid, ready, status), which this transaction has locked: a task, the places
// of its row and of that in task_ready, and its state. A version that this statement cannot see yet is left where it
// is; mostly there is none (`whole`), and none is looked for. `types`: those that the claim was restricted to, {''}
// when to none; their clocks move in the same statement. `more`: further parts of the statement. First claims share one
// row of history, see schema_history.cc; the statement keeps the places itself, see schema_hot_path.cc.
#define SEEDCORE_PG_CLAIMED_OF_NEXT \
  "FROM next WHERE (SELECT claimed_all FROM whole) OR seq = ANY (ARRAY(SELECT seq FROM claimed))"
#define SEEDCORE_PG_CLAIM_NEXT(types, more)                                                                         \
  "batch AS MATERIALIZED (SELECT seedcore_new_batch() AS seq, set_config('seedcore.keeps_places', 'on', true) "     \
  "WHERE EXISTS (SELECT 1 FROM next)), "                                                                            \
  "claimed AS (UPDATE tasks t SET status = 'running', runnable = 0, attempts = t.attempts + 1, "                    \
  "fencing_token = t.fencing_token + 1, owner_id = $3::text, lease_expires_at = $4::timestamptz, started_at = $1, " \
  "updated_at = $1, cancel_requested = false, "                                                                     \
  "claim_event = CASE WHEN t.fencing_token = 0 AND t.attempts = 0 THEN (SELECT seq FROM batch) ELSE t.claim_event " \
  "END WHERE t.ctid = ANY (ARRAY(SELECT tid FROM batch CROSS JOIN next)) RETURNING t.*), "                          \
  "whole AS MATERIALIZED (SELECT (SELECT count(*) FROM claimed) = (SELECT count(*) FROM next) AS claimed_all), "    \
  "counts AS (INSERT INTO task_count AS c (status, shard, n) SELECT status, pg_backend_pid(), n FROM ("             \
  "SELECT status, -count(*) AS n " SEEDCORE_PG_CLAIMED_OF_NEXT                                                      \
  " GROUP BY status "                                                                                               \
  "UNION ALL SELECT 'running', count(*) FROM claimed) changed WHERE n <> 0 ORDER BY status "                        \
  "ON CONFLICT (status, shard) DO UPDATE SET n = c.n + excluded.n), "                                               \
  "leases AS (INSERT INTO lease_batch (look_at, types, seqs) SELECT least($4, $1 + interval '5 seconds'), "         \
  "ARRAY(SELECT DISTINCT type FROM claimed), array_agg(seq) FROM claimed HAVING count(*) > 0), "                    \
  "taken AS (DELETE FROM task_ready WHERE ctid = ANY (ARRAY(SELECT ready " SEEDCORE_PG_CLAIMED_OF_NEXT              \
  "))), "                                                                                                           \
  "first_claims AS (INSERT INTO task_event_batch (seq, at, fencing_token, status, attempt, kind, owner_id, "        \
  "task_seqs) "                                                                                                     \
  "SELECT claim_event, $1, 1, 'running', 1, 'claimed', $3::text, array_agg(seq) FROM claimed "                      \
  "WHERE fencing_token = 1 AND attempts = 1 GROUP BY claim_event), "                                                \
  "other_claims AS (INSERT INTO task_event (task_seq, at, kind, status, attempt, fencing_token, owner_id) "         \
  "SELECT seq, $1, 'claimed', 'running', attempts, fencing_token, owner_id FROM claimed "                           \
  "WHERE fencing_token > 1 OR attempts > 1), " more "clock AS MATERIALIZED (SELECT seedcore_move_clocks(" types     \
  ", max(turn - (10 - priority) * 1000000::bigint), count(*)), set_config('seedcore.keeps_places', 'off', true) "   \
  "FROM claimed) "                                                                                                  \
  "SELECT " SEEDCORE_PG_TASK_COLUMNS                                                                                \
  ", NULL::json FROM clock CROSS JOIN claimed t JOIN task_payload p ON p.seq = t.seq ORDER BY t.turn, t.seq"

/// A claim while limits or pauses are in force, in a transaction of several statements.
[[nodiscard]] Result<std::vector<TaskRow>> ClaimUnderLimits(WriteContext& context, const ClaimRequest& request);

[[nodiscard]] std::vector<TaskRow> ReadTaskRows(const Rows& rows);

}  // namespace seedcore::store::postgres

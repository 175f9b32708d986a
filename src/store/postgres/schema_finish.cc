#include "store/postgres/schema.h"

namespace seedcore::store::postgres {

// seedcore_finish as before, but for how it finds its rows: by id, one index probe for each. A plain `status =
// 'running'` lets the planner choose idx_tasks_running instead, which it does whenever its statistics were taken while
// nothing ran; every batch then compares each of its elements with every running task and with every version of a row
// that vacuum has not taken away yet. The planner does not look into a CASE.
const char kSchemaFinishById[] = R"sql(
CREATE OR REPLACE FUNCTION seedcore_finish(p_now timestamptz, p_ids uuid[], p_owners text[], p_tokens bigint[],
                                p_outcomes integer[], p_errors text[], p_codes text[], p_run_after timestamptz[],
                                p_results json[])
RETURNS TABLE (number integer, outcome text, detail text) LANGUAGE plpgsql AS $$
DECLARE
  v_numbers   integer[];
  v_outcomes  text[];
  v_completed uuid[];
  v_failed    uuid[];
  v_runnable  bigint;
  v_refused   record;
BEGIN
  WITH given AS MATERIALIZED (
    SELECT * FROM unnest(p_ids, p_owners, p_tokens, p_outcomes, p_errors, p_codes, p_run_after, p_results)
      WITH ORDINALITY AS g (id, owner_id, token, outcome, error, code, run_after, result, number)
    ORDER BY g.id),  -- everybody locks in this order
  done AS (
    UPDATE tasks t SET
      status = CASE WHEN g.outcome = 0 THEN 'completed'
                    WHEN g.outcome = 2 OR g.outcome = 1 AND t.attempts >= t.max_attempts THEN 'failed'
                    WHEN g.outcome = 1 THEN 'retry' WHEN g.outcome = 3 THEN 'created' ELSE 'queued' END::taskstatus,
      dead_letter = g.outcome = 2 OR g.outcome = 1 AND t.attempts >= t.max_attempts,
      finished_at = CASE WHEN g.outcome IN (0, 2) OR g.outcome = 1 AND t.attempts >= t.max_attempts THEN p_now END,
      runnable = CASE WHEN g.outcome = 4 THEN 1 WHEN g.outcome <> 1 OR t.attempts >= t.max_attempts THEN 0
                      WHEN g.run_after > p_now THEN 2 ELSE 1 END,
      run_after = CASE WHEN g.outcome = 1 AND t.attempts < t.max_attempts THEN g.run_after ELSE t.run_after END,
      attempts = CASE WHEN g.outcome = 4 THEN t.attempts - 1 ELSE t.attempts END,
      error = CASE WHEN g.outcome = 0 THEN NULL WHEN g.outcome IN (1, 2) THEN g.error ELSE t.error END,
      error_code = CASE WHEN g.outcome = 0 THEN NULL WHEN g.outcome IN (1, 2) THEN g.code ELSE t.error_code END,
      hold_reason = CASE WHEN g.outcome = 3 THEN g.error ELSE t.hold_reason END,
      lease_expires_at = NULL, owner_id = NULL, updated_at = p_now
    FROM given g
    WHERE t.id = g.id
      AND CASE WHEN t.status = 'running' THEN t.owner_id = g.owner_id AND t.fencing_token = g.token ELSE false END
    RETURNING g.number::integer AS number, t.seq, t.id, t.status, t.attempts, g.token, g.owner_id, g.error, g.result),
  events AS (
    INSERT INTO task_event (task_seq, at, kind, status, attempt, fencing_token, owner_id, detail)
    SELECT seq, p_now, CASE status WHEN 'created' THEN 'held' WHEN 'queued' THEN 'handed_back' ELSE status::text END,
      status, attempts, token, owner_id, nullif(error, '') FROM done),
  results AS (
    INSERT INTO task_result (seq, result)
    SELECT seq, result FROM done WHERE result IS NOT NULL AND status IN ('completed', 'failed')
    ON CONFLICT (seq) DO UPDATE SET result = excluded.result)
  SELECT array_agg(done.number), array_agg(status::text), array_agg(id) FILTER (WHERE status = 'completed'),
    array_agg(id) FILTER (WHERE status = 'failed')
    INTO v_numbers, v_outcomes, v_completed, v_failed FROM done;

  RETURN QUERY SELECT u.n, u.s, NULL::text FROM unnest(v_numbers, v_outcomes) u (n, s);

  IF coalesce(cardinality(v_numbers), 0) < cardinality(p_ids) THEN
    FOR v_refused IN
      SELECT g.number::integer AS number, g.owner_id, g.token, t.seq, t.status, t.attempts, t.fencing_token
      FROM unnest(p_ids, p_owners, p_tokens) WITH ORDINALITY AS g (id, owner_id, token, number)
      LEFT JOIN tasks t ON t.id = g.id
      WHERE g.number::integer <> ALL (coalesce(v_numbers, '{}')) ORDER BY g.number
    LOOP
      number := v_refused.number;
      IF v_refused.seq IS NULL THEN
        outcome := 'unknown';
        detail := NULL;
      ELSE
        outcome := 'lease_lost';
        detail := format('a result under token %s was refused: the task is %s and its token is %s', v_refused.token,
                         v_refused.status, v_refused.fencing_token);
        INSERT INTO task_event (task_seq, at, kind, status, attempt, fencing_token, owner_id, detail)
          VALUES (v_refused.seq, p_now, 'lease_lost', v_refused.status, v_refused.attempts, v_refused.token,
                  v_refused.owner_id, detail);
      END IF;
      RETURN NEXT;
    END LOOP;
  END IF;

  IF v_completed IS NOT NULL THEN
    v_runnable := seedcore_release_dependants(p_now, v_completed);
  END IF;
  IF v_failed IS NOT NULL THEN
    PERFORM seedcore_fail_dependants(p_now, v_failed, 'failed');
  END IF;
  IF v_runnable > 0 OR 'retry' = ANY (v_outcomes) OR 'queued' = ANY (v_outcomes) THEN
    number := 0;
    outcome := 'runnable';
    detail := NULL;
    RETURN NEXT;
  END IF;
END $$;
)sql";

}  // namespace seedcore::store::postgres

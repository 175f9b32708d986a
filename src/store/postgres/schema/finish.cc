#include "store/postgres/schema/schema.h"

namespace seedcore::store::postgres::schema {

// Outcomes: 0 completed, 1 retry, 2 failed for good, 3 held, 4 handed back. One row for each element, by its
// number (from 1): its new status; or 'lease_lost' with the reason; or 'unknown'. A row with number 0 says that
// something can run now that could not before, or, as 'completed', that all are completed as given.
//
// Rows are found by id, one index probe for each: the planner does not look into a CASE, so it does not choose another
// way because of what it believes of the status. Completions at the first attempt go into p_batches batches of history;
// p_parts says for each task which, counted from 1. Everybody locks in ascending order of the ids.
const char kFinish[] = R"sql(
CREATE FUNCTION seedcore_finish(p_now timestamptz, p_ids uuid[], p_owners text[], p_tokens bigint[],
                                p_outcomes integer[], p_errors text[], p_codes text[], p_run_after timestamptz[],
                                p_results json[], p_parts integer[] DEFAULT NULL, p_batches integer DEFAULT 0)
RETURNS TABLE (number integer, outcome text, detail text) LANGUAGE plpgsql AS $$
DECLARE
  v_batches   bigint[] := '{}';
  v_numbers   integer[];
  v_outcomes  text[];
  v_completed uuid[];
  v_failed    uuid[];
  v_turnless  bigint[];
  v_keys      text[];
  v_runnable  bigint;
  v_refused   record;
BEGIN
  FOR i IN 1 .. p_batches LOOP
    v_batches := v_batches || seedcore_new_batch();
  END LOOP;
  PERFORM set_config('seedcore.keeps_places', 'on', true);
  WITH given AS MATERIALIZED (
    SELECT g.*, v_batches[g.part] AS batch
    FROM unnest(p_ids, p_owners, p_tokens, p_outcomes, p_errors, p_codes, p_run_after, p_results, p_parts)
      WITH ORDINALITY AS g (id, owner_id, token, outcome, error, code, run_after, result, part, number)
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
      lease_expires_at = NULL, owner_id = NULL, updated_at = p_now,
      end_event = CASE WHEN t.attempts = 1 THEN coalesce(g.batch, t.end_event) ELSE t.end_event END
    FROM given g
    WHERE t.id = g.id
      AND CASE WHEN t.status = 'running' THEN t.owner_id = g.owner_id AND t.fencing_token = g.token ELSE false END
    RETURNING g.number::integer AS number, t.seq, t.id, t.status, t.attempts, t.runnable, t.turn, t.type,
      t.concurrency_key, g.token, g.owner_id, g.error, g.result, CASE WHEN t.attempts = 1 THEN g.batch END AS batch),
  counts AS (
    INSERT INTO task_count AS c (status, shard, n)
    SELECT status, pg_backend_pid(), n FROM (
      SELECT 'running'::taskstatus AS status, -count(*) AS n FROM done
      UNION ALL SELECT status, count(*) FROM done GROUP BY status) changed WHERE n <> 0 ORDER BY status
    ON CONFLICT (status, shard) DO UPDATE SET n = c.n + excluded.n),
  ended AS (
    INSERT INTO finished_batch (finished_at, seqs)
    SELECT p_now, array_agg(seq) FROM done WHERE status IN ('completed', 'failed') HAVING count(*) > 0),
  again AS (
    INSERT INTO task_ready AS r (seq, turn, type)
    SELECT seq, turn, type FROM done WHERE runnable = 1 AND turn IS NOT NULL ORDER BY seq
    ON CONFLICT (seq) DO UPDATE SET turn = excluded.turn),
  in_batches AS (
    INSERT INTO task_event_batch (seq, at, fencing_token, status, attempt, kind, owner_id, task_seqs)
    SELECT batch, p_now, 1, 'completed', 1, 'completed', min(owner_id), array_agg(seq) FROM done
    WHERE batch IS NOT NULL GROUP BY batch),
  events AS (
    INSERT INTO task_event (task_seq, at, kind, status, attempt, fencing_token, owner_id, detail)
    SELECT seq, p_now, CASE status WHEN 'created' THEN 'held' WHEN 'queued' THEN 'handed_back' ELSE status::text END,
      status, attempts, token, owner_id, nullif(error, '') FROM done WHERE batch IS NULL),
  results AS (
    INSERT INTO task_result (seq, result)
    SELECT seq, result FROM done WHERE result IS NOT NULL AND status IN ('completed', 'failed')
    ON CONFLICT (seq) DO UPDATE SET result = excluded.result)
  SELECT array_agg(done.number), array_agg(status::text), array_agg(id) FILTER (WHERE status = 'completed'),
    array_agg(id) FILTER (WHERE status = 'failed'), array_agg(seq) FILTER (WHERE runnable = 1 AND turn IS NULL),
    array_agg(concurrency_key) FILTER (WHERE concurrency_key IS NOT NULL)
    INTO v_numbers, v_outcomes, v_completed, v_failed, v_turnless, v_keys FROM done;
  PERFORM set_config('seedcore.keeps_places', 'off', true);
  -- Of the earlier system, claimed without a turn: the trigger gives them one.
  IF v_turnless IS NOT NULL THEN
    UPDATE tasks SET runnable = 1 WHERE seq = ANY (v_turnless);
  END IF;
  IF v_keys IS NOT NULL THEN
    PERFORM seedcore_leave_keys(v_keys);
  END IF;

  IF cardinality(v_completed) = cardinality(p_ids) THEN
    number := 0;
    outcome := 'completed';
    RETURN NEXT;
  ELSE
    RETURN QUERY SELECT u.n, u.s, NULL::text FROM unnest(v_numbers, v_outcomes) u (n, s);
  END IF;

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
  IF v_runnable > 0 OR 'retry' = ANY (v_outcomes) OR 'queued' = ANY (v_outcomes)
     OR v_outcomes IS NOT NULL AND EXISTS (SELECT 1 FROM queue_limit) THEN
    number := 0;
    outcome := 'runnable';
    detail := NULL;
    RETURN NEXT;
  END IF;
END $$;
)sql";

// What most tasks end with, written without looking at each of them: completions at the first attempt, of one owner.
// The ids are in ascending order, and no id comes twice; at most 960. p_results is null when there is none. What cannot
// be completed so goes to seedcore_finish.
const char kComplete[] = R"sql(
CREATE FUNCTION seedcore_complete(p_now timestamptz, p_owner text, p_ids uuid[], p_results json[])
RETURNS TABLE (number integer, outcome text, detail text) LANGUAGE plpgsql SET enable_bitmapscan = off AS $$
DECLARE
  v_batch    bigint := seedcore_new_batch();
  v_ids      uuid[];
  v_seqs     bigint[];
  v_keys     text[];
  v_rest     integer[];
  v_one      record;
  v_runnable bigint := 0;
BEGIN
  PERFORM set_config('seedcore.keeps_places', 'on', true);
  WITH done AS (
    UPDATE tasks t SET status = 'completed', runnable = 0, dead_letter = false, finished_at = p_now, error = NULL,
      error_code = NULL, lease_expires_at = NULL, owner_id = NULL, updated_at = p_now, end_event = v_batch
    WHERE t.id = ANY (p_ids) AND CASE WHEN t.status = 'running' THEN
      t.owner_id = p_owner AND t.fencing_token = 1 AND t.attempts = 1 ELSE false END
    RETURNING t.id, t.seq, t.concurrency_key)
  SELECT array_agg(done.id), array_agg(done.seq), array_agg(done.concurrency_key)
      FILTER (WHERE done.concurrency_key IS NOT NULL)
    INTO v_ids, v_seqs, v_keys FROM done;
  PERFORM set_config('seedcore.keeps_places', 'off', true);
  IF v_ids IS NOT NULL THEN
    INSERT INTO task_count AS c (status, shard, n)
      VALUES ('running', pg_backend_pid(), -cardinality(v_ids)), ('completed', pg_backend_pid(), cardinality(v_ids))
      ON CONFLICT (status, shard) DO UPDATE SET n = c.n + excluded.n;
    INSERT INTO finished_batch (finished_at, seqs) VALUES (p_now, v_seqs);
    INSERT INTO task_event_batch (seq, at, fencing_token, status, attempt, kind, owner_id, task_seqs)
      VALUES (v_batch, p_now, 1, 'completed', 1, 'completed', p_owner, v_seqs);
    IF v_keys IS NOT NULL THEN
      PERFORM seedcore_leave_keys(v_keys);
    END IF;
  END IF;

  IF v_ids = p_ids THEN
    IF p_results IS NOT NULL THEN
      INSERT INTO task_result (seq, result)
        SELECT d.seq, d.result FROM unnest(v_seqs, p_results) AS d (seq, result) WHERE d.result IS NOT NULL
        ON CONFLICT (seq) DO UPDATE SET result = excluded.result;
    END IF;
    number := 0;
    outcome := 'completed';
    RETURN NEXT;
  ELSE
    v_ids := coalesce(v_ids, '{}');
    INSERT INTO task_result (seq, result)
      SELECT v_seqs[array_position(v_ids, g.id)], g.result FROM unnest(p_ids, p_results) AS g (id, result)
      WHERE g.result IS NOT NULL AND g.id = ANY (v_ids)
      ON CONFLICT (seq) DO UPDATE SET result = excluded.result;
    RETURN QUERY SELECT g.n::integer, 'completed', NULL::text FROM unnest(p_ids) WITH ORDINALITY AS g (id, n)
      WHERE g.id = ANY (v_ids);
    v_rest := ARRAY(SELECT g.n FROM unnest(p_ids) WITH ORDINALITY AS g (id, n) WHERE g.id <> ALL (v_ids) ORDER BY g.n);
    FOR v_one IN
      SELECT f.* FROM (
        SELECT array_agg(p_ids[n] ORDER BY n) AS ids, array_agg(p_owner) AS owners, array_agg(1::bigint) AS tokens,
          array_agg(0) AS outcomes, array_agg(p_results[n] ORDER BY n) AS results FROM unnest(v_rest) AS r (n)) g
      CROSS JOIN LATERAL seedcore_finish(p_now, g.ids, g.owners, g.tokens, g.outcomes, NULL, NULL, NULL, g.results) f
    LOOP
      outcome := v_one.outcome;
      detail := v_one.detail;
      IF v_one.number > 0 THEN
        number := v_rest[v_one.number];
        RETURN NEXT;
      ELSIF v_one.outcome = 'completed' THEN
        FOREACH number IN ARRAY v_rest LOOP
          RETURN NEXT;
        END LOOP;
      ELSE
        v_runnable := 1;
      END IF;
    END LOOP;
  END IF;

  IF cardinality(v_ids) > 0 THEN
    v_runnable := v_runnable + seedcore_release_dependants(p_now, v_ids)
      + (SELECT count(*) FROM (SELECT FROM queue_limit LIMIT 1) l);
  END IF;
  IF v_runnable > 0 THEN
    number := 0;
    outcome := 'runnable';
    detail := NULL;
    RETURN NEXT;
  END IF;
END $$;
)sql";

}  // namespace seedcore::store::postgres::schema

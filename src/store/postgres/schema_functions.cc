#include "store/postgres/schema.h"

namespace seedcore::store::postgres {

// Each statement of a PL/pgSQL function sees what was committed before it began. The functions rely on that: they lock
// first and look afterwards. A dependency has a smaller seq than what depends on it, and is always locked before it.
const char kSchemaTaskFunctions[] = R"sql(
-- Tasks that depend on one of p_ids, directly or not, fail.
CREATE FUNCTION seedcore_fail_dependants(p_now timestamptz, p_ids uuid[], p_status text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  v_ids    uuid[] := p_ids;
  v_status text := p_status;
BEGIN
  -- Level by level: a dependant that was submitted while we waited for the lock on a task is seen in the next round.
  LOOP
    WITH doomed AS MATERIALIZED (
      SELECT DISTINCT ON (t.seq) t.seq, d.dst_task_id AS cause, t.owner_id
      FROM task_depends_on_task d JOIN tasks t ON t.id = d.src_task_id
      WHERE d.dst_task_id = ANY (v_ids) AND t.finished_at IS NULL ORDER BY t.seq),
    failed AS (
      UPDATE tasks t SET status = 'failed', runnable = 0, dead_letter = true, finished_at = p_now, updated_at = p_now,
        error = format('it depends on task %s, which is %s', d.cause, v_status), error_code = 'non_retryable',
        lease_expires_at = NULL, owner_id = NULL
      FROM doomed d WHERE t.seq = d.seq AND t.finished_at IS NULL
      RETURNING t.seq, t.id, t.attempts, t.fencing_token, d.owner_id, t.error),
    events AS (
      INSERT INTO task_event (task_seq, at, kind, status, attempt, fencing_token, owner_id, detail)
      SELECT seq, p_now, 'failed', 'failed', attempts, fencing_token, owner_id, error FROM failed)
    SELECT array_agg(id) INTO v_ids FROM failed;
    EXIT WHEN v_ids IS NULL;
    v_status := 'failed';
  END LOOP;
END $$;

-- Tasks that wait for p_ids alone can run from now on. Returns how many can.
CREATE FUNCTION seedcore_release_dependants(p_now timestamptz, p_ids uuid[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  v_runnable bigint;
BEGIN
  -- A task that was held or not yet started stays so; it only has fewer dependencies.
  WITH freed AS MATERIALIZED (
    SELECT src_task_id AS id, count(*)::integer AS n FROM task_depends_on_task
    WHERE dst_task_id = ANY (p_ids) GROUP BY src_task_id ORDER BY src_task_id),
  released AS (
    UPDATE tasks t SET blockers = t.blockers - f.n, updated_at = p_now,
      runnable = CASE WHEN t.runnable <> 3 OR t.blockers > f.n THEN t.runnable WHEN t.run_after > p_now THEN 2 ELSE 1 END
    FROM freed f WHERE t.id = f.id AND t.finished_at IS NULL AND t.blockers > 0
    RETURNING t.seq, t.status, t.attempts, t.fencing_token, t.blockers, t.runnable),
  events AS (
    INSERT INTO task_event (task_seq, at, kind, status, attempt, fencing_token)
    SELECT seq, p_now, 'released', status, attempts, fencing_token FROM released WHERE blockers <= 0)
  SELECT count(*) INTO v_runnable FROM released WHERE blockers <= 0 AND runnable <> 0;
  RETURN v_runnable;
END $$;

-- Unfinished tasks fail for good, and everything that depends on them.
CREATE FUNCTION seedcore_fail(p_now timestamptz, p_seqs bigint[], p_error text, p_code text) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
  v_ids uuid[];
BEGIN
  WITH before AS MATERIALIZED (
    SELECT seq, owner_id FROM tasks WHERE seq = ANY (p_seqs) ORDER BY seq FOR UPDATE),
  failed AS (
    UPDATE tasks t SET status = 'failed', runnable = 0, dead_letter = true, error = p_error, error_code = p_code,
      finished_at = p_now, updated_at = p_now, lease_expires_at = NULL, owner_id = NULL
    FROM before b WHERE t.seq = b.seq AND t.finished_at IS NULL
    RETURNING t.seq, t.id, t.attempts, t.fencing_token, b.owner_id),
  events AS (
    INSERT INTO task_event (task_seq, at, kind, status, attempt, fencing_token, owner_id, detail)
    SELECT seq, p_now, 'failed', 'failed', attempts, fencing_token, owner_id, p_error FROM failed ORDER BY seq)
  SELECT array_agg(id) INTO v_ids FROM failed;
  IF v_ids IS NOT NULL THEN
    PERFORM seedcore_fail_dependants(p_now, v_ids, 'failed');
  END IF;
END $$;

-- Tasks past their deadline fail, at most p_limit. Returns how many.
CREATE FUNCTION seedcore_fail_late(p_now timestamptz, p_limit integer, p_error text, p_code text) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
  v_late bigint[];
BEGIN
  v_late := ARRAY(
    SELECT seq FROM tasks WHERE deadline IS NOT NULL AND finished_at IS NULL AND deadline <= p_now
    ORDER BY deadline LIMIT p_limit FOR UPDATE SKIP LOCKED);
  IF cardinality(v_late) > 0 THEN
    PERFORM seedcore_fail(p_now, v_late, p_error, p_code);
  END IF;
  RETURN cardinality(v_late);
END $$;

-- Before a claim: tasks past their deadline fail, and tasks whose run_after has come become claimable, at most p_limit of
-- each. Nearly always there are none, and asking is quicker than an UPDATE. Returns whether there were any.
CREATE FUNCTION seedcore_prepare_claim(p_now timestamptz, p_limit integer, p_late_error text, p_late_code text)
RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  v_any boolean := false;
BEGIN
  IF EXISTS (SELECT 1 FROM tasks WHERE deadline IS NOT NULL AND finished_at IS NULL AND deadline <= p_now) THEN
    PERFORM seedcore_fail_late(p_now, p_limit, p_late_error, p_late_code);
    v_any := true;
  END IF;
  IF EXISTS (SELECT 1 FROM tasks WHERE runnable = 2 AND run_after <= p_now) THEN
    WITH due AS MATERIALIZED (
      SELECT seq FROM tasks WHERE runnable = 2 AND run_after <= p_now ORDER BY run_after LIMIT p_limit
      FOR UPDATE SKIP LOCKED)
    UPDATE tasks t SET runnable = 1 FROM due d WHERE t.seq = d.seq;
    v_any := true;
  END IF;
  RETURN v_any;
END $$;

-- Running tasks whose lease has run out go to retry, or fail when no attempt is left; at most p_limit. Returns how many
-- were touched and how many of them can run again.
CREATE FUNCTION seedcore_expire_leases(p_now timestamptz, p_limit integer, p_error text, p_last_error text, p_code text,
                                       OUT touched integer, OUT runnable integer) LANGUAGE plpgsql AS $$
DECLARE
  v_again bigint[];
  v_last  bigint[];
BEGIN
  WITH lost AS MATERIALIZED (
    SELECT seq, owner_id, attempts, fencing_token, attempts >= max_attempts AS last FROM tasks
    WHERE status = 'running' AND lease_expires_at <= p_now
    ORDER BY lease_expires_at LIMIT p_limit FOR UPDATE SKIP LOCKED),
  events AS (
    INSERT INTO task_event (task_seq, at, kind, status, attempt, fencing_token, owner_id, detail)
    SELECT seq, p_now, 'lease_expired', CASE WHEN last THEN 'running' ELSE 'retry' END::taskstatus, attempts,
      fencing_token, owner_id, p_error FROM lost)
  SELECT array_agg(seq) FILTER (WHERE NOT last), array_agg(seq) FILTER (WHERE last) INTO v_again, v_last FROM lost;
  IF v_again IS NOT NULL THEN
    UPDATE tasks t SET status = 'retry', runnable = 1, run_after = NULL, owner_id = NULL, lease_expires_at = NULL,
      error = p_error, error_code = p_code, updated_at = p_now
    WHERE t.seq = ANY (v_again) AND t.status = 'running';
  END IF;
  IF v_last IS NOT NULL THEN
    PERFORM seedcore_fail(p_now, v_last, p_last_error, p_code);
  END IF;
  runnable := coalesce(cardinality(v_again), 0);
  touched := runnable + coalesce(cardinality(v_last), 0);
END $$;

-- An unfinished task is cancelled, and what depends on it fails. Returns whether there was anything to cancel.
CREATE FUNCTION seedcore_cancel(p_now timestamptz, p_id uuid) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  v_cancelled bigint;
BEGIN
  WITH before AS MATERIALIZED (SELECT seq, owner_id FROM tasks WHERE id = p_id FOR UPDATE),
  cancelled AS (
    UPDATE tasks t SET cancel_requested = (t.status = 'running'), status = 'cancelled', runnable = 0,
      finished_at = p_now, updated_at = p_now, lease_expires_at = NULL, owner_id = NULL
    FROM before b WHERE t.seq = b.seq AND t.finished_at IS NULL
    RETURNING t.seq, t.attempts, t.fencing_token, b.owner_id),
  events AS (
    INSERT INTO task_event (task_seq, at, kind, status, attempt, fencing_token, owner_id)
    SELECT seq, p_now, 'cancelled', 'cancelled', attempts, fencing_token, owner_id FROM cancelled)
  SELECT count(*) INTO v_cancelled FROM cancelled;
  IF v_cancelled > 0 THEN
    PERFORM seedcore_fail_dependants(p_now, ARRAY[p_id], 'cancelled');
  END IF;
  RETURN v_cancelled > 0;
END $$;

-- created, failed, cancelled, retry -> queued, as if new. Returns 'unchanged', 'waiting' (for dependencies), 'runnable',
-- or why it cannot run: 'conflict: ...'. p_kind: the kind of the event; NULL for 'queued' or 'resumed'.
CREATE FUNCTION seedcore_requeue(p_now timestamptz, p_id uuid, p_kind text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  v_task   record;
  v_unmet  record;
  v_blockers integer := 0;
BEGIN
  PERFORM 1 FROM tasks WHERE id IN (SELECT dst_task_id FROM task_depends_on_task WHERE src_task_id = p_id)
    ORDER BY seq FOR SHARE;
  SELECT seq, status, fencing_token, hold_reason INTO v_task FROM tasks WHERE id = p_id FOR UPDATE;
  IF NOT FOUND OR v_task.status IN ('queued', 'running', 'completed') THEN
    RETURN 'unchanged';
  END IF;
  FOR v_unmet IN
    SELECT t.id, t.status FROM task_depends_on_task d JOIN tasks t ON t.id = d.dst_task_id
    WHERE d.src_task_id = p_id AND t.status <> 'completed' ORDER BY t.seq
  LOOP
    IF v_unmet.status IN ('failed', 'cancelled') THEN
      RETURN format('conflict: it depends on task %s, which is %s; run that one first', v_unmet.id, v_unmet.status);
    END IF;
    v_blockers := v_blockers + 1;
  END LOOP;
  -- A deadline that has passed would fail the task again at once, so it is lifted.
  UPDATE tasks SET status = 'queued', runnable = CASE WHEN v_blockers > 0 THEN 3 ELSE 1 END, blockers = v_blockers,
    attempts = 0, run_after = NULL, error = NULL, error_code = NULL, hold_reason = NULL, dead_letter = false,
    cancel_requested = false, started_at = NULL, finished_at = NULL,
    deadline = CASE WHEN deadline > p_now THEN deadline END, updated_at = p_now
  WHERE seq = v_task.seq;
  DELETE FROM task_result WHERE seq = v_task.seq;
  INSERT INTO task_event (task_seq, at, kind, status, attempt, fencing_token)
    VALUES (v_task.seq, p_now, coalesce(p_kind, CASE WHEN v_task.hold_reason IS NULL THEN 'queued' ELSE 'resumed' END),
            'queued', 0, v_task.fencing_token);
  RETURN CASE WHEN v_blockers > 0 THEN 'waiting' ELSE 'runnable' END;
END $$;
)sql";

// Outcomes: 0 completed, 1 retry, 2 failed for good, 3 held, 4 handed back. One row for each element, by its number
// (from 1): its new status; or 'lease_lost' with the reason; or 'unknown'. A row with number 0 says that something can
// run now that could not before.
const char kSchemaFinishFunctions[] = R"sql(
CREATE FUNCTION seedcore_finish(p_now timestamptz, p_ids uuid[], p_owners text[], p_tokens bigint[],
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
    WHERE t.id = g.id AND t.status = 'running' AND t.owner_id = g.owner_id AND t.fencing_token = g.token
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

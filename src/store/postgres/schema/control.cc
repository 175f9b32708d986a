#include "store/postgres/schema/schema.h"

namespace seedcore::store::postgres::schema {

// What happens to tasks that nobody runs, and to those that wait for others. Each statement of a PL/pgSQL function sees
// what was committed before it began. The functions rely on that: they lock first and look afterwards. A dependency has
// a smaller seq than what depends on it, and is always locked before it.
const char kControl[] = R"sql(
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
--
-- By a plan that no statistics can change: a join may be made by reading all tasks, when the planner takes the
-- dependants for many, but what stands in a LATERAL with a LIMIT is looked up for one at a time, by its index, and a row
-- is found again by its place. Everybody locks in order of the id.
CREATE FUNCTION seedcore_release_dependants(p_now timestamptz, p_ids uuid[]) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
  v_places   tid[];
  v_runnable bigint;
BEGIN
  IF NOT EXISTS (SELECT 1 FROM task_depends_on_task) THEN
    RETURN 0;
  END IF;
  WITH freed AS MATERIALIZED (
    SELECT DISTINCT d.src_task_id AS id FROM unnest(p_ids) AS done (id) CROSS JOIN LATERAL (
      SELECT o.src_task_id FROM task_depends_on_task o WHERE o.dst_task_id = done.id OFFSET 0) d
    ORDER BY 1)
  SELECT array_agg(w.place) INTO v_places FROM freed f CROSS JOIN LATERAL (
    SELECT t.ctid AS place FROM tasks t
    WHERE t.id = f.id AND CASE WHEN t.finished_at IS NULL THEN t.blockers > 0 ELSE false END LIMIT 1
    FOR NO KEY UPDATE) w;
  IF v_places IS NULL THEN
    RETURN 0;
  END IF;

  -- A task that was held or not yet started stays so; it only has fewer dependencies.
  WITH released AS (
    UPDATE tasks t SET updated_at = p_now, (blockers, runnable) = (
      SELECT t.blockers - count(*)::integer,
        CASE WHEN t.runnable <> 3 OR t.blockers > count(*) THEN t.runnable WHEN t.run_after > p_now THEN 2 ELSE 1 END
      FROM task_depends_on_task d WHERE d.src_task_id = t.id AND d.dst_task_id = ANY (p_ids))
    WHERE t.ctid = ANY (v_places)
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
    SELECT seq FROM tasks WHERE live_deadline <= p_now
    ORDER BY live_deadline LIMIT p_limit FOR UPDATE SKIP LOCKED);
  IF cardinality(v_late) > 0 THEN
    PERFORM seedcore_fail(p_now, v_late, p_error, p_code);
  END IF;
  RETURN cardinality(v_late);
END $$;

-- Running tasks whose lease has run out go to retry, or fail when no attempt is left; at most p_limit, out of the
-- batches that are due; of these some thousands at a time. Returns how many were touched and how many of them can run
-- again.
CREATE FUNCTION seedcore_expire_leases(p_now timestamptz, p_limit integer, p_error text, p_last_error text,
                                                  p_code text, OUT touched integer, OUT runnable integer)
LANGUAGE plpgsql AS $$
DECLARE
  v_batches bigint[];
  v_expired bigint[];
  v_again   bigint[];
  v_last    bigint[];
BEGIN
  touched := 0;
  runnable := 0;
  WITH due AS MATERIALIZED (
    SELECT batch, look_at, cardinality(seqs) AS n FROM lease_batch WHERE look_at <= p_now ORDER BY look_at LIMIT 2000
    FOR UPDATE SKIP LOCKED)
  SELECT array_agg(batch) INTO v_batches FROM (
    SELECT batch, sum(n) OVER (ORDER BY look_at, batch) - n AS before FROM due) w WHERE before < 100000;
  IF v_batches IS NULL THEN
    RETURN;
  END IF;
  WITH member AS MATERIALIZED (
    SELECT b.batch, t.seq, t.lease_expires_at FROM lease_batch b CROSS JOIN LATERAL unnest(b.seqs) AS m (seq)
    CROSS JOIN LATERAL (SELECT t.seq, t.status, t.lease_expires_at FROM tasks t WHERE t.seq = m.seq OFFSET 0) t
    WHERE b.batch = ANY (v_batches) AND t.status = 'running'),
  rest AS MATERIALIZED (
    SELECT batch, array_agg(seq) AS seqs, min(lease_expires_at) AS until FROM member GROUP BY batch),
  kept AS (
    UPDATE lease_batch b SET seqs = r.seqs, look_at = r.until FROM rest r WHERE b.batch = r.batch),
  gone AS (
    DELETE FROM lease_batch b WHERE b.batch = ANY (v_batches) AND b.batch NOT IN (SELECT batch FROM rest))
  SELECT array_agg(seq) INTO v_expired FROM (
    SELECT DISTINCT lease_expires_at, seq FROM member WHERE lease_expires_at <= p_now
    ORDER BY lease_expires_at, seq LIMIT p_limit) e;
  IF v_expired IS NULL THEN
    RETURN;
  END IF;
  WITH lost AS MATERIALIZED (
    SELECT seq, owner_id, attempts, fencing_token, attempts >= max_attempts AS last FROM tasks
    WHERE seq = ANY (v_expired) AND status = 'running' AND lease_expires_at <= p_now
    ORDER BY lease_expires_at FOR UPDATE SKIP LOCKED),
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
  SELECT seq, status, fencing_token, hold_reason, unique_key INTO v_task FROM tasks WHERE id = p_id FOR UPDATE;
  IF NOT FOUND OR v_task.status IN ('queued', 'running', 'completed') THEN
    RETURN 'unchanged';
  END IF;
  IF v_task.unique_key IS NOT NULL AND v_task.status IN ('failed', 'cancelled') THEN
    PERFORM seedcore_lock_unique(v_task.unique_key);
    SELECT id INTO v_unmet FROM tasks WHERE live_unique_key = v_task.unique_key;
    IF FOUND THEN
      RETURN format('conflict: task %s has the same unique key and is not finished', v_unmet.id);
    END IF;
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

}  // namespace seedcore::store::postgres::schema

#include "store/postgres/schema.h"

namespace seedcore::store::postgres {

// The functions of schema_enqueue.cc and schema_functions.cc that know of concurrency keys, unique keys and limits.
const char kSchemaDispatchFunctions[] = R"sql(
-- One transaction at a time looks whether a unique key is taken and takes it.
CREATE FUNCTION seedcore_lock_unique(p_key text) RETURNS void LANGUAGE sql AS $$
  SELECT pg_advisory_xact_lock(24303, hashtext(p_key))
$$;

DROP FUNCTION seedcore_submit(timestamptz, uuid, text, text, text, json, integer, double precision, timestamptz,
  timestamptz, json, uuid[], integer, bigint, bigint, text, bigint, text, boolean);
CREATE FUNCTION seedcore_submit(
  p_now timestamptz, p_id uuid, p_type text, p_domain text, p_description text, p_params json, p_priority integer,
  p_drift_score double precision, p_run_after timestamptz, p_deadline timestamptz, p_depends_on json,
  p_dependencies uuid[], p_max_attempts integer, p_retry_base_ms bigint, p_retry_max_ms bigint, p_key text,
  p_content_hash bigint, p_traceparent text, p_run_immediately boolean, p_concurrency_key text, p_unique_key text,
  p_unique_until timestamptz,
  OUT seq bigint, OUT id uuid, OUT status taskstatus, OUT error text, OUT duplicate boolean)
LANGUAGE plpgsql AS $$
DECLARE
  v_earlier record;
  v_known   uuid[] := '{}';
  v_task    record;
  v_unmet   integer := 0;
BEGIN
  -- Dependencies first: nobody ends one of them until this transaction has ended.
  FOR v_task IN SELECT t.id, t.status FROM tasks t WHERE t.id = ANY (p_dependencies) ORDER BY t.seq FOR SHARE LOOP
    v_known := v_known || v_task.id;
    IF v_task.status <> 'completed' THEN
      v_unmet := v_unmet + 1;
    END IF;
    IF v_task.status IN ('failed', 'cancelled') THEN
      error := format('it depends on task %s, which is %s', v_task.id, v_task.status);
    END IF;
  END LOOP;

  duplicate := false;
  id := p_id;
  IF p_unique_key IS NOT NULL THEN
    PERFORM seedcore_lock_unique(p_unique_key);
  END IF;
  LOOP
    IF p_key IS NOT NULL THEN
      SELECT t.seq, t.id, p.content_hash INTO v_earlier
        FROM task_payload p JOIN tasks t ON t.seq = p.seq WHERE p.idempotency_key = p_key;
      IF FOUND THEN
        IF v_earlier.content_hash IS DISTINCT FROM p_content_hash THEN
          RAISE EXCEPTION USING ERRCODE = 'SC001', COLUMN = 'idempotency_key',
            MESSAGE = format('the idempotency key ''%s'' was used for a task with other content', p_key);
        END IF;
        seq := v_earlier.seq;
        id := v_earlier.id;
        duplicate := true;
        RETURN;
      END IF;
    END IF;
    IF p_unique_key IS NOT NULL THEN
      SELECT t.seq, t.id INTO v_earlier FROM tasks t WHERE t.unique_key = p_unique_key AND t.finished_at IS NULL;
      IF NOT FOUND THEN
        SELECT t.seq, t.id INTO v_earlier FROM tasks t
          WHERE t.unique_key = p_unique_key AND t.unique_until > p_now ORDER BY t.unique_until DESC LIMIT 1;
      END IF;
      IF FOUND THEN
        seq := v_earlier.seq;
        id := v_earlier.id;
        error := NULL;
        duplicate := true;
        RETURN;
      END IF;
    END IF;
    IF cardinality(v_known) < cardinality(p_dependencies) THEN
      RAISE EXCEPTION USING ERRCODE = 'SC002', COLUMN = 'depends_on',
        MESSAGE = format('there is no task %s to depend on',
                         (SELECT d FROM unnest(p_dependencies) d WHERE d <> ALL (v_known) LIMIT 1));
    END IF;
    seq := nextval('tasks_seq_seq');
    INSERT INTO task_payload (seq, content_hash, type, domain, description, params, depends_on, traceparent,
                              idempotency_key)
      VALUES (seq, p_content_hash, p_type, p_domain, p_description, p_params, p_depends_on, p_traceparent, p_key)
      ON CONFLICT (idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING;
    -- Otherwise somebody else has just stored a task with this key.
    EXIT WHEN FOUND;
  END LOOP;

  status := CASE WHEN error IS NOT NULL THEN 'failed' WHEN p_run_immediately THEN 'queued' ELSE 'created' END;
  INSERT INTO tasks (seq, id, created_at, updated_at, run_after, deadline, finished_at, drift_score, retry_base_ms,
                     retry_max_ms, status, runnable, blockers, priority, max_attempts, dead_letter, type, error,
                     error_code, concurrency_key, unique_key, unique_until)
    VALUES (seq, id, p_now, p_now, p_run_after, p_deadline, CASE WHEN status = 'failed' THEN p_now END, p_drift_score,
            p_retry_base_ms, p_retry_max_ms, status,
            CASE WHEN status <> 'queued' THEN 0 WHEN v_unmet > 0 THEN 3 WHEN p_run_after > p_now THEN 2 ELSE 1 END,
            v_unmet, p_priority, p_max_attempts, status = 'failed', p_type, error,
            CASE WHEN status = 'failed' THEN 'non_retryable' END, p_concurrency_key, p_unique_key, p_unique_until);
  INSERT INTO task_depends_on_task (src_task_id, dst_task_id) SELECT p_id, d FROM unnest(p_dependencies) d;
  INSERT INTO task_event (task_seq, at, kind, status, attempt, fencing_token)
    VALUES (seq, p_now, 'submitted', CASE WHEN status = 'failed' THEN 'created' ELSE status END, 0, 0);
  IF status = 'failed' THEN
    INSERT INTO task_event (task_seq, at, kind, status, attempt, fencing_token, detail)
      VALUES (seq, p_now, 'failed', 'failed', 0, 0, error);
  END IF;
END $$;

DROP FUNCTION seedcore_enqueue(text, jsonb, text, text, integer, timestamptz, timestamptz, uuid[], integer, bigint,
  bigint, double precision, text, text);
CREATE FUNCTION seedcore_enqueue(
  type text, params jsonb DEFAULT '{}', description text DEFAULT '', domain text DEFAULT '',
  priority integer DEFAULT 5, run_after timestamptz DEFAULT NULL, deadline timestamptz DEFAULT NULL,
  depends_on uuid[] DEFAULT '{}', max_attempts integer DEFAULT 3, retry_base_ms bigint DEFAULT 10000,
  retry_max_ms bigint DEFAULT 300000, drift_score double precision DEFAULT 0.0, idempotency_key text DEFAULT NULL,
  traceparent text DEFAULT NULL, concurrency_key text DEFAULT NULL, unique_key text DEFAULT NULL,
  unique_for interval DEFAULT NULL) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
  v_now  timestamptz := clock_timestamp();
  v_type text := lower(btrim(type));
  v_key  text := nullif(idempotency_key, '');
  v_task record;
BEGIN
  IF coalesce(v_type, '') = '' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'a task needs a type';
  END IF;
  IF priority IS NULL OR priority NOT BETWEEN 1 AND 10 THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'priority: expected 1 to 10';
  END IF;
  IF max_attempts IS NULL OR max_attempts NOT BETWEEN 1 AND 100 THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'max_attempts: expected 1 to 100';
  END IF;
  IF retry_base_ms IS NULL OR retry_base_ms < 0 OR retry_max_ms IS NULL OR retry_max_ms < retry_base_ms THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'retry_base_ms: expected 0 to retry_max_ms';
  END IF;
  IF jsonb_typeof(params) IS DISTINCT FROM 'object' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'params: expected an object';
  END IF;
  IF octet_length(concurrency_key) > 255 OR concurrency_key = '*' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
      MESSAGE = 'concurrency_key: expected up to 255 bytes, and not *';
  END IF;
  IF octet_length(unique_key) > 255 THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'unique_key: longer than 255 bytes';
  END IF;
  IF unique_for < interval '0' OR unique_for > interval '0' AND coalesce(unique_key, '') = '' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'unique_for: needs a unique_key';
  END IF;
  SELECT * INTO v_task FROM seedcore_submit(
    v_now, seedcore_new_id(v_now), v_type, coalesce(domain, ''), coalesce(description, ''), params::json, priority,
    coalesce(drift_score, 0.0), run_after, deadline,
    CASE WHEN cardinality(depends_on) > 0 THEN to_json(depends_on) END,
    ARRAY(SELECT DISTINCT d FROM unnest(depends_on) d), max_attempts, retry_base_ms, retry_max_ms, v_key,
    CASE WHEN v_key IS NOT NULL THEN
      hashtextextended(jsonb_build_array(v_type, domain, description, params, priority, run_after, deadline, depends_on,
                                         max_attempts, retry_base_ms, retry_max_ms, drift_score)::text, 0) END,
    traceparent, true, nullif(concurrency_key, ''), nullif(unique_key, ''),
    CASE WHEN unique_for > interval '0' THEN v_now + unique_for END);
  PERFORM pg_notify('seedcore', 're');
  RETURN v_task.id;
END $$;

CREATE OR REPLACE FUNCTION seedcore_requeue(p_now timestamptz, p_id uuid, p_kind text) RETURNS text LANGUAGE plpgsql AS $$
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
    SELECT id INTO v_unmet FROM tasks WHERE unique_key = v_task.unique_key AND finished_at IS NULL;
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

// seedcore_finish finds its rows by id, one index probe for each. A plain `status = 'running'` would let the planner
// choose idx_tasks_running instead, which it does whenever its statistics were taken while nothing ran; every batch
// then compares each of its elements with every running task and with every version of a row that vacuum has not taken
// away yet. The planner does not look into a CASE.
const char kSchemaDispatchFinish[] = R"sql(
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
  IF v_runnable > 0 OR 'retry' = ANY (v_outcomes) OR 'queued' = ANY (v_outcomes)
     OR v_outcomes IS NOT NULL AND EXISTS (SELECT 1 FROM queue_limit) THEN
    number := 0;
    outcome := 'runnable';
    detail := NULL;
    RETURN NEXT;
  END IF;
END $$;
)sql";

}  // namespace seedcore::store::postgres

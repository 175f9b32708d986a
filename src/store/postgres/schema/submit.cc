#include "store/postgres/schema/schema.h"

namespace seedcore::store::postgres::schema {

// seedcore_submit stores one task with everything a task can have; the store sends plain tasks by a quicker statement
// (plain_submit.cc). SQLSTATE SC001: the idempotency key is known with other content. SC002: an unknown dependency.
//
// seedcore_enqueue is for applications: it takes part in the transaction it is called in, so the task exists exactly
// when that transaction commits. It has the limits that the task API has (prepared_task.h holds the numbers). Its
// content hash covers what it is given; a key is not to be shared with the task API. It does its work as its owner and
// in its own schema, whatever the caller may do and wherever the caller looks for names: to be let use it is enough.
// It tells what a process tells that has not counted the listeners (notice.h).
const char kSubmit[] = R"sql(
-- One transaction at a time looks whether a unique key is taken and takes it.
CREATE FUNCTION seedcore_lock_unique(p_key text) RETURNS void LANGUAGE sql AS $$
  SELECT pg_advisory_xact_lock(24303, hashtext(p_key))
$$;

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
      SELECT t.seq, t.id INTO v_earlier FROM tasks t WHERE t.live_unique_key = p_unique_key;
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

CREATE FUNCTION seedcore_new_id(p_now timestamptz) RETURNS uuid LANGUAGE sql VOLATILE AS $$
  SELECT overlay(gen_random_uuid()::text PLACING
    regexp_replace(lpad(to_hex(floor(extract(epoch FROM p_now) * 1000)::bigint), 12, '0'), '^(.{8})(.{4})$', '\1-\2-7')
    FROM 1 FOR 15)::uuid
$$;

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
  v_json json := params::json;
  v_long record;
  v_task record;
BEGIN
  IF coalesce(v_type, '') = '' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', COLUMN = 'type', MESSAGE = 'type: a task needs one';
  END IF;
  SELECT * INTO v_long FROM (VALUES
    ('type', octet_length(v_type), 128), ('domain', octet_length(domain), 255),
    ('description', octet_length(description), 65536), ('params', octet_length(v_json::text), 8388608),
    ('idempotency_key', octet_length(v_key), 255), ('concurrency_key', octet_length(concurrency_key), 255),
    ('unique_key', octet_length(unique_key), 255), ('traceparent', octet_length(traceparent), 255)) AS l (name, n, most)
    WHERE l.n > l.most LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION USING ERRCODE = 'program_limit_exceeded', COLUMN = v_long.name,
      MESSAGE = format('%s: %s bytes; at most %s', v_long.name, v_long.n, v_long.most);
  END IF;
  IF cardinality(depends_on) > 100 THEN
    RAISE EXCEPTION USING ERRCODE = 'program_limit_exceeded', COLUMN = 'depends_on',
      MESSAGE = format('depends_on: %s tasks; at most 100', cardinality(depends_on));
  END IF;
  IF v_type !~ '^[a-z0-9_.:-]+$' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', COLUMN = 'type',
      MESSAGE = 'type: expected the characters a-z 0-9 _ - . :';
  END IF;
  IF priority IS NULL OR priority NOT BETWEEN 1 AND 10 THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', COLUMN = 'priority',
      MESSAGE = 'priority: expected 1 to 10';
  END IF;
  IF max_attempts IS NULL OR max_attempts NOT BETWEEN 1 AND 100 THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', COLUMN = 'max_attempts',
      MESSAGE = 'max_attempts: expected 1 to 100';
  END IF;
  IF retry_base_ms IS NULL OR retry_base_ms < 0 OR retry_max_ms IS NULL OR retry_max_ms < retry_base_ms THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', COLUMN = 'retry_base_ms',
      MESSAGE = 'retry_base_ms: expected 0 to retry_max_ms';
  END IF;
  IF retry_max_ms > 86400000 THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', COLUMN = 'retry_max_ms',
      MESSAGE = 'retry_max_ms: expected up to 86400000, a day';
  END IF;
  IF NOT isfinite(run_after) THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', COLUMN = 'run_after',
      MESSAGE = 'run_after: expected a finite time';
  END IF;
  IF NOT isfinite(deadline) THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', COLUMN = 'deadline',
      MESSAGE = 'deadline: expected a finite time';
  END IF;
  IF drift_score < 0 OR drift_score >= 'infinity' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', COLUMN = 'drift_score',
      MESSAGE = 'drift_score: expected a number that is not negative';
  END IF;
  IF jsonb_typeof(params) IS DISTINCT FROM 'object' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', COLUMN = 'params',
      MESSAGE = 'params: expected an object';
  END IF;
  IF concurrency_key = '*' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', COLUMN = 'concurrency_key',
      MESSAGE = 'concurrency_key: * stands for every key in limits';
  END IF;
  IF unique_for < interval '0' OR unique_for > interval '0' AND coalesce(unique_key, '') = '' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', COLUMN = 'unique_for',
      MESSAGE = 'unique_for: needs a unique_key';
  END IF;
  IF unique_for > interval '366 days' THEN
    RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', COLUMN = 'unique_for',
      MESSAGE = 'unique_for: expected up to 366 days';
  END IF;
  SELECT * INTO v_task FROM seedcore_submit(
    v_now, seedcore_new_id(v_now), v_type, coalesce(domain, ''), coalesce(description, ''), v_json, priority,
    coalesce(drift_score, 0.0), run_after, deadline,
    CASE WHEN cardinality(depends_on) > 0 THEN to_json(depends_on) END,
    ARRAY(SELECT DISTINCT d FROM unnest(depends_on) d), max_attempts, retry_base_ms, retry_max_ms, v_key,
    CASE WHEN v_key IS NOT NULL THEN
      hashtextextended(jsonb_build_array(v_type, domain, description, params, priority, run_after, deadline, depends_on,
                                         max_attempts, retry_base_ms, retry_max_ms, drift_score)::text, 0) END,
    traceparent, true, nullif(concurrency_key, ''), nullif(unique_key, ''),
    CASE WHEN unique_for > interval '0' THEN v_now + unique_for END);
  PERFORM pg_notify('seedcore', 'reu 0 0 1 0 0 0');
  RETURN v_task.id;
END $$;

DO $$
BEGIN
  EXECUTE format('ALTER FUNCTION seedcore_enqueue SECURITY DEFINER SET search_path = %I, pg_temp', current_schema());
  REVOKE EXECUTE ON FUNCTION seedcore_enqueue FROM PUBLIC;
END $$;
)sql";

}  // namespace seedcore::store::postgres::schema

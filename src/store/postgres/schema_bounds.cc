#include "store/postgres/schema.h"

namespace seedcore::store::postgres {

// seedcore_enqueue as in schema_dispatch_functions.cc, with the limits that the task API has (prepared_task.h holds the
// numbers): what is refused there would otherwise come in here, and a text that no index entry can hold fails later,
// with an error that names no column.
const char kSchemaBounds[] = R"sql(
CREATE OR REPLACE FUNCTION seedcore_enqueue(
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
  PERFORM pg_notify('seedcore', 're');
  RETURN v_task.id;
END $$;
)sql";

// seedcore_release_dependants as in schema_functions.cc, with a plan that no statistics can change: a join may be made
// by reading all tasks, when the planner takes the dependants for many, but what stands in a LATERAL with a LIMIT is
// looked up for one at a time, by its index, and a row is found again by its place. Everybody locks in order of the id.
const char kSchemaRelease[] = R"sql(
CREATE OR REPLACE FUNCTION seedcore_release_dependants(p_now timestamptz, p_ids uuid[]) RETURNS bigint LANGUAGE plpgsql
AS $$
DECLARE
  v_places   tid[];
  v_runnable bigint;
BEGIN
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
)sql";

}  // namespace seedcore::store::postgres

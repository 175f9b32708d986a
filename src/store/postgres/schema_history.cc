#include "store/postgres/schema.h"

namespace seedcore::store::postgres {

// What happens to every task once, its submission, its first claim and its completion at the first attempt, is written
// for many tasks at a time: one row of task_event_batch holds what one transaction did to up to 960 of them. A row of
// its own for each, with an entry in two indexes, was a good part of what a task cost the server, and a third of its WAL. Everything else, also
// each later claim, stays a row of task_event. task_history shows both as one.
//
// The sequence now counts in steps of 1,024: a batch has its number and the 1,023 that follow, for its tasks in their
// order, so numbers still tell which of two events came first. A task knows the batches it is in: each of these
// columns is written once, because the events are those that come once.
const char kSchemaHistory[] = R"sql(
CREATE TABLE task_event_batch (
  seq           BIGINT PRIMARY KEY,                   -- of the event of the first task
  at            TIMESTAMPTZ NOT NULL,
  fencing_token BIGINT NOT NULL,
  status        taskstatus NOT NULL,
  attempt       INTEGER NOT NULL,
  kind          TEXT NOT NULL,
  owner_id      TEXT,
  task_seqs     BIGINT[] NOT NULL CHECK (cardinality(task_seqs) BETWEEN 1 AND 1024)
) WITH (toast_tuple_target = 8160);
ALTER TABLE task_payload ADD COLUMN submit_event BIGINT;    -- the batch with its submission
ALTER TABLE tasks ADD COLUMN claim_event BIGINT,            -- the batch with its first claim
                  ADD COLUMN end_event BIGINT;              -- the batch with its completion

-- Rows of tasks change twice in a short life, and each version has its entries in three indexes. With room on their pages
-- PostgreSQL drops the entries of dead versions where it would otherwise split pages.
ALTER TABLE tasks SET (fillfactor = 45);
ALTER INDEX tasks_pkey SET (fillfactor = 30);
ALTER INDEX tasks_id_key SET (fillfactor = 30);

CREATE VIEW task_history AS
  SELECT seq, task_seq, at, fencing_token, status, attempt, kind, owner_id, detail FROM task_event
  UNION ALL
  SELECT b.seq + m.n - 1, m.task_seq, b.at, b.fencing_token, b.status, b.attempt, b.kind, b.owner_id, NULL
  FROM task_event_batch b CROSS JOIN LATERAL unnest(b.task_seqs) WITH ORDINALITY AS m (task_seq, n)
  JOIN tasks t ON t.seq = m.task_seq;

ALTER SEQUENCE task_event_seq INCREMENT BY 1024;
SELECT setval('task_event_seq', (last_value / 1024) * 1024) FROM task_event_seq;

CREATE FUNCTION task_event_batch_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND NOT EXISTS (
      SELECT 1 FROM unnest(OLD.task_seqs) AS m (seq) JOIN tasks t ON t.seq = m.seq) THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION 'task_event_batch is append-only while one of its tasks exists';
END $$;
CREATE TRIGGER task_event_batch_append_only BEFORE UPDATE OR DELETE ON task_event_batch FOR EACH ROW
  EXECUTE FUNCTION task_event_batch_append_only();

-- A batch goes with the last of its tasks. Of two transactions that delete its last tasks at the same time, the second
-- waits here for the first, and then sees what is left.
CREATE OR REPLACE FUNCTION tasks_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  v_batches bigint[];
BEGIN
  WITH payloads AS (
    DELETE FROM task_payload p USING gone g WHERE p.seq = g.seq RETURNING p.submit_event)
  SELECT array_agg(DISTINCT seq) INTO v_batches FROM (
    SELECT submit_event AS seq FROM payloads UNION ALL SELECT claim_event FROM gone UNION ALL SELECT end_event FROM gone
  ) b WHERE seq IS NOT NULL;
  DELETE FROM task_result r USING gone g WHERE r.seq = g.seq;
  DELETE FROM task_event e USING gone g WHERE e.task_seq = g.seq;
  DELETE FROM task_depends_on_task d USING gone g WHERE d.src_task_id = g.id;
  DELETE FROM task_depends_on_task d USING gone g WHERE d.dst_task_id = g.id;
  DELETE FROM task_produces_fact f USING gone g WHERE f.task_id = g.id;
  IF v_batches IS NOT NULL THEN
    PERFORM 1 FROM task_event_batch WHERE seq = ANY (v_batches) ORDER BY seq FOR UPDATE;
    DELETE FROM task_event_batch b WHERE b.seq = ANY (v_batches)
      AND NOT EXISTS (SELECT 1 FROM unnest(b.task_seqs) AS m (seq) JOIN tasks t ON t.seq = m.seq);
  END IF;
  RETURN NULL;
END $$;

-- The keys of the locks are now 0x5EED in the highest 16 bits and the event number divided by 1,024 in the rest.
CREATE FUNCTION seedcore_lock_events() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  IF current_setting('seedcore.event_lock', true) IS DISTINCT FROM 'held' THEN
    PERFORM pg_advisory_xact_lock_shared((24301::bigint << 48) | (SELECT last_value / 1024 FROM task_event_seq));
    PERFORM set_config('seedcore.event_lock', 'held', true);
  END IF;
END $$;
CREATE OR REPLACE FUNCTION task_event_lock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM seedcore_lock_events();
  RETURN NULL;
END $$;
-- The number of a new batch. The lock comes first, the number after it.
CREATE FUNCTION seedcore_new_batch() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM seedcore_lock_events();
  RETURN nextval('task_event_seq');
END $$;

CREATE OR REPLACE FUNCTION seedcore_event_bound() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_drawn bigint;
  v_open  bigint;
BEGIN
  SELECT last_value / 1024 INTO v_drawn FROM task_event_seq;
  SELECT min(((classid::bigint & 65535) << 32) | objid::bigint) INTO v_open FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND classid::bigint >> 16 = 24301
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database());
  RETURN least(v_drawn, v_open) * 1024 + 1023;
END $$;

-- The first p_limit rows of task_history after p_after and up to p_bound, without looking at those after them.
CREATE FUNCTION seedcore_history_after(p_after bigint, p_bound bigint, p_limit integer)
RETURNS SETOF task_history LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_until bigint := p_bound;
  v_found bigint := 0;
  v_batch record;
BEGIN
  FOR v_batch IN
    SELECT b.seq, b.task_seqs FROM task_event_batch b WHERE b.seq > p_after - 1024 AND b.seq <= p_bound ORDER BY b.seq
  LOOP
    v_found := v_found + (
      SELECT count(*) FROM unnest(v_batch.task_seqs) WITH ORDINALITY AS m (seq, n) JOIN tasks t ON t.seq = m.seq
      WHERE v_batch.seq + m.n - 1 > p_after);
    IF v_found >= p_limit THEN
      v_until := least(p_bound, v_batch.seq + 1023);
      EXIT;
    END IF;
  END LOOP;
  RETURN QUERY
    SELECT h.* FROM (
      (SELECT e.seq, e.task_seq, e.at, e.fencing_token, e.status, e.attempt, e.kind, e.owner_id, e.detail
       FROM task_event e WHERE e.seq > p_after AND e.seq <= v_until ORDER BY e.seq LIMIT p_limit)
      UNION ALL
      (SELECT b.seq + m.n - 1, m.task_seq, b.at, b.fencing_token, b.status, b.attempt, b.kind, b.owner_id, NULL
       FROM (SELECT * FROM task_event_batch c WHERE c.seq > p_after - 1024 AND c.seq <= v_until) b
       CROSS JOIN LATERAL unnest(b.task_seqs) WITH ORDINALITY AS m (task_seq, n) JOIN tasks t ON t.seq = m.task_seq
       WHERE b.seq + m.n - 1 > p_after)
    ) h ORDER BY h.seq LIMIT p_limit;
END $$;

CREATE OR REPLACE FUNCTION seedcore_events_after(p_after bigint, p_limit integer)
RETURNS TABLE (seq bigint, task_id uuid, at timestamptz, kind text, status taskstatus, attempt integer,
               fencing_token bigint, owner_id text, detail text) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_bound bigint := seedcore_event_bound();
BEGIN
  RETURN QUERY
    SELECT e.seq, t.id, e.at, e.kind, e.status, e.attempt, e.fencing_token, e.owner_id, e.detail
    FROM seedcore_history_after(p_after, v_bound, p_limit) e JOIN tasks t ON t.seq = e.task_seq ORDER BY e.seq;
END $$;
)sql";

// As before (schema_dispatch_functions.cc), but completions at the first attempt go into batches, one for each owner.
const char kSchemaHistoryFinish[] = R"sql(
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
    SELECT g.*, CASE WHEN g.outcome = 0 AND g.token = 1 THEN (g.number - 1) / 960 END AS part
    FROM unnest(p_ids, p_owners, p_tokens, p_outcomes, p_errors, p_codes, p_run_after, p_results)
      WITH ORDINALITY AS g (id, owner_id, token, outcome, error, code, run_after, result, number)
    ORDER BY g.id),  -- everybody locks in this order
  batches AS MATERIALIZED (
    SELECT owner_id, part, seedcore_new_batch() AS seq FROM (
      SELECT DISTINCT owner_id, part FROM given WHERE part IS NOT NULL) p),
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
      end_event = CASE WHEN t.attempts = 1 THEN coalesce(b.seq, t.end_event) ELSE t.end_event END
    FROM given g LEFT JOIN batches b ON b.owner_id = g.owner_id AND b.part = g.part
    WHERE t.id = g.id
      AND CASE WHEN t.status = 'running' THEN t.owner_id = g.owner_id AND t.fencing_token = g.token ELSE false END
    RETURNING g.number::integer AS number, t.seq, t.id, t.status, t.attempts, g.token, g.owner_id, g.error, g.result,
      CASE WHEN t.attempts = 1 THEN b.seq END AS batch),
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

#include "store/postgres/schema.h"

namespace seedcore::store::postgres {

// A fourth value of tasks.runnable, 4: parked, because tasks of its concurrency key hold all its room. Parked tasks are
// in no claim index, so a key with a long backlog makes no claim slower. tasks_counted lets them out as running tasks
// of their key end; the reaper looks after keys whose trigger could not let out the right one.
const char kSchemaDispatch[] = R"sql(
ALTER TABLE tasks ADD COLUMN concurrency_key TEXT;
ALTER TABLE tasks ADD COLUMN unique_key TEXT;
ALTER TABLE tasks ADD COLUMN unique_until TIMESTAMPTZ;   -- the unique key is taken until then, finished or not

DROP INDEX idx_tasks_running;
CREATE INDEX idx_tasks_running ON tasks (type, seq) WHERE status = 'running';
CREATE INDEX idx_tasks_running_key ON tasks (concurrency_key)
  WHERE status = 'running' AND concurrency_key IS NOT NULL;
CREATE INDEX idx_tasks_parked ON tasks (concurrency_key, priority DESC, seq) WHERE runnable = 4;
CREATE UNIQUE INDEX idx_tasks_unique_live ON tasks (unique_key) WHERE unique_key IS NOT NULL AND finished_at IS NULL;
CREATE INDEX idx_tasks_unique_until ON tasks (unique_key, unique_until) WHERE unique_until IS NOT NULL;

CREATE TABLE queue_limit (
  scope       TEXT NOT NULL CHECK (scope IN ('type', 'key')),
  name        TEXT NOT NULL,
  max_running INTEGER,
  rate_tasks  INTEGER,
  interval_ms BIGINT,
  burst       INTEGER,
  tokens      DOUBLE PRECISION NOT NULL,             -- in the bucket at tokens_at
  tokens_at   TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (scope, name)
) WITH (fillfactor = 50);

CREATE TABLE queue_pause (
  type      TEXT PRIMARY KEY,
  reason    TEXT NOT NULL,
  paused_at TIMESTAMPTZ NOT NULL
);

CREATE OR REPLACE FUNCTION tasks_counted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  v_key text;
  v_n   bigint;
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO task_count AS c (status, shard, n)
      SELECT status, pg_backend_pid(), count(*) FROM new_tasks GROUP BY status ORDER BY status
      ON CONFLICT (status, shard) DO UPDATE SET n = c.n + excluded.n;
  ELSIF TG_OP = 'UPDATE' THEN
    INSERT INTO task_count AS c (status, shard, n)
      SELECT status, pg_backend_pid(), sum(d)
      FROM (SELECT status, 1 AS d FROM new_tasks UNION ALL SELECT status, -1 FROM old_tasks) change
      GROUP BY status HAVING sum(d) <> 0 ORDER BY status
      ON CONFLICT (status, shard) DO UPDATE SET n = c.n + excluded.n;
    -- Those that left a key make room for others that wait for it. Whoever parks a task holds the lock on its key, so it
    -- has either seen us go, or we see what it parked.
    IF EXISTS (SELECT 1 FROM old_tasks WHERE concurrency_key IS NOT NULL AND status = 'running')
       AND EXISTS (SELECT 1 FROM queue_limit WHERE scope = 'key') THEN
      FOR v_key, v_n IN
        SELECT concurrency_key, sum(d)
        FROM (SELECT concurrency_key, 1 AS d FROM old_tasks WHERE status = 'running'
              UNION ALL SELECT concurrency_key, -1 FROM new_tasks WHERE status = 'running') change
        WHERE concurrency_key IS NOT NULL GROUP BY concurrency_key HAVING sum(d) > 0
        ORDER BY hashtext(concurrency_key), concurrency_key
      LOOP
        PERFORM pg_advisory_xact_lock(24302, hashtext(v_key));
        UPDATE tasks SET runnable = 1 WHERE seq IN (
          SELECT seq FROM tasks WHERE runnable = 4 AND concurrency_key = v_key ORDER BY priority DESC, seq LIMIT v_n
          FOR UPDATE SKIP LOCKED);
      END LOOP;
    END IF;
  ELSE
    INSERT INTO task_count AS c (status, shard, n)
      SELECT status, pg_backend_pid(), -count(*) FROM old_tasks GROUP BY status ORDER BY status
      ON CONFLICT (status, shard) DO UPDATE SET n = c.n + excluded.n;
  END IF;
  RETURN NULL;
END $$;

DROP FUNCTION seedcore_prepare_claim(timestamptz, integer, text, text);
-- Before a claim: tasks past their deadline fail, and tasks whose run_after has come become claimable, at most p_limit of
-- each. Nearly always there are none, and asking is quicker than an UPDATE. `limited`: whether limits or pauses are in
-- force.
CREATE FUNCTION seedcore_prepare_claim(p_now timestamptz, p_limit integer, p_late_error text, p_late_code text)
RETURNS TABLE (changed boolean, limited boolean) LANGUAGE plpgsql AS $$
BEGIN
  changed := false;
  limited := EXISTS (SELECT 1 FROM queue_limit) OR EXISTS (SELECT 1 FROM queue_pause);
  IF EXISTS (SELECT 1 FROM tasks WHERE deadline IS NOT NULL AND finished_at IS NULL AND deadline <= p_now) THEN
    PERFORM seedcore_fail_late(p_now, p_limit, p_late_error, p_late_code);
    changed := true;
  END IF;
  IF EXISTS (SELECT 1 FROM tasks WHERE runnable = 2 AND run_after <= p_now) THEN
    WITH due AS MATERIALIZED (
      SELECT seq FROM tasks WHERE runnable = 2 AND run_after <= p_now ORDER BY run_after LIMIT p_limit
      FOR UPDATE SKIP LOCKED)
    UPDATE tasks t SET runnable = 1 FROM due d WHERE t.seq = d.seq;
    changed := true;
  END IF;
  RETURN NEXT;
END $$;
)sql";

}  // namespace seedcore::store::postgres

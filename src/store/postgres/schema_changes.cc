#include "store/postgres/schema.h"

namespace seedcore::store::postgres {

// What follows from a change of tasks, whoever makes it: counts, turns, places, and parked tasks that may run. One
// trigger does what three did, and looks once at the rows before and after; it is a good part of what a small change
// costs.
const char kSchemaChanges[] = R"sql(
DROP TRIGGER tasks_counted_insert ON tasks;
DROP TRIGGER tasks_counted_update ON tasks;
DROP TRIGGER tasks_turns_update ON tasks;
DROP FUNCTION tasks_take_turns();

CREATE OR REPLACE FUNCTION tasks_counted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO task_count AS c (status, shard, n)
    SELECT status, pg_backend_pid(), -count(*) FROM old_tasks GROUP BY status ORDER BY status
    ON CONFLICT (status, shard) DO UPDATE SET n = c.n + excluded.n;
  RETURN NULL;
END $$;

CREATE FUNCTION tasks_inserted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  v_of       record;
  v_running  boolean := false;
  v_finished boolean := false;
BEGIN
  FOR v_of IN SELECT status, count(*) AS n FROM new_tasks GROUP BY status ORDER BY status LOOP
    INSERT INTO task_count AS c (status, shard, n) VALUES (v_of.status, pg_backend_pid(), v_of.n)
      ON CONFLICT (status, shard) DO UPDATE SET n = c.n + excluded.n;
    v_running := v_running OR v_of.status = 'running';
    v_finished := v_finished OR v_of.status IN ('completed', 'failed', 'cancelled');
  END LOOP;
  INSERT INTO task_ready (seq, turn, type) SELECT seq, turn, type FROM new_tasks WHERE runnable = 1;
  IF v_running THEN
    INSERT INTO lease_batch (look_at, types, seqs)
      SELECT min(lease_expires_at), array_agg(DISTINCT type), array_agg(seq) FROM new_tasks WHERE status = 'running';
  END IF;
  IF v_finished THEN
    INSERT INTO finished_batch (finished_at, seqs)
      SELECT min(finished_at), array_agg(seq) FROM new_tasks WHERE finished_at IS NOT NULL;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER tasks_inserted AFTER INSERT ON tasks REFERENCING NEW TABLE AS new_tasks
  FOR EACH STATEMENT EXECUTE FUNCTION tasks_inserted();

-- Arrays instead of joins, because the planner takes both tables for small.
CREATE FUNCTION tasks_updated() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  v_of           record;
  v_now_ready    boolean := false;
  v_was_ready    boolean := false;
  v_now_running  boolean := false;
  v_was_idle     boolean := false;
  v_now_finished boolean := false;
  v_was_open     boolean := false;
  v_elsewhere    boolean := false;    -- neither ready nor running
  v_key_leaves   boolean := false;
  v_turns        boolean := false;
  v_key          text;
  v_n            bigint;
BEGIN
  FOR v_of IN
    SELECT status, sum(d) AS n, bool_or(d > 0) AS now, bool_or(d < 0) AS before,
      bool_or(d > 0 AND runnable = 1) AS now_ready, bool_or(d < 0 AND runnable = 1) AS was_ready,
      bool_or(d > 0 AND runnable <> 1) AS now_unready, bool_or(d > 0 AND runnable = 1 AND turn IS NULL) AS turnless,
      bool_or(d < 0 AND concurrency_key IS NOT NULL) AS was_keyed
    FROM (SELECT 1 AS d, status, runnable, turn, concurrency_key FROM new_tasks
          UNION ALL SELECT -1, status, runnable, turn, concurrency_key FROM old_tasks) change
    GROUP BY status ORDER BY status
  LOOP
    IF v_of.n <> 0 THEN
      INSERT INTO task_count AS c (status, shard, n) VALUES (v_of.status, pg_backend_pid(), v_of.n)
        ON CONFLICT (status, shard) DO UPDATE SET n = c.n + excluded.n;
    END IF;
    v_now_ready := v_now_ready OR v_of.now_ready;
    v_was_ready := v_was_ready OR v_of.was_ready;
    v_turns := v_turns OR v_of.turnless OR v_of.before AND v_of.status IN ('created', 'failed', 'cancelled');
    IF v_of.status = 'running' THEN
      v_now_running := v_of.now;
      v_key_leaves := v_of.was_keyed;
    ELSE
      v_was_idle := v_was_idle OR v_of.before;
      v_elsewhere := v_elsewhere OR v_of.now_unready;
    END IF;
    IF v_of.status IN ('completed', 'failed', 'cancelled') THEN
      v_now_finished := v_now_finished OR v_of.now;
    ELSE
      v_was_open := v_was_open OR v_of.before;
    END IF;
  END LOOP;

  -- Those that left a key make room for others that wait for it. Whoever parks a task holds the lock on its key, so it
  -- has either seen us go, or we see what it parked.
  IF v_key_leaves AND EXISTS (SELECT 1 FROM queue_limit WHERE scope = 'key') THEN
    FOR v_key, v_n IN
      SELECT concurrency_key, sum(d)
      FROM (SELECT concurrency_key, 1 AS d FROM old_tasks WHERE status = 'running'
            UNION ALL SELECT concurrency_key, -1 FROM new_tasks WHERE status = 'running') change
      WHERE concurrency_key IS NOT NULL GROUP BY concurrency_key HAVING sum(d) > 0
      ORDER BY hashtext(concurrency_key), concurrency_key
    LOOP
      PERFORM pg_advisory_xact_lock(24302, hashtext(v_key));
      UPDATE tasks SET runnable = 1 WHERE seq IN (
        SELECT seq FROM tasks WHERE waits_as = 4 AND concurrency_key = v_key ORDER BY turn, seq LIMIT v_n
        FOR UPDATE SKIP LOCKED);
    END LOOP;
  END IF;

  IF v_now_ready THEN
    INSERT INTO task_ready AS r (seq, turn, type) SELECT seq, turn, type FROM new_tasks WHERE runnable = 1 ORDER BY seq
      ON CONFLICT (seq) DO UPDATE SET turn = excluded.turn WHERE r.turn IS DISTINCT FROM excluded.turn;
  END IF;
  IF v_was_ready AND v_elsewhere THEN
    DELETE FROM task_ready WHERE seq = ANY (ARRAY(
      SELECT seq FROM old_tasks WHERE runnable = 1 AND seq = ANY (ARRAY(
        SELECT seq FROM new_tasks WHERE runnable <> 1 AND status <> 'running'))));
  END IF;
  IF v_now_running AND v_was_idle THEN
    INSERT INTO lease_batch (look_at, types, seqs)
      SELECT min(least(lease_expires_at, started_at + interval '5 seconds')),
        ARRAY(SELECT DISTINCT type FROM new_tasks WHERE status = 'running'), array_agg(seq)
      FROM new_tasks WHERE status = 'running' AND seq <> ALL (ARRAY(SELECT seq FROM old_tasks WHERE status = 'running'));
  END IF;
  IF v_now_finished AND v_was_open THEN
    INSERT INTO finished_batch (finished_at, seqs)
      SELECT min(finished_at), array_agg(seq) FROM new_tasks
      WHERE finished_at IS NOT NULL AND seq <> ALL (ARRAY(SELECT seq FROM old_tasks WHERE finished_at IS NOT NULL))
      HAVING count(*) > 0;
  END IF;

  -- Whatever makes a task able to run for the first time gives it its turn; what is queued anew by hand takes a new one.
  -- This update comes here again and brings the turns to task_ready.
  IF v_turns THEN
    WITH due AS (
      SELECT n.seq, n.runnable = 1 AS ready, n.type, coalesce(p.domain, '') AS domain, n.priority
      FROM new_tasks n LEFT JOIN task_payload p ON p.seq = n.seq
      WHERE (n.runnable = 1 AND n.turn IS NULL) OR (n.status = 'queued' AND n.seq IN (
        SELECT o.seq FROM old_tasks o WHERE o.status IN ('created', 'failed', 'cancelled')))),
    placed AS MATERIALIZED (
      SELECT *, row_number() OVER flow AS place, count(*) OVER (PARTITION BY ready, type, domain, priority) AS places
      FROM due WINDOW flow AS (PARTITION BY ready, type, domain, priority ORDER BY seq)),
    begun AS MATERIALIZED (
      SELECT *, CASE WHEN ready AND place = 1 THEN seedcore_take_turns(type, domain, priority, places) END AS first
      FROM placed),
    given AS MATERIALIZED (
      SELECT seq, max(first) OVER (PARTITION BY ready, type, domain, priority) + (place - 1) * 1000 AS turn FROM begun)
    UPDATE tasks t SET turn = g.turn FROM given g WHERE t.seq = g.seq;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER tasks_updated AFTER UPDATE ON tasks REFERENCING OLD TABLE AS old_tasks NEW TABLE AS new_tasks
  FOR EACH STATEMENT EXECUTE FUNCTION tasks_updated();
)sql";

}  // namespace seedcore::store::postgres

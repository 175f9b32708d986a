#include "store/postgres/schema/schema.h"

namespace seedcore::store::postgres::schema {

// What happens to every task once, its submission, its first claim and its completion at the first attempt, is written
// for many tasks at a time: one row of task_event_batch holds what one transaction did to up to 960 of them. A row of
// its own for each, with an entry in two indexes, would be a good part of what a task costs the server, and a third of
// its WAL. Everything else, also each later claim, is a row of task_event. task_history shows both as one.
//
// The sequence counts in steps of 1,024: a batch has its number and the 1,023 that follow, for its tasks in their
// order, so numbers tell which of two events came first. A task knows the batches it is in: each of these columns is
// written once, because the events are those that come once.
//
// seedcore_event_bound: the number up to which the history can be read without missing a row that commits later.
// Numbers are drawn before the commit, so a later one may become visible before an earlier one. Each transaction that
// writes events therefore holds an advisory lock whose key tells the last number drawn before its own first one; it
// takes the lock before it draws, and the lock ends with the transaction. A reader looks first at the sequence, then at
// the locks, and then takes its snapshot: whoever drew a number below all locks had ended before the snapshot, so its
// rows are in it. The functions are volatile and in PL/pgSQL, because there one statement follows the other. The keys
// of the locks are 0x5EED in the highest 16 bits and the event number divided by 1,024 in the rest.
const char kHistory[] = R"sql(
CREATE SEQUENCE task_event_seq AS BIGINT INCREMENT BY 1024 MINVALUE 0;
SELECT setval('task_event_seq', 0);
CREATE TABLE task_event (
  seq           BIGINT PRIMARY KEY DEFAULT nextval('task_event_seq'),
  task_seq      BIGINT NOT NULL,
  at            TIMESTAMPTZ NOT NULL,
  fencing_token BIGINT NOT NULL,
  status        taskstatus NOT NULL,
  attempt       INTEGER NOT NULL,
  kind          TEXT NOT NULL,
  owner_id      TEXT,
  detail        TEXT
);
ALTER SEQUENCE task_event_seq OWNED BY task_event.seq;
CREATE INDEX idx_task_event_task ON task_event (task_seq);

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

CREATE VIEW task_history AS
  SELECT seq, task_seq, at, fencing_token, status, attempt, kind, owner_id, detail FROM task_event
  UNION ALL
  SELECT b.seq + m.n - 1, m.task_seq, b.at, b.fencing_token, b.status, b.attempt, b.kind, b.owner_id, NULL
  FROM task_event_batch b CROSS JOIN LATERAL unnest(b.task_seqs) WITH ORDINALITY AS m (task_seq, n)
  JOIN tasks t ON t.seq = m.task_seq;

-- The history of a task lives as long as the task; of its progress it keeps the newest report alone.
CREATE FUNCTION task_event_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND (OLD.kind = 'progress' OR NOT EXISTS (SELECT 1 FROM tasks WHERE seq = OLD.task_seq)) THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION 'task_event is append-only while its task exists';
END $$;
CREATE TRIGGER task_event_append_only BEFORE UPDATE OR DELETE ON task_event FOR EACH ROW
  EXECUTE FUNCTION task_event_append_only();

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

-- One lock for each transaction: what is set here ends with it. As expressions, which are evaluated without a plan.
CREATE FUNCTION seedcore_lock_events() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_done    boolean;
  v_setting text;
BEGIN
  IF current_setting('seedcore.event_lock', true) IS DISTINCT FROM 'held' THEN
    v_done := pg_advisory_xact_lock_shared(
      (24301::bigint << 48) | pg_sequence_last_value('task_event_seq'::regclass) / 1024) IS NOT NULL;
    v_setting := set_config('seedcore.event_lock', 'held', true);
  END IF;
END $$;
CREATE FUNCTION task_event_lock() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM seedcore_lock_events();
  RETURN NULL;
END $$;
CREATE TRIGGER task_event_lock BEFORE INSERT ON task_event FOR EACH STATEMENT EXECUTE FUNCTION task_event_lock();

-- The number of a new batch. The lock comes first, the number after it.
CREATE FUNCTION seedcore_new_batch() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM seedcore_lock_events();
  RETURN nextval('task_event_seq');
END $$;

CREATE FUNCTION seedcore_event_bound() RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
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

CREATE FUNCTION seedcore_events_after(p_after bigint, p_limit integer)
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

}  // namespace seedcore::store::postgres::schema

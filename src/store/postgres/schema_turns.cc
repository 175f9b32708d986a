#include "store/postgres/schema.h"
#include "store/postgres/schema_rewrite.h"

namespace seedcore::store::postgres {

// tasks.turn is the order of claiming (store/turn.h explains the numbers): null until the task can run for the first
// time. queue_flow holds the last turn given to each flow, queue_clock how far the claims of a type have come; the type
// '' stands for claims of all types.
//
// Nobody ever waits for a row of these two tables. Who finds one locked goes by what was committed last and leaves no
// trace: tasks that two transactions submit to one flow at the same time may get equal turns, and then go by age. New
// rows are written under an advisory lock, of 64 for each table, that is only tried.
const char kSchemaTurns[] = R"sql(
ALTER TABLE tasks ADD COLUMN turn BIGINT;

CREATE TABLE queue_flow (
  type      TEXT NOT NULL,
  domain    TEXT NOT NULL,
  priority  INTEGER NOT NULL,
  last_turn BIGINT NOT NULL,
  PRIMARY KEY (type, domain, priority)
) WITH (fillfactor = 50);

CREATE TABLE queue_clock (
  type TEXT PRIMARY KEY,
  turn BIGINT NOT NULL
) WITH (fillfactor = 50);

-- What waits already keeps its order by priority and age within a flow.
UPDATE tasks t SET turn = given.turn FROM (
  SELECT w.seq, (10 - w.priority)::bigint * 1000000 +
    (row_number() OVER (PARTITION BY p.type, p.domain, w.priority ORDER BY w.seq) - 1) * 1000 AS turn
  FROM tasks w JOIN task_payload p ON p.seq = w.seq
  WHERE w.finished_at IS NULL AND (w.runnable IN (1, 4) OR w.attempts > 0)) given
WHERE t.seq = given.seq;
INSERT INTO queue_flow (type, domain, priority, last_turn)
  SELECT p.type, p.domain, t.priority, max(t.turn) FROM tasks t JOIN task_payload p ON p.seq = t.seq
  WHERE t.turn IS NOT NULL GROUP BY p.type, p.domain, t.priority;

DROP INDEX idx_tasks_claim, idx_tasks_claim_type, idx_tasks_parked;
CREATE INDEX idx_tasks_claim ON tasks (turn, seq) WHERE runnable = 1;
CREATE INDEX idx_tasks_claim_type ON tasks (type, turn, seq) WHERE runnable = 1;
CREATE INDEX idx_tasks_ready ON tasks (seq) WHERE runnable = 1;      -- the oldest that can run
CREATE INDEX idx_tasks_parked ON tasks (concurrency_key, turn, seq) WHERE runnable = 4;
)sql";

const char kSchemaTurnFunctions[] =
    R"sql(
-- The first of p_n turns, one step apart.
CREATE FUNCTION seedcore_take_turns(p_type text, p_domain text, p_priority integer, p_n bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_first bigint;
  v_last  bigint;
  v_alone boolean := current_setting('transaction_isolation') = 'read committed';
BEGIN
  SELECT coalesce(max(turn), 0) + (10 - p_priority)::bigint * 1000000 INTO v_first
    FROM queue_clock WHERE type IN ('', p_type);
  IF v_alone THEN
    SELECT last_turn INTO v_last FROM queue_flow
      WHERE type = p_type AND domain = p_domain AND priority = p_priority FOR UPDATE SKIP LOCKED;
    IF FOUND THEN
      v_first := greatest(v_first, v_last + 1000);
      UPDATE queue_flow SET last_turn = v_first + (p_n - 1) * 1000
        WHERE type = p_type AND domain = p_domain AND priority = p_priority;
      RETURN v_first;
    END IF;
  END IF;
  SELECT last_turn INTO v_last FROM queue_flow WHERE type = p_type AND domain = p_domain AND priority = p_priority;
  IF FOUND THEN
    RETURN greatest(v_first, v_last + 1000);
  END IF;
  IF v_alone AND pg_try_advisory_xact_lock(24304, hashtext(p_type || '/' || p_domain) & 63) THEN
    INSERT INTO queue_flow (type, domain, priority, last_turn)
      VALUES (p_type, p_domain, p_priority, v_first + (p_n - 1) * 1000) ON CONFLICT DO NOTHING;
  END IF;
  RETURN v_first;
END $$;

-- A claim of p_types ({''}: of all) has come as far as p_reached with its p_claimed tasks.
CREATE FUNCTION seedcore_move_clocks(p_types text[], p_reached bigint, p_claimed bigint) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  v_type text;
  v_turn bigint;
BEGIN
  IF p_claimed = 0 THEN
    RETURN;
  END IF;
  FOREACH v_type IN ARRAY p_types LOOP
    SELECT turn INTO v_turn FROM queue_clock WHERE type = v_type FOR UPDATE SKIP LOCKED;
    IF FOUND THEN
      UPDATE queue_clock SET turn = greatest(p_reached, v_turn + p_claimed) WHERE type = v_type;
    ELSIF pg_try_advisory_xact_lock(24305, hashtext(v_type) & 63) THEN
      INSERT INTO queue_clock (type, turn) VALUES (v_type, p_reached) ON CONFLICT DO NOTHING;
    END IF;
  END LOOP;
END $$;

-- Whatever makes a task able to run gives it its turn; what is queued anew by hand takes a new one.
CREATE FUNCTION tasks_take_turn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.turn := NULL;
  IF NEW.runnable = 1 THEN
    NEW.turn := seedcore_take_turns(
      NEW.type, coalesce((SELECT domain FROM task_payload WHERE seq = NEW.seq), ''), NEW.priority, 1);
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER tasks_turn_insert BEFORE INSERT ON tasks FOR EACH ROW
  WHEN (NEW.runnable = 1 AND NEW.turn IS NULL) EXECUTE FUNCTION tasks_take_turn();
CREATE TRIGGER tasks_turn_update BEFORE UPDATE OF runnable ON tasks FOR EACH ROW
  WHEN ((NEW.runnable = 1 AND NEW.turn IS NULL) OR
        (NEW.status = 'queued' AND OLD.status IN ('created', 'failed', 'cancelled')))
  EXECUTE FUNCTION tasks_take_turn();

-- Parked tasks are let out by turn; nothing else of the function changes.
)sql" SEEDCORE_PG_REWRITE_BEGIN
    R"sql(    ('tasks_counted', 'ORDER BY priority DESC, seq LIMIT v_n', 'ORDER BY turn, seq LIMIT v_n')
)sql" SEEDCORE_PG_REWRITE_END;

}  // namespace seedcore::store::postgres

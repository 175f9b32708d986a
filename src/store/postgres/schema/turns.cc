#include "store/postgres/schema/schema.h"

namespace seedcore::store::postgres::schema {

// tasks.turn is the order of claiming (store/turn.h explains the numbers): null until the task can run for the first
// time. queue_flow holds the last turn given to each flow, queue_clock how far the claims of a type have come; the type
// '' stands for claims of all types.
//
// Nobody ever waits for a row of these two tables. Who finds one locked goes by what was committed last and leaves no
// trace: tasks that two transactions submit to one flow at the same time may get equal turns, and then go by age. New
// rows are written under an advisory lock, of 64 for each table, that is only tried: to insert beside a row that
// another transaction has changed would be to wait for that transaction.
const char kTurns[] = R"sql(
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
    ELSIF NOT EXISTS (SELECT 1 FROM queue_clock WHERE type = v_type)
          AND pg_try_advisory_xact_lock(24305, hashtext(v_type) & 63) THEN
      INSERT INTO queue_clock (type, turn) VALUES (v_type, p_reached) ON CONFLICT DO NOTHING;
    END IF;
  END LOOP;
END $$;

-- A row that is inserted has its turn at once. What comes later gives turns for all tasks of a statement (places.cc).
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
)sql";

}  // namespace seedcore::store::postgres::schema

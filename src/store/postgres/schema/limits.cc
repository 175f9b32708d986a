#include "store/postgres/schema/schema.h"

namespace seedcore::store::postgres::schema {

// How many tasks of a type or a concurrency key may run at a time, and how many may start in an interval. A task whose
// key has no room is parked (runnable 4): it is in no line, so a key with a long backlog makes no claim slower. Parked
// tasks are let out as running tasks of their key end; the reaper looks after keys whose trigger could not let out the
// right one.
const char kLimits[] = R"sql(
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

-- A task of each of these keys runs no longer, one for each time that a key is named, which makes room for others that
-- wait for it. Whoever parks a task holds the lock on its key, so it has either seen us go, or we see what it parked.
-- Whoever sets the first limit by key waits until those who saw none have ended (queue_store.cc).
CREATE FUNCTION seedcore_leave_keys(p_keys text[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
  v_key text;
  v_n   bigint;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(24307, 0);
  IF NOT EXISTS (SELECT 1 FROM queue_limit WHERE scope = 'key') THEN
    RETURN;
  END IF;
  FOR v_key, v_n IN
    SELECT k, count(*) FROM unnest(p_keys) AS g (k) GROUP BY k ORDER BY hashtext(k), k
  LOOP
    PERFORM pg_advisory_xact_lock(24302, hashtext(v_key));
    UPDATE tasks SET runnable = 1 WHERE seq IN (
      SELECT seq FROM tasks WHERE waits_as = 4 AND concurrency_key = v_key ORDER BY turn, seq LIMIT v_n
      FOR UPDATE SKIP LOCKED);
  END LOOP;
END $$;
)sql";

}  // namespace seedcore::store::postgres::schema

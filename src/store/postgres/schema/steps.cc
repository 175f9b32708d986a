#include "store/postgres/schema/schema.h"

namespace seedcore::store::postgres::schema {

// The steps of tasks that have any. A trigger deletes them with their task.
const char kSteps[] = R"sql(
CREATE TABLE task_step (
  task_seq      BIGINT NOT NULL,
  number        INTEGER NOT NULL,
  attempt       INTEGER NOT NULL,
  round         INTEGER NOT NULL,
  fencing_token BIGINT NOT NULL,                 -- of the claim that wrote it last
  started_at    TIMESTAMPTZ,
  finished_at   TIMESTAMPTZ,
  wait_until    TIMESTAMPTZ,
  name          TEXT NOT NULL,
  status        TEXT NOT NULL
                CHECK (status IN ('pending', 'running', 'waiting', 'completed', 'failed', 'skipped')),
  plan_hash     TEXT NOT NULL,
  error         TEXT,
  error_code    TEXT,
  depends_on    JSON NOT NULL,                   -- array of names
  spec          JSON NOT NULL,                   -- object: what it does
  plan_note     JSON,                            -- object about the whole plan; at step 0 alone
  result        JSON,
  PRIMARY KEY (task_seq, number)
);
CREATE UNIQUE INDEX idx_task_step_name ON task_step (task_seq, name);
CREATE INDEX idx_task_step_wait ON task_step (wait_until) WHERE status = 'waiting';

CREATE FUNCTION task_steps_deleted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM task_step s USING gone g WHERE s.task_seq = g.seq;
  RETURN NULL;
END $$;
CREATE TRIGGER task_steps_deleted AFTER DELETE ON tasks REFERENCING OLD TABLE AS gone
  FOR EACH STATEMENT EXECUTE FUNCTION task_steps_deleted();
)sql";

}  // namespace seedcore::store::postgres::schema

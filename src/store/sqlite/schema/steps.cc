#include "store/sqlite/schema/schema.h"

namespace seedcore::store::sqlite::schema {

// The steps of tasks that have any. Deleted with their task.
const char kSteps[] = R"sql(
CREATE TABLE task_step (
  task_seq      INTEGER NOT NULL REFERENCES tasks (seq) ON DELETE CASCADE,
  number        INTEGER NOT NULL,
  name          TEXT NOT NULL,
  depends_on    TEXT NOT NULL,               -- JSON array of names
  spec          TEXT NOT NULL,               -- JSON object: what it does
  plan_hash     TEXT NOT NULL,
  plan_note     TEXT,                        -- JSON object about the whole plan; at step 0 alone
  status        TEXT NOT NULL
                CHECK (status = 'pending' OR status = 'running' OR status = 'waiting' OR status = 'completed' OR
                       status = 'failed' OR status = 'skipped'),
  attempt       INTEGER NOT NULL,
  round         INTEGER NOT NULL,
  result        TEXT,
  error         TEXT,
  error_code    TEXT,
  started_at    INTEGER,
  finished_at   INTEGER,
  wait_until    INTEGER,
  fencing_token INTEGER NOT NULL,            -- of the claim that wrote it last
  PRIMARY KEY (task_seq, number)
);
CREATE UNIQUE INDEX idx_task_step_name ON task_step (task_seq, name);
CREATE INDEX idx_task_step_wait ON task_step (wait_until) WHERE status = 'waiting';
)sql";

}  // namespace seedcore::store::sqlite::schema

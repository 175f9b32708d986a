#include "store/sqlite/schema.h"

namespace seedcore::store::sqlite {

// A fourth value of tasks.runnable, 4: parked, because tasks of its concurrency key hold all its room. Parked tasks are
// in no claim index, so a key with a long backlog makes no claim slower. One is let out whenever a running task of its
// key ends, by the trigger; the reaper looks after keys whose trigger could not let out the right one.
const char kSchemaDispatch[] = R"sql(
ALTER TABLE tasks ADD COLUMN concurrency_key TEXT;
ALTER TABLE tasks ADD COLUMN unique_key TEXT;
ALTER TABLE tasks ADD COLUMN unique_until INTEGER;   -- the unique key is taken until then, finished or not

CREATE INDEX idx_tasks_running_key ON tasks (concurrency_key)
  WHERE status = 'running' AND concurrency_key IS NOT NULL;
CREATE INDEX idx_tasks_parked ON tasks (concurrency_key, priority DESC) WHERE runnable = 4;
CREATE UNIQUE INDEX idx_tasks_unique_live ON tasks (unique_key) WHERE unique_key IS NOT NULL AND finished_at IS NULL;
CREATE INDEX idx_tasks_unique_until ON tasks (unique_key, unique_until) WHERE unique_until IS NOT NULL;

CREATE TABLE queue_limit (
  scope       TEXT NOT NULL CHECK (scope IN ('type', 'key')),
  name        TEXT NOT NULL,
  max_running INTEGER,
  rate_tasks  INTEGER,
  interval_ms INTEGER,
  burst       INTEGER,
  tokens      REAL NOT NULL,                         -- in the bucket at tokens_at
  tokens_at   INTEGER NOT NULL,
  PRIMARY KEY (scope, name)
) WITHOUT ROWID;

CREATE TABLE queue_pause (
  type      TEXT PRIMARY KEY,
  reason    TEXT NOT NULL,
  paused_at INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TRIGGER tasks_room_of_key AFTER UPDATE OF status ON tasks
WHEN OLD.concurrency_key IS NOT NULL AND OLD.status = 'running' AND NEW.status <> 'running'
BEGIN
  UPDATE tasks SET runnable = 1 WHERE seq =
    (SELECT seq FROM tasks WHERE runnable = 4 AND concurrency_key = OLD.concurrency_key
     ORDER BY priority DESC, seq LIMIT 1);
END;
)sql";

}  // namespace seedcore::store::sqlite

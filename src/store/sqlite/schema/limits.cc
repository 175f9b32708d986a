#include "store/sqlite/schema/schema.h"

namespace seedcore::store::sqlite::schema {

// How many tasks of a type or a concurrency key may run at a time, and how many may start in an interval. A task whose
// key has no room is parked (runnable 4): it is in no claim index, so a key with a long backlog makes no claim slower.
// One is let out whenever a running task of its key ends, by the trigger; the reaper looks after keys whose trigger
// could not let out the right one.
const char kLimits[] = R"sql(
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
    (SELECT seq FROM tasks WHERE runnable = 4 AND concurrency_key = OLD.concurrency_key ORDER BY turn, seq LIMIT 1);
END;
)sql";

}  // namespace seedcore::store::sqlite::schema

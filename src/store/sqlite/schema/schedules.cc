#include "store/sqlite/schema/schema.h"

namespace seedcore::store::sqlite::schema {

const char kSchedules[] = R"sql(
CREATE TABLE schedule (
  name         TEXT PRIMARY KEY,
  cron         TEXT,                                 -- NULL: every_ms
  time_zone    TEXT NOT NULL,
  every_ms     INTEGER,
  task         TEXT NOT NULL,                        -- JSON
  catch_up     TEXT NOT NULL CHECK (catch_up IN ('skip', 'one', 'all')),
  max_catch_up INTEGER NOT NULL,
  overlap      TEXT NOT NULL CHECK (overlap IN ('allow', 'skip')),
  next_run_at  INTEGER,                              -- NULL: paused
  last_run_at  INTEGER,
  last_task_id TEXT,
  last_error   TEXT,
  revision     INTEGER NOT NULL,
  created_at   INTEGER NOT NULL,
  updated_at   INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX idx_schedule_next ON schedule (next_run_at) WHERE next_run_at IS NOT NULL;
)sql";

}  // namespace seedcore::store::sqlite::schema

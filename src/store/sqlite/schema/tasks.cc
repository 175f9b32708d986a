#include "store/sqlite/schema/schema.h"

namespace seedcore::store::sqlite::schema {

// `tasks` holds what changes while a task lives, in rows narrow enough that a batch of claims touches few pages; what
// never changes (task_payload) and what comes once (task_result) lie beside it, so that renewing a lease rewrites no
// megabytes.
//
// `runnable`: 0 not to be claimed, 1 claimable now, 2 at run_after, 3 when its dependencies are met, 4 parked, because
// tasks of its concurrency key hold all its room (limits.cc). The claim indexes hold the rows with 1 alone, so that
// neither finished nor waiting tasks make a claim slower. `seq` is the order of creation.
const char kTasks[] = R"sql(
CREATE TABLE tasks (
  seq              INTEGER PRIMARY KEY,
  id               TEXT NOT NULL UNIQUE,
  type             TEXT NOT NULL,
  domain           TEXT NOT NULL,
  status           TEXT NOT NULL
                   CHECK (status = 'created' OR status = 'queued' OR status = 'running' OR status = 'completed' OR
                          status = 'failed' OR status = 'cancelled' OR status = 'retry'),
  runnable         INTEGER NOT NULL,
  blockers         INTEGER NOT NULL DEFAULT 0,  -- dependencies not yet completed
  priority         INTEGER NOT NULL,
  attempts         INTEGER NOT NULL DEFAULT 0,
  fencing_token    INTEGER NOT NULL DEFAULT 0,
  cancel_requested INTEGER NOT NULL DEFAULT 0,
  dead_letter      INTEGER NOT NULL DEFAULT 0,
  max_attempts     INTEGER NOT NULL,
  retry_base_ms    INTEGER NOT NULL,
  retry_max_ms     INTEGER NOT NULL,
  drift_score      REAL NOT NULL,
  created_at       INTEGER NOT NULL,
  updated_at       INTEGER NOT NULL,
  run_after        INTEGER,
  deadline         INTEGER,
  started_at       INTEGER,
  finished_at      INTEGER,                     -- set exactly while the status is terminal
  lease_expires_at INTEGER,
  owner_id         TEXT,
  error            TEXT,
  error_code       TEXT,
  hold_reason      TEXT,
  concurrency_key  TEXT,
  unique_key       TEXT,
  unique_until     INTEGER,                     -- the unique key is taken until then, finished or not
  turn             INTEGER                      -- turns.cc; null until the task can run for the first time
);
CREATE INDEX idx_tasks_claim ON tasks (turn) WHERE runnable = 1;
CREATE INDEX idx_tasks_claim_type ON tasks (type, turn) WHERE runnable = 1;
CREATE INDEX idx_tasks_ready ON tasks (seq) WHERE runnable = 1;  -- the oldest that can run
CREATE INDEX idx_tasks_parked ON tasks (concurrency_key, turn) WHERE runnable = 4;
CREATE INDEX idx_tasks_running_key ON tasks (concurrency_key)
  WHERE status = 'running' AND concurrency_key IS NOT NULL;
CREATE INDEX idx_tasks_run_after ON tasks (run_after) WHERE runnable = 2;
CREATE INDEX idx_tasks_lease_expires_at ON tasks (lease_expires_at) WHERE status = 'running';
CREATE INDEX idx_tasks_deadline ON tasks (deadline) WHERE deadline IS NOT NULL AND finished_at IS NULL;
CREATE INDEX idx_tasks_finished_at ON tasks (finished_at) WHERE finished_at IS NOT NULL;
CREATE INDEX idx_tasks_status ON tasks (status)
  WHERE status <> 'queued' AND status <> 'running' AND status <> 'completed';
CREATE INDEX idx_tasks_dead_letter ON tasks (dead_letter) WHERE dead_letter = 1;
CREATE UNIQUE INDEX idx_tasks_unique_live ON tasks (unique_key) WHERE unique_key IS NOT NULL AND finished_at IS NULL;
CREATE INDEX idx_tasks_unique_until ON tasks (unique_key, unique_until) WHERE unique_until IS NOT NULL;
CREATE INDEX idx_tasks_type ON tasks (type);
CREATE INDEX idx_tasks_domain ON tasks (domain) WHERE domain <> '';

CREATE TABLE task_payload (
  seq             INTEGER PRIMARY KEY REFERENCES tasks (seq) ON DELETE CASCADE,
  description     TEXT NOT NULL,
  params          TEXT NOT NULL,
  depends_on      TEXT,                         -- JSON array of ids, as submitted
  traceparent     TEXT,
  idempotency_key TEXT,
  content_hash    INTEGER                       -- of what was submitted; only beside an idempotency key
);
CREATE UNIQUE INDEX idx_tasks_idempotency_key ON task_payload (idempotency_key) WHERE idempotency_key IS NOT NULL;

CREATE TABLE task_result (
  seq    INTEGER PRIMARY KEY REFERENCES tasks (seq) ON DELETE CASCADE,
  result TEXT NOT NULL
);

-- src_task_id runs after dst_task_id.
CREATE TABLE task_depends_on_task (
  src_task_id TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
  dst_task_id TEXT NOT NULL REFERENCES tasks (id) ON DELETE CASCADE,
  PRIMARY KEY (src_task_id, dst_task_id)
) WITHOUT ROWID;
CREATE INDEX idx_task_depends_on_task_dst ON task_depends_on_task (dst_task_id);

-- How many tasks are in each state; kept by every transaction that moves one.
CREATE TABLE task_count (
  status TEXT PRIMARY KEY,
  n      INTEGER NOT NULL
) WITHOUT ROWID;
INSERT INTO task_count VALUES ('created', 0), ('queued', 0), ('running', 0), ('completed', 0), ('failed', 0),
  ('cancelled', 0), ('retry', 0);

-- AUTOINCREMENT: a reader's cursor stays valid when retention empties the table.
CREATE TABLE task_event (
  seq           INTEGER PRIMARY KEY AUTOINCREMENT,
  task_seq      INTEGER NOT NULL,
  at            INTEGER NOT NULL,
  kind          TEXT NOT NULL,
  status        TEXT NOT NULL,
  attempt       INTEGER NOT NULL,
  fencing_token INTEGER NOT NULL,
  owner_id      TEXT,
  detail        TEXT
);
CREATE INDEX idx_task_event_task ON task_event (task_seq);

-- In PostgreSQL the history is in two tables, and this view shows them as one. Here it is one, under the same name.
CREATE VIEW task_history AS
  SELECT seq, task_seq, at, fencing_token, status, attempt, kind, owner_id, detail FROM task_event;

-- Of the progress of a task its history keeps the newest report alone. It lives as long as the task: retention deletes a
-- finished task first, and its events after it.
CREATE TRIGGER task_event_no_update BEFORE UPDATE ON task_event
BEGIN
  SELECT RAISE (ABORT, 'task_event is append-only');
END;
CREATE TRIGGER task_event_no_delete BEFORE DELETE ON task_event
WHEN OLD.kind <> 'progress' AND EXISTS (SELECT 1 FROM tasks WHERE seq = OLD.task_seq)
BEGIN
  SELECT RAISE (ABORT, 'task_event is append-only while its task exists');
END;
CREATE TRIGGER tasks_no_delete BEFORE DELETE ON tasks WHEN OLD.finished_at IS NULL
BEGIN
  SELECT RAISE (ABORT, 'an unfinished task is never deleted');
END;
)sql";

}  // namespace seedcore::store::sqlite::schema

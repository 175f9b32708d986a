#include "store/sqlite/schema.h"

namespace seedcore::store::sqlite {

// tasks.turn is the order of claiming (store/turn.h explains the numbers): null until the task can run for the first
// time. queue_flow holds the last turn given to each flow, queue_clock how far the claims of a type have come; the type
// '' stands for claims of all types.
const char kSchemaTurns[] = R"sql(
ALTER TABLE tasks ADD COLUMN turn INTEGER;

CREATE TABLE queue_flow (
  type      TEXT NOT NULL,
  domain    TEXT NOT NULL,
  priority  INTEGER NOT NULL,
  last_turn INTEGER NOT NULL,
  PRIMARY KEY (type, domain, priority)
) WITHOUT ROWID;

CREATE TABLE queue_clock (
  type TEXT PRIMARY KEY,
  turn INTEGER NOT NULL
) WITHOUT ROWID;

-- What waits already keeps its order by priority and age within a flow.
UPDATE tasks SET turn = given.turn FROM (
  SELECT seq, (10 - priority) * 1000000 +
    (row_number() OVER (PARTITION BY type, domain, priority ORDER BY seq) - 1) * 1000 AS turn
  FROM tasks WHERE finished_at IS NULL AND (runnable IN (1, 4) OR attempts > 0)) AS given
WHERE tasks.seq = given.seq;
INSERT INTO queue_flow (type, domain, priority, last_turn)
  SELECT type, domain, priority, max(turn) FROM tasks WHERE turn IS NOT NULL GROUP BY type, domain, priority;

DROP INDEX idx_tasks_claim;
DROP INDEX idx_tasks_claim_type;
DROP INDEX idx_tasks_parked;
CREATE INDEX idx_tasks_claim ON tasks (turn) WHERE runnable = 1;
CREATE INDEX idx_tasks_claim_type ON tasks (type, turn) WHERE runnable = 1;
CREATE INDEX idx_tasks_ready ON tasks (seq) WHERE runnable = 1;  -- the oldest that can run
CREATE INDEX idx_tasks_parked ON tasks (concurrency_key, turn) WHERE runnable = 4;

DROP TRIGGER tasks_room_of_key;
CREATE TRIGGER tasks_room_of_key AFTER UPDATE OF status ON tasks
WHEN OLD.concurrency_key IS NOT NULL AND OLD.status = 'running' AND NEW.status <> 'running'
BEGIN
  UPDATE tasks SET runnable = 1 WHERE seq =
    (SELECT seq FROM tasks WHERE runnable = 4 AND concurrency_key = OLD.concurrency_key ORDER BY turn, seq LIMIT 1);
END;

CREATE TRIGGER tasks_turn_insert AFTER INSERT ON tasks WHEN NEW.runnable = 1 AND NEW.turn IS NULL
BEGIN
  INSERT INTO queue_flow (type, domain, priority, last_turn)
    VALUES (NEW.type, NEW.domain, NEW.priority, (10 - NEW.priority) * 1000000 +
      (SELECT coalesce(max(turn), 0) FROM queue_clock WHERE type IN ('', NEW.type)))
    ON CONFLICT (type, domain, priority) DO UPDATE SET last_turn = max(excluded.last_turn, last_turn + 1000);
  UPDATE tasks SET turn = (SELECT last_turn FROM queue_flow
                           WHERE type = NEW.type AND domain = NEW.domain AND priority = NEW.priority)
    WHERE seq = NEW.seq;
END;
CREATE TRIGGER tasks_turn_update AFTER UPDATE OF runnable ON tasks WHEN NEW.runnable = 1 AND NEW.turn IS NULL
BEGIN
  INSERT INTO queue_flow (type, domain, priority, last_turn)
    VALUES (NEW.type, NEW.domain, NEW.priority, (10 - NEW.priority) * 1000000 +
      (SELECT coalesce(max(turn), 0) FROM queue_clock WHERE type IN ('', NEW.type)))
    ON CONFLICT (type, domain, priority) DO UPDATE SET last_turn = max(excluded.last_turn, last_turn + 1000);
  UPDATE tasks SET turn = (SELECT last_turn FROM queue_flow
                           WHERE type = NEW.type AND domain = NEW.domain AND priority = NEW.priority)
    WHERE seq = NEW.seq;
END;
)sql";

}  // namespace seedcore::store::sqlite

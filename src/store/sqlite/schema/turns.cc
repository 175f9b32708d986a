#include "store/sqlite/schema/schema.h"

namespace seedcore::store::sqlite::schema {

// tasks.turn is the order of claiming (store/turn.h explains the numbers): null until the task can run for the first
// time. queue_flow holds the last turn given to each flow, queue_clock how far the claims of a type have come; the type
// '' stands for claims of all types.
const char kTurns[] = R"sql(
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

}  // namespace seedcore::store::sqlite::schema

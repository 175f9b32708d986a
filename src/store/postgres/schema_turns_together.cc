#include "store/postgres/schema.h"

namespace seedcore::store::postgres {

// Turns are given after a statement, to all tasks at once that it made able to run. A trigger for each row, which they
// had before, locks every row that a claim or a finish changes once more, whether there is anything to do or not.
const char kSchemaTurnsTogether[] = R"sql(
DROP TRIGGER tasks_turn_update ON tasks;

-- Whatever makes a task able to run for the first time gives it its turn; what is queued anew by hand takes a new one.
CREATE FUNCTION tasks_take_turns() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT EXISTS (SELECT 1 FROM new_tasks WHERE runnable = 1 AND turn IS NULL)
     AND NOT EXISTS (SELECT 1 FROM old_tasks WHERE status IN ('created', 'failed', 'cancelled')) THEN
    RETURN NULL;
  END IF;
  WITH due AS (
    SELECT n.seq, n.runnable = 1 AS ready, n.type, coalesce(p.domain, '') AS domain, n.priority
    FROM new_tasks n LEFT JOIN task_payload p ON p.seq = n.seq
    WHERE (n.runnable = 1 AND n.turn IS NULL) OR (n.status = 'queued' AND n.seq IN (
      SELECT o.seq FROM old_tasks o WHERE o.status IN ('created', 'failed', 'cancelled')))),
  placed AS MATERIALIZED (
    SELECT *, row_number() OVER flow AS place, count(*) OVER (PARTITION BY ready, type, domain, priority) AS places
    FROM due WINDOW flow AS (PARTITION BY ready, type, domain, priority ORDER BY seq)),
  begun AS MATERIALIZED (
    SELECT *, CASE WHEN ready AND place = 1 THEN seedcore_take_turns(type, domain, priority, places) END AS first
    FROM placed),
  given AS MATERIALIZED (
    SELECT seq, max(first) OVER (PARTITION BY ready, type, domain, priority) + (place - 1) * 1000 AS turn FROM begun)
  UPDATE tasks t SET turn = g.turn FROM given g WHERE t.seq = g.seq;
  RETURN NULL;
END $$;
CREATE TRIGGER tasks_turns_update AFTER UPDATE ON tasks REFERENCING OLD TABLE AS old_tasks NEW TABLE AS new_tasks
  FOR EACH STATEMENT EXECUTE FUNCTION tasks_take_turns();
)sql";

}  // namespace seedcore::store::postgres

"""Whether a claim stays as fast as the tables grow: SeedCore on PostgreSQL. The rows are copies of a queued and of a finished
task that the store itself has written, whatever columns its schema gives them."""

from __future__ import annotations

import json
import statistics
import threading

from suite.process import BenchError, run_bounded

from harness.measure import Bed
from harness.systems import Instance, System, run_sql
from harness.workers import run_clients

CLAIMS = 300
BATCH = 32

# Rows after {second} to {all} of one table, those up to {done} as row {first} (finished), the rest as row {second} (queued).
# Times lie a millisecond apart and turns one step. Triggers are off: they would count each row, and tell of each event.
COPY_ROWS = """
SET session_replication_role = replica; SET synchronous_commit = off;
DO $fill$
DECLARE
  v_names text;
  v_values text;
BEGIN
  SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum), string_agg(CASE
      WHEN a.attname = '{key}' THEN 'n.i'
      WHEN a.attname = 'id' THEN 'lpad(to_hex(n.i), 32, ''0'')::uuid'
      WHEN a.attname = 'turn' THEN 'm.turn + (n.i - m.seq) * 1000'
      WHEN a.atttypid = 'timestamptz'::regtype THEN
        format('m.%I + make_interval(secs => (n.i - {all}) / 1000.0)', a.attname)
      ELSE format('m.%I', a.attname) END, ', ' ORDER BY a.attnum)
    INTO v_names, v_values
    FROM pg_attribute a
    WHERE a.attname NOT IN ('submit_event', 'claim_event', 'end_event') AND a.attrelid = '{table}'::regclass AND a.attnum > 0
      AND NOT a.attisdropped AND a.attgenerated = ''
      AND (a.attname = '{key}' OR a.attname <> 'seq');
  EXECUTE format('INSERT INTO {table} (%s) SELECT %s FROM generate_series({second}::bigint + 1, {all}) n (i) '
    'JOIN {table} m ON m.{key} = CASE WHEN n.i <= {done} THEN {first} ELSE {second} END ORDER BY n.i', v_names, v_values);
END $fill$
"""
# What is not part of a constraint is built after the rows.
DROP_INDEXES = """
CREATE TABLE bench_index AS SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
  FROM pg_index WHERE indrelid IN ('tasks'::regclass, 'task_payload'::regclass, 'task_event'::regclass)
    AND NOT EXISTS (SELECT 1 FROM pg_constraint c WHERE c.conindid = indexrelid);
DO $drop$ DECLARE v record; BEGIN
  FOR v IN SELECT name FROM bench_index LOOP EXECUTE 'DROP INDEX ' || v.name; END LOOP;
END $drop$
"""
FINISH = """
SET maintenance_work_mem = '256MB';
DO $make$ DECLARE v record; BEGIN
  FOR v IN SELECT definition FROM bench_index LOOP EXECUTE v.definition; END LOOP;
  UPDATE queue_flow SET last_turn = (SELECT max(turn) FROM tasks);
END $make$;
DROP TABLE bench_index;
DELETE FROM ready_batch;
DELETE FROM task_ready;
INSERT INTO task_ready (seq, turn, type) SELECT seq, turn, type FROM tasks WHERE runnable = 1 ORDER BY seq;
DELETE FROM finished_batch;
INSERT INTO finished_batch (finished_at, seqs)
  SELECT min(finished_at), array_agg(seq) FROM (
    SELECT seq, finished_at, row_number() OVER (ORDER BY seq) / 960 AS part FROM tasks WHERE finished_at IS NOT NULL) f
  GROUP BY part ORDER BY part;
DELETE FROM task_count;
INSERT INTO task_count (status, shard, n) SELECT status, 0, count(*) FROM tasks GROUP BY status;
SELECT setval(pg_get_serial_sequence('tasks', 'seq'), {all});
VACUUM ANALYZE;
CHECKPOINT
"""
# The history of the two tasks that are copied, as the store keeps it for single ones: a row for each event.
HISTORY = """
INSERT INTO task_event (seq, task_seq, at, fencing_token, status, attempt, kind, owner_id, detail)
  SELECT seq, task_seq, at, fencing_token, status, attempt, kind, owner_id, detail FROM task_history
  WHERE seq NOT IN (SELECT seq FROM task_event);
UPDATE task_payload SET submit_event = NULL;
UPDATE tasks SET claim_event = NULL, end_event = NULL;
ALTER TABLE task_event_batch DISABLE TRIGGER USER;
TRUNCATE task_event_batch;
ALTER TABLE task_event_batch ENABLE TRIGGER USER
"""


def claim_us(queue: Instance, count: int, batch: int) -> list[float]:
    output = run_bounded([*queue.program.command, "claim", "--count", str(count), "--batch", str(batch)], 600)
    times: list[float] = json.loads(output.strip().splitlines()[-1])["claim_us"]
    return times


def fill_store(queue: Instance, queued: int, finished: int) -> None:
    """`queued` tasks to claim after `finished` ones, in an empty store."""
    run_clients(queue.program, [["fill", "--count", "2", "--batch", "2"]], 60)
    claim_us(queue, 1, 1)  # ends the first
    assert queue.session is not None  # that of a queue on PostgreSQL
    first, second = (int(queue.session.value(f"SELECT {which}(seq) FROM tasks")) for which in ("min", "max"))
    numbers = {"first": first, "second": second, "done": second + finished, "all": second + finished + queued}
    run_sql(queue.dsn, HISTORY)
    run_sql(queue.dsn, DROP_INDEXES)
    failures: list[str] = []

    def copy(table: str, key: str) -> None:
        try:
            run_sql(queue.dsn, COPY_ROWS.format(table=table, key=key, **numbers))
        except BenchError as error:
            failures.append(str(error))

    threads = [
        threading.Thread(target=copy, args=words)
        for words in (("tasks", "seq"), ("task_payload", "seq"), ("task_event", "task_seq"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise BenchError(failures[0])
    run_sql(queue.dsn, FINISH.format(**numbers))


def measure_claims(bed: Bed, system: System, queued: int, finished: int, rounds: int) -> dict[str, float]:
    """Medians of one claim in microseconds, in a store with only the rows to claim and in a large one, in turns."""
    claimed = CLAIMS * BATCH * rounds
    small: list[float] = []
    large: list[float] = []
    with bed.queue(system) as empty, bed.queue(system) as full:
        fill_store(empty, claimed, 0)
        fill_store(full, claimed + queued, finished)
        for _ in range(rounds):
            small += claim_us(empty, CLAIMS, BATCH)
            large += claim_us(full, CLAIMS, BATCH)
    few, many = statistics.median(small), statistics.median(large)
    return {"small_us": few, "large_us": many, "ratio": many / few}

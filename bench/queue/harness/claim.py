"""Whether a claim stays as fast as the tables grow: SeedCore on PostgreSQL, rows as the store would have written them."""

from __future__ import annotations

import json
import statistics

from suite.process import run_bounded

from harness.measure import Bed
from harness.systems import Instance, System, run_sql

CLAIMS = 300
BATCH = 32

# %(queued)s and %(finished)s rows; finished ones have the smaller numbers. Triggers are off: they would count each row.
FILL = """
SET session_replication_role = replica;
INSERT INTO tasks (seq, id, created_at, updated_at, retry_base_ms, retry_max_ms, status, runnable, priority, max_attempts,
    type, attempts, fencing_token, finished_at)
  SELECT i, lpad(to_hex(i), 32, '0')::uuid, t, t, 10000, 300000,
    (CASE WHEN done THEN 'completed' ELSE 'queued' END)::taskstatus, (NOT done)::int, 5, 3, 'bench', done::int, done::int,
    CASE WHEN done THEN t END
  FROM (SELECT i, i <= %(finished)s AS done, now() - make_interval(secs => (%(all)s - i) / 1000.0) AS t
        FROM generate_series(1, %(all)s) i) n;
INSERT INTO task_payload (seq, type, domain, description, params)
  SELECT seq, type, '', 'bench', '{"series": "nyc_taxi", "window": 48}' FROM tasks;
INSERT INTO task_result (seq, result) SELECT seq, '{"success": true}' FROM tasks WHERE finished_at IS NOT NULL;
INSERT INTO task_event (task_seq, at, kind, status, attempt, fencing_token)
  SELECT seq, created_at, kind, status, attempts, fencing_token
  FROM tasks CROSS JOIN (VALUES ('submitted'), ('claimed'), ('completed')) k (kind)
  WHERE kind = 'submitted' OR finished_at IS NOT NULL;
SELECT setval('tasks_seq_seq', %(all)s);
VACUUM ANALYZE;
CHECKPOINT
"""


def claim_us(queue: Instance) -> list[float]:
    output = run_bounded([*queue.program.command, "claim", "--count", str(CLAIMS), "--batch", str(BATCH)], 600)
    times: list[float] = json.loads(output.strip().splitlines()[-1])["claim_us"]
    return times


def measure_claims(bed: Bed, system: System, queued: int, finished: int, rounds: int) -> dict[str, float]:
    """Medians of one claim in microseconds, in a store with only the rows to claim and in a large one, in turns."""
    claimed = CLAIMS * BATCH * rounds
    small: list[float] = []
    large: list[float] = []
    with bed.queue(system) as empty, bed.queue(system) as full:
        for queue, more, done in ((empty, 0, 0), (full, queued, finished)):
            run_sql(queue.dsn, FILL % {"finished": done, "all": claimed + more + done})
        for _ in range(rounds):
            small += claim_us(empty)
            large += claim_us(full)
    few, many = statistics.median(small), statistics.median(large)
    return {"small_us": few, "large_us": many, "ratio": many / few}

"""What one PostgreSQL server spends on SeedCore's operations, in CPU: the constants of bench/queue/scaling. CPU and not time, so
that a busy machine does not change them much."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from harness.claim import claim_us
from harness.measure import Bed
from harness.servers import Session
from harness.systems import Instance, run_sql, seedcore
from harness.workers import run_clients

BATCHES = (12, 128, 512)
TASKS = 12_000  # of each batch size
LOOKS = 4_000
NOTIFIES = 2_000
LISTENERS = 32


@dataclass
class Costs:
    """Microseconds of server CPU."""

    batch_us: float  # a claim and its finish together, whatever is in them: two transactions
    task_us: float  # each task in them
    submit_us: float  # each task submitted in bulk
    look_us: float  # a dispatcher looks and finds nothing: a claim, and the question for the next moment
    notify_us: float  # a NOTIFY, whoever listens
    deliver_us: float  # and for each that does

    def to_json(self) -> str:
        return json.dumps({name: round(value, 1) for name, value in asdict(self).items()}, indent=1) + "\n"


def read_costs(path: Path) -> Costs:
    return Costs(**json.loads(path.read_text()))


def _server_us(queue: Instance, count: int, run: Callable[[], object]) -> float:
    before = queue.server_cpu_seconds()
    run()
    return (queue.server_cpu_seconds() - before) / count * 1e6


def _fit_line(points: list[tuple[float, float]]) -> tuple[float, float]:
    """The line y = a + b x of the least relative error: a batch of 512 costs ten times one of 12, and counts as much."""
    weights = [1.0 / y**2 for _, y in points]
    total = sum(weights)
    mean_x = sum(w * x for w, (x, _) in zip(weights, points, strict=True)) / total
    mean_y = sum(w * y for w, (_, y) in zip(weights, points, strict=True)) / total
    over = sum(w * (x - mean_x) * (y - mean_y) for w, (x, y) in zip(weights, points, strict=True))
    under = sum(w * (x - mean_x) ** 2 for w, (x, _) in zip(weights, points, strict=True))
    slope = over / under
    return mean_y - slope * mean_x, slope


def _fill(queue: Instance, count: int) -> None:
    run_clients(queue.program, [["fill", "--count", str(count), "--batch", "1000"]], 600)


def _look(queue: Instance, count: int) -> None:
    run_clients(queue.program, [["look", "--count", str(count)]], 600)


def _measure_batches(bed: Bed, say: Callable[[str], None]) -> tuple[float, float, float]:
    points, submits = [], []
    for batch in BATCHES:
        count = max(TASKS // batch, 1)
        with bed.queue(seedcore()) as queue:
            submits.append(_server_us(queue, count * batch, lambda q=queue, n=count * batch: _fill(q, n)))  # type: ignore[misc]
            queue.settle()
            cost = _server_us(queue, count, lambda q=queue, n=count, b=batch: claim_us(q, n, b))  # type: ignore[misc]
        points.append((float(batch), cost))
        say(f"claim and finish of {batch}: {cost:,.0f} us, {cost / batch:.1f} us per task; submit {submits[-1]:.1f} us")
    fixed, each = _fit_line(points)
    return fixed, each, statistics.median(submits)


def _measure_notify(queue: Instance, listeners: int) -> float:
    heard = [Session(queue.dsn) for _ in range(listeners)]
    sender = Session(queue.dsn)
    try:
        for session in heard:
            session.run("LISTEN seedcore")
        return _server_us(
            queue,
            NOTIFIES,
            lambda: [sender.value("SELECT count(pg_notify('seedcore', 'r 1 0 1 1 0 0'))") for _ in range(NOTIFIES)],
        )
    finally:
        for session in [*heard, sender]:
            session.close()


def measure_costs(bed: Bed, rounds: int, say: Callable[[str], None]) -> Costs:
    """Medians of `rounds`."""
    found: list[Costs] = []
    for _ in range(rounds):
        fixed, each, submit = _measure_batches(bed, say)
        with bed.queue(seedcore()) as queue:
            run_sql(queue.dsn, "VACUUM ANALYZE")
            look = _server_us(queue, LOOKS, lambda q=queue: _look(q, LOOKS))  # type: ignore[misc]
            alone, many = _measure_notify(queue, 0), _measure_notify(queue, LISTENERS)
        found.append(Costs(fixed, each, submit, look, alone, (many - alone) / LISTENERS))
        say(f"a look {look:.0f} us, a NOTIFY {alone:.0f} us, {found[-1].deliver_us:.1f} us more per listener")
    names = asdict(found[0])
    return Costs(**{name: statistics.median(getattr(one, name) for one in found) for name in names})

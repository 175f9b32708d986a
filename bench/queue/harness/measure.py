"""The measurements, each on one system. A round uses an empty queue of its own."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from suite.process import BenchError, run_bounded

from harness.servers import Postgres, Redis
from harness.systems import Instance, Mode, System, run_sql
from harness.workers import Program, Worker, run_clients, start_workers, stop_workers, wait_until

LIMIT_S = 900.0


@dataclass
class Bed:
    """What all measurements share."""

    postgres: Postgres
    redis: Redis | None
    log: Path  # of the workers' errors

    @contextmanager
    def queue(self, system: System, setup_words: Sequence[str] = ()) -> Iterator[Instance]:
        instance = system.open(self.postgres, self.redis, setup_words)
        try:
            yield instance
        finally:
            instance.close()


@dataclass
class Cost:
    """Tasks in a time, and what each cost. `log_bytes`: WAL, or Redis' append-only file."""

    count: int
    seconds: float
    server_cpu_us: float = 0.0
    client_cpu_us: float = 0.0
    log_bytes: float = 0.0
    steady_per_second: float = 0.0  # of a drain: from a quarter of the tasks to nine tenths, when every process is warm

    @property
    def per_second(self) -> float:
        return self.count / self.seconds


def fill(system: System, queue: Instance, count: int) -> None:
    run_clients(queue.program, [["fill", "--count", str(count), "--batch", str(system.fill_batch)]], LIMIT_S)
    queue.settle()


def steady_rate(points: list[tuple[float, int]], count: int) -> float:
    """Tasks per second from a quarter of `count` to nine tenths; `points` are seconds and how many were done by then."""
    begin = next((point for point in points if point[1] >= count / 4), points[-1])
    end = next((point for point in points if point[1] >= count * 0.9), points[-1])
    return (end[1] - begin[1]) / (end[0] - begin[0]) if end[0] > begin[0] else 0.0


def drain(bed: Bed, system: System, mode: Mode, count: int) -> Cost:
    """From the word go until none is left, as the store sees it."""
    with bed.queue(system) as queue:
        fill(system, queue, count)
        server_before, log_before = queue.server_cpu_seconds(), queue.log_bytes()
        workers = start_workers(queue.program, mode.processes, mode.words, bed.log)
        try:
            reports = not system.uses_redis  # Celery's worker does not count; its broker is asked
            done: Callable[[], int] = (
                (lambda: sum(worker.done for worker in workers)) if reports else (lambda: count - queue.unfinished())
            )
            if system.uses_redis:  # its worker takes a second to start, which is not the queue's fault
                wait_until(lambda: done() > 0, 60, f"{system.name}: the first task")
            began = time.monotonic()
            client_before = sum(worker.cpu_seconds() for worker in workers)
            points = [(0.0, done())]
            while points[-1][1] < count and points[-1][0] < LIMIT_S:
                for worker in workers:
                    worker.check()
                time.sleep(0.02)
                points.append((time.monotonic() - began, done()))
            wait_until(lambda: queue.unfinished() == 0, 60, f"{system.name}: the last task")
            seconds = time.monotonic() - began
            client = sum(worker.cpu_seconds() for worker in workers) - client_before
            server = queue.server_cpu_seconds() - server_before
            log = queue.log_bytes() - log_before
        finally:
            stop_workers(workers)
    steady = steady_rate(points, count)
    return Cost(count, seconds, server / count * 1e6, client / count * 1e6, log / count, steady)


def drain_sqlite(system: System, mode: Mode, folder: Path, log: Path, count: int) -> Cost:
    """The same on SQLite, in a folder of its own."""
    data = folder / "sqlite"
    program = Program((*system.command, str(data)), {})
    try:
        run_clients(program, [["fill", "--count", str(count), "--batch", str(system.fill_batch)]], LIMIT_S)
        workers = start_workers(program, mode.processes, mode.words, log)
        try:
            began = time.monotonic()
            before = sum(worker.cpu_seconds() for worker in workers)
            wait_until(lambda: sum(worker.done for worker in workers) >= count, LIMIT_S, "the last task")
            seconds = time.monotonic() - began
            client = sum(worker.cpu_seconds() for worker in workers) - before
        finally:
            stop_workers(workers)
        with closing(sqlite3.connect(data / "queue.db")) as database:
            left = database.execute("SELECT count(*) FROM tasks WHERE finished_at IS NULL").fetchone()[0]
        if left:
            raise BenchError(f"{left} tasks are left")
    finally:
        shutil.rmtree(data, ignore_errors=True)
    return Cost(count, seconds, 0.0, client / count * 1e6)


def best_mode(bed: Bed, system: System, count: int, say: Callable[[str], None]) -> Mode:
    rates = {}
    for mode in system.modes:
        try:
            rates[mode] = drain(bed, system, mode, system.scaled(count)).per_second
        except BenchError as error:
            say(f"{system.name} {mode}: {error}")
            continue
        say(f"{system.name} {mode}: {rates[mode]:,.0f}/s")
    if not rates:
        raise BenchError("no mode works")
    return max(rates, key=lambda mode: rates[mode])


def enqueue(bed: Bed, system: System, processes: int, count: int, clients: int) -> Cost:
    """One task per transaction, from `clients` clients spread over `processes` processes."""
    each, share = clients // processes, system.scaled(count) // processes
    with bed.queue(system) as queue:
        server_before, log_before = queue.server_cpu_seconds(), queue.log_bytes()
        words = ["enqueue", "--count", str(share), "--clients", str(each)]
        run = run_clients(queue.program, [words] * processes, LIMIT_S)
        server, log = queue.server_cpu_seconds() - server_before, queue.log_bytes() - log_before
        if queue.unfinished() != run.count:
            raise BenchError(f"{run.count} tasks were confirmed, {queue.unfinished()} are stored")
    return Cost(run.count, run.seconds, server / run.count * 1e6, run.cpu_seconds / run.count * 1e6, log / run.count)


def bulk(bed: Bed, system: System, count: int) -> Cost:
    with bed.queue(system) as queue:
        server_before, log_before = queue.server_cpu_seconds(), queue.log_bytes()
        words = ["fill", "--count", str(count), "--batch", str(system.fill_batch)]
        run = run_clients(queue.program, [words], LIMIT_S)
        server, log = queue.server_cpu_seconds() - server_before, queue.log_bytes() - log_before
    return Cost(run.count, run.seconds, server / run.count * 1e6, run.cpu_seconds / run.count * 1e6, log / run.count)


# The tasks of a client's first second wait for its connections and its first plans, and for each other. They are sent,
# but not counted.
UNCOUNTED_S = 1.0


def latency(bed: Bed, system: System, rate: float, count: int) -> list[int]:
    """Microseconds from just before the submit to the first statement of the task, ascending."""
    with bed.queue(system) as queue:
        workers = start_workers(queue.program, 1, system.latency_words, bed.log)
        try:
            time.sleep(2.0)  # connections, LISTEN and Celery's processes
            uncounted = round(rate * UNCOUNTED_S)
            sent = ["--count", str(count + uncounted), "--uncounted", str(uncounted)]
            words = ["pace", *sent, "--rate", str(rate)]
            run_clients(queue.program, [words], LIMIT_S)
            wait_until(lambda: queue.unfinished() == 0, 60, f"{system.name}: paced tasks", 0.1)
        finally:
            stop_workers(workers)
        late = sorted(value for worker in workers for value in worker.latency_us)
    if len(late) != count:
        raise BenchError(f"{count} tasks were sent, {len(late)} were started")
    return late


# What a queue cannot do without: the task is stored, and then it is marked as taken, each by a commit of its own.
TWO_COMMITS = (
    "INSERT INTO bare (taken) VALUES (false) RETURNING id \\gset\nUPDATE bare SET taken = true WHERE id = :id;\n"
)


def two_commits(bed: Bed, rate: float, count: int) -> list[int]:
    """Microseconds that two bare commits take one after the other, on one connection, ascending: what is left of the time
    from enqueue to start when a queue costs nothing. Measured by pgbench."""
    dsn = bed.postgres.create("bare")
    try:
        run_sql(dsn, "CREATE TABLE bare (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, taken boolean)")
        with tempfile.TemporaryDirectory() as folder:
            script = Path(folder) / "script.sql"
            script.write_text(TWO_COMMITS)
            program = [str(bed.postgres.binaries / "pgbench"), "--no-vacuum", "--protocol=prepared", f"--file={script}"]
            pace = [f"--rate={rate}", f"--transactions={count}", "--log", f"--log-prefix={folder}/log"]
            run_bounded([*program, *pace, dsn], LIMIT_S)
            lines = [line.split() for path in Path(folder).glob("log.*") for line in path.read_text().splitlines()]
    finally:
        bed.postgres.drop(dsn)
    # Its third column counts from the scheduled start; the last one is how late that was.
    return sorted(int(line[2]) - int(line[6]) for line in lines)


def dead_worker(bed: Bed, system: System, lease_s: float, limit_s: float) -> float:
    """Seconds from the kill -9 of a worker until another one starts its task."""
    words = [*system.latency_words, "--lease", str(int(lease_s * 1000)), "--hang"]
    with bed.queue(system, ("--lease", str(int(lease_s * 1000)))) as queue:
        victims = start_workers(queue.program, 1, words, bed.log)
        others: list[Worker] = []
        try:
            run_clients(queue.program, [["enqueue", "--count", "1", "--clients", "1"]], 60)
            if not victims[0].started.wait(60):
                raise BenchError("the task did not start")
            others = start_workers(queue.program, 1, words, bed.log)
            victims[0].kill()
            killed = time.monotonic()
            if not others[0].started.wait(limit_s):
                raise BenchError(f"not within {limit_s:.0f} s")
            return time.monotonic() - killed
        finally:
            for worker in [*victims, *others]:
                worker.kill()

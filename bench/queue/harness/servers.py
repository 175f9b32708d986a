"""PostgreSQL and Redis for the queue benchmark: own folders, free ports, everything on disk before it is confirmed."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
from pathlib import Path

from suite.process import CLOCK_TICKS, BenchError, Process, free_port, run_bounded

# The same server for everybody: what is committed is synced; memory and WAL are as for a small production server, so that
# no checkpoint falls into one run and not into another.
POSTGRES_SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "1GB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
    "max_connections": "300",
    "autovacuum": "on",
    "listen_addresses": "127.0.0.1",
}
# Redis as durable as that: each write is synced before it is answered.
REDIS_SETTINGS = {"appendonly": "yes", "appendfsync": "always", "save": "", "bind": "127.0.0.1"}


def find_postgres() -> Path:
    """The newest server installed by Debian."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if not found:
        raise BenchError("no PostgreSQL in /usr/lib/postgresql; install the package postgresql")
    return found[-1].parent


def cpu_seconds_of_tree(pid: int) -> float:
    """User and system time of a process, its children and those of its children that have ended."""
    ticks = 0
    for task in [pid, *Process.pids_below(pid)]:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{task}/stat").read_text().rsplit(")", 1)[1].split()
            ticks += sum(int(field) for field in (fields[11:15] if task == pid else fields[11:13]))
    return ticks / CLOCK_TICKS


class Session:
    """One psql that stays connected. Every query must return one row."""

    def __init__(self, dsn: str) -> None:
        self._popen = subprocess.Popen(
            ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", dsn],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def value(self, sql: str) -> str:
        assert self._popen.stdin is not None and self._popen.stdout is not None and self._popen.stderr is not None
        self._popen.stdin.write(sql.rstrip(";") + ";\n")
        line = self._popen.stdout.readline()
        if not line:
            raise BenchError(f"psql: {self._popen.stderr.read().strip()[-500:]}")
        return line.strip()

    def run(self, sql: str) -> None:
        """A statement without rows. What other sessions notify this one of is not read: psql tells of it when asked next."""
        self.value(f"{sql.rstrip(';')}; SELECT 1")

    def close(self) -> None:
        self._popen.kill()
        self._popen.communicate()


class Postgres:
    """A server of our own, from __enter__ to __exit__."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.binaries = find_postgres()
        self.port = free_port()
        self._number = 0

    def _as_owner(self) -> list[str]:
        """PostgreSQL refuses to run as root."""
        if os.geteuid() != 0:
            return []
        return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]

    def __enter__(self) -> Postgres:
        self.folder.mkdir(parents=True)
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
        data = self.folder / "data"
        init = [
            str(self.binaries / "initdb"),
            "-D",
            str(data),
            "-U",
            "bench",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
        ]
        run_bounded([*self._as_owner(), *init], 120)
        command = [*self._as_owner(), str(self.binaries / "postgres"), "-D", str(data), "-k", str(self.folder)]
        for name, value in {**POSTGRES_SETTINGS, "port": str(self.port)}.items():
            command += ["-c", f"{name}={value}"]
        log = self.folder.parent / f"{self.folder.name}.log"
        self.process = Process(command, log)
        ready = [str(self.binaries / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        self.process.wait_for(lambda: subprocess.run(ready, check=False).returncode == 0, 60, "PostgreSQL")
        self._admin = Session(self.dsn("postgres"))
        return self

    def __exit__(self, *_: object) -> None:
        self._admin.close()
        # SIGINT: it disconnects everybody and shuts down.
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.process.pid, 2)
        self.process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def dsn(self, database: str) -> str:
        return f"postgresql://bench@127.0.0.1:{self.port}/{database}"

    def create(self, name: str, template: str = "template1") -> str:
        """A new database, numbered; returns its DSN."""
        self._number += 1
        full = f"{name}_{self._number}"
        run_bounded(["psql", "-XAtq", self.dsn("postgres"), "-c", f"CREATE DATABASE {full} TEMPLATE {template}"], 60)
        return self.dsn(full)

    def drop(self, dsn: str) -> None:
        name = dsn.rsplit("/", 1)[1]
        run_bounded(["psql", "-XAtq", self.dsn("postgres"), "-c", f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"], 120)

    def wal_bytes(self) -> int:
        return int(self._admin.value("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint"))

    def cpu_seconds(self) -> float:
        return cpu_seconds_of_tree(self.process.pid)

    def version(self) -> str:
        return self._admin.value("SHOW server_version")


class Redis:
    """A Redis of our own, from __enter__ to __exit__."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def __enter__(self) -> Redis:
        self.folder.mkdir(parents=True)
        command = ["redis-server", "--port", str(self.port), "--dir", str(self.folder), "--daemonize", "no"]
        for name, value in REDIS_SETTINGS.items():
            command += [f"--{name}", value]
        self.process = Process(command, self.folder.parent / "redis.log")
        self.process.wait_for(self._answers, 20, "Redis")
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            return self.call("PING") == "PONG"
        except OSError:
            return False

    def call(self, *words: str) -> str:
        """One command whose answer is one line: a status or a number."""
        request = f"*{len(words)}\r\n" + "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(request.encode())
            return connection.makefile().readline().strip()[1:]

    def cpu_seconds(self) -> float:
        return cpu_seconds_of_tree(self.process.pid)

    def written_bytes(self) -> int:
        """What has gone into the append-only file since the start."""
        return sum(path.stat().st_size for path in self.folder.rglob("*.aof"))

    def version(self) -> str:
        return run_bounded(["redis-server", "--version"], 10).split("v=")[1].split()[0]

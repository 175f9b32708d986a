"""Processes that a benchmark starts: always in a group of their own, always stopped, never waited for without end."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

CLOCK_TICKS = os.sysconf("SC_CLK_TCK")
STOP_LIMIT_S = 15.0


class BenchError(Exception):
    """A step could not be done; the message is for the report."""


def free_port() -> int:
    """A port that was free a moment ago, for references that cannot pick one themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Process:
    """One started program. Output goes to `log`; leaving the `with` block stops it and everything it started."""

    def __init__(self, command: Sequence[str], log: Path, env: dict[str, str] | None = None) -> None:
        self.log = log
        self.started = time.monotonic()
        with log.open("wb") as out:
            self._popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )
        self.pid = self._popen.pid

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        if self._popen.poll() is None:
            self._popen.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(STOP_LIMIT_S)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)  # what is left of its own group
        self._popen.wait(STOP_LIMIT_S)

    def wait_for(self, ready: Callable[[], bool], limit_s: float, what: str) -> None:
        """Returns once `ready` holds; BenchError with the end of the log when it does not in time."""
        deadline = time.monotonic() + limit_s
        while not ready():
            if self._popen.poll() is not None:
                raise BenchError(f"{what} exited with {self._popen.returncode}: {self.log_tail()}")
            if time.monotonic() > deadline:
                raise BenchError(f"{what} was not ready within {limit_s:.0f} s: {self.log_tail()}")
            time.sleep(0.002)

    def log_tail(self) -> str:
        return self.log.read_text(errors="replace")[-500:].strip()

    def pids(self) -> list[int]:
        """The process and its descendants."""
        return [self.pid, *self.pids_below(self.pid)]

    @staticmethod
    def pids_below(pid: int) -> list[int]:
        """The descendants of a process; children may be those of any of its threads."""
        found: list[int] = []
        queue = [pid]
        while queue:
            parent = queue.pop()
            with contextlib.suppress(OSError):  # it may have ended meanwhile
                for children in Path(f"/proc/{parent}/task").glob("*/children"):
                    queue += (below := [int(child) for child in children.read_text().split()])
                    found += below
        return found

    def cpu_seconds(self) -> float:
        """User and system time so far, of the process and its descendants."""
        ticks = 0
        for pid in self.pids():
            try:
                fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            ticks += int(fields[11]) + int(fields[12])
        return ticks / CLOCK_TICKS

    def resident_mb(self) -> float:
        """VmRSS of the process alone, in units of 1e6 bytes."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024 / 1e6
        raise BenchError("no VmRSS")


def run_bounded(command: Sequence[str], limit_s: float, env: dict[str, str] | None = None) -> str:
    """Standard output of a program that must end by itself within `limit_s`."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=limit_s, env={**os.environ, **(env or {})}, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise BenchError(f"{command[0]} took longer than {limit_s:.0f} s") from error
    except OSError as error:
        raise BenchError(f"{command[0]}: {error}") from error
    if done.returncode != 0:
        raise BenchError(f"{command[0]} exited with {done.returncode}: {(done.stderr or done.stdout)[-500:].strip()}")
    return done.stdout

"""The programs of the queue benchmark as processes: clients that end by themselves, workers that work until told."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from suite.process import BenchError

from harness.servers import cpu_seconds_of_tree

STOP_LIMIT_S = 20.0


@dataclass(frozen=True)
class Program:
    """How one system's program is called: `command` + the words of one action."""

    command: tuple[str, ...]
    env: dict[str, str]

    def start(self, words: Sequence[str]) -> subprocess.Popen[str]:
        try:
            return subprocess.Popen(
                [*self.command, *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, **self.env},
                start_new_session=True,
            )
        except OSError as error:
            raise BenchError(f"{self.command[0]}: {error.strerror}") from error


@dataclass
class ClientRun:
    """What one or more clients did together."""

    count: int
    seconds: float
    cpu_seconds: float

    @property
    def per_second(self) -> float:
        return self.count / self.seconds


def run_clients(program: Program, runs: Sequence[Sequence[str]], limit_s: float) -> ClientRun:
    """Runs `program` once for each of `runs`, side by side; the slowest one's time counts."""
    before = os.times()
    started = [program.start(words) for words in runs]
    lines = []
    for popen in started:
        try:
            out, error = popen.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired as expired:
            for late in started:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(late.pid, signal.SIGKILL)
            raise BenchError(f"{program.command[0]} took longer than {limit_s:.0f} s") from expired
        if popen.returncode != 0:
            raise BenchError(
                f"{' '.join(program.command)} exited with {popen.returncode}: {(error or out).strip()[-500:]}"
            )
        lines += [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    counts = [line for line in lines if "count" in line]
    return ClientRun(sum(c["count"] for c in counts), max((c["seconds"] for c in counts), default=0.0), cpu)


class Worker:
    """One working process, from its start until `stop` or `kill`. What it prints is read by a thread."""

    def __init__(self, program: Program, words: Sequence[str], log: Path) -> None:
        self._popen = program.start(["work", *words])
        self._name = program.command[0]
        self._log = log
        self.ready = threading.Event()
        self.started = threading.Event()  # its first task, when it hangs
        self.done = 0
        self.latency_us: list[int] = []
        self._readers = [threading.Thread(target=self._read), threading.Thread(target=self._read_errors)]
        for reader in self._readers:
            reader.start()

    def _read(self) -> None:
        assert self._popen.stdout is not None
        for text in self._popen.stdout:
            if not text.startswith("{"):
                continue
            line: dict[str, Any] = json.loads(text)
            self.done = line.get("done", self.done)
            self.latency_us += line.get("latency_us") or []
            if "started" in line:
                self.started.set()
            if "ready" in line:
                self.ready.set()

    def _read_errors(self) -> None:
        assert self._popen.stderr is not None
        with self._log.open("a") as out:
            for text in self._popen.stderr:
                out.write(text)

    def check(self) -> None:
        if self._popen.poll() is not None:
            tail = self._log.read_text()[-500:].strip()
            raise BenchError(f"{self._name} exited with {self._popen.returncode}: {tail}")

    def cpu_seconds(self) -> float:
        return cpu_seconds_of_tree(self._popen.pid)

    def go(self) -> None:
        assert self._popen.stdin is not None
        self._popen.stdin.write("go\n")
        self._popen.stdin.flush()

    def ask_to_stop(self) -> None:
        """Closes its standard input."""
        assert self._popen.stdin is not None
        with contextlib.suppress(OSError):
            self._popen.stdin.close()

    def stop(self) -> None:
        """Asks it to stop and waits; kills what does not end."""
        self.ask_to_stop()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._popen.wait(STOP_LIMIT_S)
        self.kill()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait(STOP_LIMIT_S)
        for reader in self._readers:
            reader.join(STOP_LIMIT_S)


def start_workers(program: Program, processes: int, words: Sequence[str], log: Path) -> list[Worker]:
    """Starts them side by side and, when all are ready, tells them to go."""
    limit_s = 60.0
    workers = [Worker(program, words, log) for _ in range(processes)]
    try:
        for worker in workers:
            deadline = time.monotonic() + limit_s
            while not worker.ready.wait(0.1):
                worker.check()
                if time.monotonic() > deadline:
                    raise BenchError(f"{program.command[0]} was not ready within {limit_s:.0f} s")
    except BenchError:
        stop_workers(workers)
        raise
    for worker in workers:
        worker.go()
    return workers


def stop_workers(workers: Sequence[Worker]) -> None:
    for worker in workers:
        worker.ask_to_stop()
    for worker in workers:
        worker.stop()


def wait_until(condition: Callable[[], bool], limit_s: float, what: str, pause_s: float = 0.01) -> None:
    deadline = time.monotonic() + limit_s
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"{what}: not within {limit_s:.0f} s")
        time.sleep(pause_s)

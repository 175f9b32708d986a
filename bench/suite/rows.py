"""What a measurement comes to, and the load generator."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from suite.process import BenchError, run_bounded

LOAD_SCRIPT = Path(__file__).resolve().parent.parent / "load.lua"


@dataclass
class Row:
    """One line of the report. `met` is None where no goal is set or nothing was measured."""

    what: str
    figure: str
    goal: str = ""
    met: bool | None = None
    note: str = ""
    raw: dict[str, Any] = field(default_factory=dict)


class HasCpu(Protocol):
    """Whatever serves the load, in one process or several."""

    def cpu_seconds(self) -> float:
        """User and system time so far."""


@dataclass
class Options:
    """How long and how often everything is measured."""

    rounds: int = 5
    seconds: float = 4.0
    starts: int = 5
    submits: int = 300
    tasks: int = 50_000
    queued: int = 100_000
    finished: int = 300_000


@dataclass
class Load:
    """One run of wrk against one server."""

    requests: int
    seconds: float
    p50_us: int
    p99_us: int
    cpu_us_per_request: float

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


def run_wrk(
    server: HasCpu,
    url: str,
    connections: int,
    seconds: float,
    body: Path | None = None,
    submit: str = "",
    token: str = "",
) -> Load:
    """Loads `url` from one thread; BenchError when anything but 2xx came back."""
    env = {}
    if body is not None:
        env["BENCH_BODY"] = str(body)
    if submit:
        env["BENCH_SUBMIT"] = submit
    command = ["wrk", "-t1", f"-c{connections}", f"-d{max(1, math.ceil(seconds))}s", "--timeout", "10s"]
    if token:
        command += ["-H", f"Authorization: Bearer {token}"]
    cpu_before = server.cpu_seconds()
    output = run_bounded([*command, "-s", str(LOAD_SCRIPT), url], seconds + 30, env)
    cpu = server.cpu_seconds() - cpu_before
    figures = json.loads(output.strip().splitlines()[-1])
    if figures["status_errors"] or figures["socket_errors"] or not figures["requests"]:
        raise BenchError(f"{url}: {figures}")
    return Load(
        requests=figures["requests"],
        seconds=figures["seconds"],
        p50_us=figures["p50_us"],
        p99_us=figures["p99_us"],
        cpu_us_per_request=cpu / figures["requests"] * 1e6,
    )


def median(values: Sequence[float]) -> float:
    return float(statistics.median(values))


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Smallest to largest, for people."""
    return f"{min(values):.{digits}f} to {max(values):.{digits}f}"


def thousands(value: float) -> str:
    return f"{value:,.0f}"


def not_measured(what: str, goal: str, error: Exception) -> Row:
    return Row(what, "not measured", goal, None, str(error).replace("\n", " ")[:300])


def loads_as_json(loads: Sequence[Load]) -> list[dict[str, Any]]:
    return [{**asdict(load), "per_second": load.per_second} for load in loads]

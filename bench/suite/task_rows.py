"""Rows about starting up and about tasks through HTTP."""

from __future__ import annotations

import contextlib
import http.client
import json
import time
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from suite.process import BenchError
from suite.rows import Load, Options, Row, loads_as_json, median, run_wrk, spread, thousands
from suite.servers import SeedCore, call

CLIENTS = 32
START_GOAL_MS, MEMORY_GOAL_MB = 1000.0, 100.0
SUBMIT_GOAL = 5000.0
P50_GOAL_MS, P99_GOAL_MS = 2.0, 10.0
IDLE_S = 0.01
SETTLE_S = 1.0


def measure_start(binary: Path, folder: Path, options: Options) -> list[Row]:
    outside: list[float] = []
    inside: list[float] = []
    memory: list[float] = []
    for index in range(options.starts):
        with SeedCore(binary, folder / f"start-{index}") as platform:
            outside.append(platform.ready_ms)
            inside.append(platform.own_start_ms)
            time.sleep(SETTLE_S)
            memory.append(platform.process.resident_mb())
    return [
        Row(
            "start to ready, empty data directory",
            f"{median(outside):.0f} ms",
            f"{START_GOAL_MS:.0f} ms",
            median(outside) < START_GOAL_MS,
            f"from exec to the ready line; {spread(outside, 0)} ms; by its own clock {median(inside):.0f} ms",
            {"ready_ms": outside, "own_start_ms": inside},
        ),
        Row(
            "memory, idle",
            f"{median(memory):.1f} MB",
            f"{MEMORY_GOAL_MB:.0f} MB",
            median(memory) < MEMORY_GOAL_MB,
            f"VmRSS 1 s after ready; {spread(memory, 1)} MB",
            {"resident_mb": memory},
        ),
    ]


def created_tasks(api: str) -> int:
    return int(json.loads(call(f"{api}/api/v1/tasks?status=created&limit=1"))["total"])


def measure_submit(binary: Path, folder: Path, options: Options) -> list[Row]:
    loads: list[Load] = []
    with SeedCore(binary, folder / "submit") as platform:
        url = f"{platform.api}/api/v1/tasks"
        answered = 0
        for _ in range(options.rounds):
            load = run_wrk(platform.process, url, CLIENTS, options.seconds, submit=uuid.uuid4().hex[:12])
            loads.append(load)
            answered += load.requests
        stored = created_tasks(platform.api)
    # At the end of each round wrk hangs up on the requests that are under way; their rows may exist as well.
    if not answered <= stored <= answered + CLIENTS * len(loads):
        raise BenchError(f"{answered} submits were answered, but {stored} tasks are stored")
    rate = median([load.per_second for load in loads])
    return [
        Row(
            "durable submit through HTTP, 32 clients",
            f"{thousands(rate)}/s",
            f"{thousands(SUBMIT_GOAL)}/s",
            rate >= SUBMIT_GOAL,
            f"{spread([load.per_second for load in loads], 0)}/s; "
            f"p50 {median([x.p50_us for x in loads]) / 1e3:.1f} ms, "
            f"p99 {median([x.p99_us for x in loads]) / 1e3:.1f} ms; {thousands(answered)} answers, "
            f"{thousands(stored)} rows",
            {"loads": loads_as_json(loads), "answered": answered, "stored": stored},
        )
    ]


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[round(share * (len(values) - 1))]


def instant_ms(text: str) -> float:
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp() * 1e3


class Client:
    """One connection that stays open."""

    def __init__(self, base: str) -> None:
        self._connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=10)

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        content = json.dumps(body).encode() if body is not None else None
        self._connection.request(method, path, content, {"Content-Type": "application/json"} if content else {})
        response = self._connection.getresponse()
        text = response.read()
        if not 200 <= response.status < 300:
            raise BenchError(f"{method} {path} answered {response.status}: {text[:300]!r}")
        answer: dict[str, Any] = json.loads(text)
        return answer

    def close(self) -> None:
        self._connection.close()


def wait_for_end(client: Client, task_id: str) -> list[dict[str, Any]]:
    """The task's events, once it has ended."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        history = client.call("GET", f"/api/v1/tasks/{task_id}/events")
        if any(event["kind"] in ("completed", "failed") for event in history["events"]):
            return list(history["events"])
        time.sleep(IDLE_S)
    raise BenchError(f"task {task_id} did not end within 10 s")


def measure_latency(binary: Path, folder: Path, options: Options) -> list[Row]:
    to_claim: list[float] = []
    from_client: list[float] = []
    to_end: list[float] = []
    with SeedCore(binary, folder / "latency") as platform, contextlib.closing(Client(platform.api)) as client:
        for _ in range(options.submits):
            sent = time.time() * 1e3
            task = client.call("POST", "/api/v1/tasks", {"type": "health_check", "description": "idle latency"})
            events = {event["kind"]: instant_ms(event["at"]) for event in wait_for_end(client, task["id"])}
            if "completed" not in events:
                raise BenchError(f"task {task['id']} failed")
            to_claim.append(events["claimed"] - events["submitted"])
            from_client.append(events["claimed"] - sent)
            to_end.append(events["completed"] - events["submitted"])
            time.sleep(IDLE_S)
    p50, p99 = quantile(to_claim, 0.5), quantile(to_claim, 0.99)
    return [
        Row(
            "submit to start, idle, through HTTP",
            f"p50 {p50:.2f} ms, p99 {p99:.2f} ms",
            f"{P50_GOAL_MS:g} ms, {P99_GOAL_MS:g} ms",
            p50 <= P50_GOAL_MS and p99 <= P99_GOAL_MS,
            f"stored times, submitted to claimed; from the client's send p50 {quantile(from_client, 0.5):.2f} ms, "
            f"p99 {quantile(from_client, 0.99):.2f} ms; submitted to completed p50 {quantile(to_end, 0.5):.2f} ms",
            {
                "submitted_to_claimed_ms": to_claim,
                "sent_to_claimed_ms": from_client,
                "submitted_to_completed_ms": to_end,
            },
        )
    ]

"""Rows that the C++ benchmark programs measure in process."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

from suite.process import run_bounded
from suite.rows import Options, Row, median, spread, thousands

EXECUTE_GOAL = 20_000.0
P50_GOAL_MS, P99_GOAL_MS = 2.0, 10.0
ROUTING_GOAL_US = 20.0
CLAIM_GOAL = 1.5


def last_line(output: str) -> dict[str, Any]:
    figures: dict[str, Any] = json.loads(output.strip().splitlines()[-1])
    return figures


def measure_queue(programs: Path, folder: Path, options: Options) -> list[Row]:
    runs = []
    for index in range(min(options.rounds, 3)):
        command = [str(programs / "queue_bench"), str(folder / f"queue-{index}"), str(options.tasks)]
        runs.append(last_line(run_bounded([*command, str(options.submits)], 300)))

    def rates(name: str) -> list[float]:
        return [run[name]["per_second"] for run in runs]

    execute = rates("execute")
    p50 = median([run["start_ms"]["p50"] for run in runs])
    p99 = median([run["start_ms"]["p99"] for run in runs])
    return [
        Row(
            "claim, execute and complete in process, batch 32, synchronous=FULL",
            f"{thousands(median(execute))}/s",
            f"{thousands(EXECUTE_GOAL)}/s",
            median(execute) >= EXECUTE_GOAL,
            f"{spread(execute, 0)}/s; {median([r['execute']['tasks_per_commit'] for r in runs]):.1f} tasks per commit",
            {"runs": runs},
        ),
        Row(
            "claim and complete on the bare store, batch 32",
            f"{thousands(median(rates('claim_finish')))}/s",
            note=f"one thread; four threads {thousands(median(rates('claim_finish_4')))}/s",
        ),
        Row("durable submit in process, 32 threads", f"{thousands(median(rates('submit')))}/s"),
        Row(
            "submit to start, idle, in process",
            f"p50 {p50:.2f} ms, p99 {p99:.2f} ms",
            f"{P50_GOAL_MS:g} ms, {P99_GOAL_MS:g} ms",
            p50 <= P50_GOAL_MS and p99 <= P99_GOAL_MS,
            "from the call of Submit to the first statement of the handler",
        ),
    ]


def measure_routing(programs: Path, options: Options) -> list[Row]:
    command = [str(programs / "router_bench"), "--benchmark_format=json", "--benchmark_min_time=0.2"]
    output = run_bounded([*command, f"--benchmark_repetitions={options.rounds}"], 120)
    by_case: dict[str, list[float]] = {}
    for run in json.loads(output)["benchmarks"]:
        if run["run_type"] == "iteration":
            by_case.setdefault(run["run_name"].split("/")[-1], []).append(run["cpu_time"] / 1e3)
    slowest = max(by_case, key=lambda case: median(by_case[case]))
    each = ", ".join(f"{case} {median(times):.2f}" for case, times in by_case.items())
    return [
        Row(
            "routing decision (valve, signals, predicates)",
            f"{median(by_case[slowest]):.2f} us",
            f"{ROUTING_GOAL_US:g} us",
            median(by_case[slowest]) <= ROUTING_GOAL_US,
            f"the slowest of: {each} us",
            {"us": by_case},
        )
    ]


def measure_claim(programs: Path, folder: Path, options: Options) -> list[Row]:
    command = [str(programs / "claim_bench"), str(folder / "claim"), str(options.queued), str(options.finished)]
    try:
        figures = last_line(run_bounded(command, 1800))
    finally:
        shutil.rmtree(folder / "claim", ignore_errors=True)  # gigabytes, when in full
    ratio = float(figures["claim_ratio"])
    full = options.queued >= 1_000_000 and options.finished >= 3_000_000
    return [
        Row(
            f"claim with {thousands(options.queued)} queued and {thousands(options.finished)} finished rows, "
            "against a small store",
            f"{ratio:.2f}x",
            f"{CLAIM_GOAL:g}x",
            ratio <= CLAIM_GOAL,
            f"{figures['claim_large_us']:.0f} us against {figures['claim_small_us']:.0f} us per claim of 32, medians, "
            "the two in turns" + ("" if full else "; `bench/run --only claim --full` measures 1 M and 3 M"),
            figures,
        )
    ]


def measure_disk(folder: Path) -> dict[str, float]:
    """Median and 99th percentile of appending 4 KiB and making it durable, in milliseconds."""
    times = []
    handle = os.open(folder / "fsync-probe", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    try:
        for _ in range(200):
            start = time.perf_counter()
            os.write(handle, b"x" * 4096)
            os.fdatasync(handle)
            times.append((time.perf_counter() - start) * 1e3)
    finally:
        os.close(handle)
    times.sort()
    return {"p50_ms": times[100], "p99_ms": times[197]}

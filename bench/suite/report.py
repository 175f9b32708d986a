"""The machine, and the report as Markdown and JSON."""

from __future__ import annotations

import json
import os
import platform
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any

from suite.process import BenchError, run_bounded
from suite.rows import Options, Row

VERDICTS = {True: "met", False: "missed", None: ""}


def first_match(pattern: str, path: str, otherwise: str) -> str:
    found = re.search(pattern, Path(path).read_text(), re.MULTILINE)
    return found.group(1).strip() if found else otherwise


def version_of(command: list[str], pattern: str) -> str:
    try:
        # nginx and wrk print their versions on standard error, and wrk calls that a failure.
        output = run_bounded(["sh", "-c", '"$@" 2>&1; true', "sh", *command], 10)
    except BenchError:
        return "unknown"
    found = re.search(pattern, output)
    return found.group(1) if found else "unknown"


def describe_machine(folder: Path, disk: dict[str, float]) -> dict[str, Any]:
    return {
        "cpu": first_match(r"^model name\s*:\s*(.+)$", "/proc/cpuinfo", platform.machine()),
        "cores": os.cpu_count(),
        "memory_gb": round(int(first_match(r"^MemTotal:\s*(\d+)", "/proc/meminfo", "0")) * 1024 / 1e9, 1),
        "kernel": platform.release(),
        "filesystem": run_bounded(["stat", "-f", "-c", "%T", str(folder)], 10).strip(),
        "fdatasync_ms": disk,
        "load_1m": os.getloadavg()[0],
        "nginx": version_of(["/usr/sbin/nginx", "-v"], r"nginx/([\d.]+)"),
        "wrk": version_of(["wrk", "-v"], r"wrk (\S+)"),
        "python": platform.python_version(),
    }


def to_markdown(machine: dict[str, Any], options: Options, rows: list[Row], commit: str) -> str:
    disk = machine["fdatasync_ms"]
    lines = [
        "# Benchmark report",
        "",
        f"Commit {commit}. {machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, Linux "
        f"{machine['kernel']}, {machine['filesystem']}; 4 KiB append + fdatasync p50 {disk['p50_ms']:.2f} ms, p99 "
        f"{disk['p99_ms']:.2f} ms. nginx {machine['nginx']}, wrk {machine['wrk']}, Python {machine['python']}.",
        "",
        f"Load average {machine['load_1m']:.2f} at the start. Medians of {options.rounds} rounds of "
        f"{options.seconds:g} s, in turns with the reference.",
        "",
        "| What | Figure | Goal | | Notes |",
        "|---|---|---|---|---|",
    ]
    lines += [f"| {r.what} | {r.figure} | {r.goal} | {VERDICTS[r.met]} | {r.note} |" for r in rows]
    return "\n".join(lines) + "\n"


def write_report(folder: Path, machine: dict[str, Any], options: Options, rows: list[Row], commit: str) -> str:
    markdown = to_markdown(machine, options, rows, commit)
    (folder / "report.md").write_text(markdown)
    document = {"commit": commit, "machine": machine, "options": asdict(options), "rows": [asdict(r) for r in rows]}
    (folder / "report.json").write_text(json.dumps(document, indent=1) + "\n")
    return markdown

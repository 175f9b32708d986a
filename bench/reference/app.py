"""The two compared endpoints as a FastAPI user would write them: typed models, plain Python arithmetic.

For ten agents plain Python is quicker than building numpy arrays out of parsed lists, so it is also the fairer
reference.
"""

import math
import os
import time
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field

ALPHA, LAMBDA, BETA, PAIR, HYPER = 0.1, 0.01, 0.05, 0.1, 0.1
SMALLEST_PROBABILITY = 1e-8
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")

app = FastAPI()


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Roles(Strict):
    E: float = 0.0
    S: float = 0.0
    O: float = 0.0  # noqa: E741 (the name on the wire)


class Agent(Strict):
    h: list[float]
    p: Roles
    c: float = 0.5
    mem_util: float = 0.0
    lifecycle: str = "Employed"


class System(Strict):
    h_hgnn: list[float] = []
    E_patterns: list[float] = []
    w_mode: list[float] = []


class Compression(Strict):
    p_compress: float = Field(ge=0, le=1)
    r_effective: float


class Memory(Strict):
    ma: dict[str, Any] = {}
    mw: dict[str, Any] = {}
    mlt: dict[str, Any] = {}
    mfb: dict[str, Any] = {}
    util_scalar: float | None = None
    compression: Compression | None = None


class UnifiedState(Strict):
    agents: dict[str, Agent] = {}
    organs: dict[str, dict[str, Any]] = {}
    system: System | None = None
    memory: Memory | None = None


class ComputeEnergyRequest(Strict):
    unified_state: UnifiedState
    include_gradients: bool = False
    include_breakdown: bool = True


class Terms(BaseModel):
    pair: float
    hyper: float
    entropy: float
    reg: float
    mem: float
    total: float


class EnergyResponse(BaseModel):
    success: bool
    energy: Terms
    gradients: None = None
    breakdown: Terms | None
    absent: list[str]
    timestamp: float
    computation_time_ms: float


class Host(BaseModel):
    cpu_percent: float
    memory_percent: float
    disk_percent: float
    load_1m: float
    process_rss_bytes: float


class MlHealth(BaseModel):
    status: str
    service: str
    timestamp: float
    models: dict[str, str]
    system: Host
    version: str


def project_onto_simplex(values: list[float]) -> list[float]:
    cumulated, shift = 0.0, 0.0
    for count, value in enumerate(sorted(values, reverse=True), 1):
        cumulated += value
        candidate = (cumulated - 1.0) / count
        if value - candidate > 0.0:
            shift = candidate
    return [max(value - shift, 0.0) for value in values]


def entropy(probabilities: list[float]) -> float:
    clipped = [min(max(p, SMALLEST_PROBABILITY), 1.0) for p in probabilities]
    total = sum(clipped)
    return -sum(p / total * math.log(p / total) for p in clipped)


def compute_terms(state: UnifiedState) -> Terms:
    agents = [agent for _, agent in sorted(state.agents.items())]
    square = sum(x * x for agent in agents for x in agent.h)
    patterns = state.system.E_patterns if state.system else []
    compression = state.memory.compression if state.memory else None
    pair = -PAIR * square
    hyper = -HYPER * sum(min(max(e, 0.0), 1.0) for e in patterns)
    disorder = -ALPHA * sum(entropy(project_onto_simplex([a.p.E, a.p.S, a.p.O])) for a in agents)
    reg = LAMBDA * square
    mem = BETA * compression.p_compress * (1.0 - 1.0 / max(compression.r_effective, 1.0)) if compression else 0.0
    total = pair + hyper + disorder + reg + mem
    return Terms(pair=pair, hyper=hyper, entropy=disorder, reg=reg, mem=mem, total=total)


@app.post("/energy/compute-energy")
async def compute_energy(request: ComputeEnergyRequest) -> EnergyResponse:
    start = time.perf_counter()
    state = request.unified_state
    terms = compute_terms(state)
    absent = [] if state.system and state.system.E_patterns else ["system.E_patterns"]
    if not (state.memory and state.memory.compression):
        absent.append("memory.compression")
    return EnergyResponse(
        success=True,
        energy=terms,
        breakdown=terms if request.include_breakdown else None,
        absent=absent,
        timestamp=time.time(),
        computation_time_ms=(time.perf_counter() - start) * 1e3,
    )


class HostSampler:
    """Reads the machine at most once a second, as SeedCore does."""

    def __init__(self) -> None:
        self.read_at = 0.0
        self.last: Host | None = None

    def sample(self) -> Host:
        now = time.monotonic()
        if self.last is None or now - self.read_at >= 1.0:
            self.last, self.read_at = self.measure(), now
        return self.last

    def measure(self) -> Host:
        with open("/proc/stat") as file:
            times = [int(field) for field in file.readline().split()[1:9]]
        with open("/proc/meminfo") as file:
            memory = {line.split(":")[0]: int(line.split()[1]) for line in file}
        with open("/proc/self/statm") as file:
            resident = int(file.read().split()[1]) * PAGE_BYTES
        disk = os.statvfs("/")
        return Host(
            cpu_percent=100.0 * (1.0 - (times[3] + times[4]) / sum(times)),
            memory_percent=100.0 * (1.0 - memory["MemAvailable"] / memory["MemTotal"]),
            disk_percent=100.0 * (1.0 - disk.f_bavail / disk.f_blocks),
            load_1m=os.getloadavg()[0],
            process_rss_bytes=float(resident),
        )


host = HostSampler()


@app.get("/ml/health")
async def ml_health() -> MlHealth:
    return MlHealth(
        status="healthy",
        service="ml_serve",
        timestamp=time.time(),
        models={
            "salience_scorer": "available",
            "anomaly_detector": "available",
            "scaling_predictor": "available",
            "drift_detector": "available",
        },
        system=host.sample(),
        version="0.1.0",
    )

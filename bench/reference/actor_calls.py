"""Calls per second of an actor's method from a Python driver: `actor_calls.py ADDRESS BODY_FILE SECONDS ROUNDS`.

Prints one JSON object: for `compute` and `echo` the rates one call after the other and with 32 in flight.
"""

import json
import logging
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
from serve_app import EnergyActor

IN_FLIGHT = 32


def one_after_the_other(method: Any, body: bytes, seconds: float) -> float:
    """Calls per second."""
    calls, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        ray.get(method.remote(body))
        calls += 1
    return calls / (time.perf_counter() - began)


def pipelined(method: Any, body: bytes, seconds: float) -> float:
    """Calls per second with IN_FLIGHT calls under way; the oldest is waited for, then replaced."""
    calls, began = 0, time.perf_counter()
    flying = [method.remote(body) for _ in range(IN_FLIGHT)]
    while time.perf_counter() - began < seconds:
        for at in range(IN_FLIGHT):
            ray.get(flying[at])
            flying[at] = method.remote(body)
        calls += IN_FLIGHT
    took = time.perf_counter() - began
    ray.get(flying)
    return calls / took


def main() -> None:
    """Measures in turns."""
    address, body_file, seconds, rounds = sys.argv[1:5]
    body = Path(body_file).read_bytes()
    ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    actor = EnergyActor.remote()
    answer = json.loads(ray.get(actor.compute.remote(body)))
    assert answer["success"], answer
    ways: dict[str, Callable[[Any, bytes, float], float]] = {"sequential": one_after_the_other, "pipelined": pipelined}
    rates: dict[str, list[float]] = {f"{method}_{way}": [] for method in ("compute", "echo") for way in ways}
    for _ in range(int(rounds)):
        for method in ("compute", "echo"):
            for way, measure in ways.items():
                rates[f"{method}_{way}"].append(measure(getattr(actor, method), body, float(seconds)))
    print(json.dumps(rates))


if __name__ == "__main__":
    main()

"""The native gateway beside Serve on a real Ray head."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cluster import Head, request, wait_until, wait_until_healthy

PROGRAM = Path(os.environ.get("SEEDCORE") or Path(__file__).parents[2] / "build" / "release" / "bin" / "seedcore")


@pytest.fixture(scope="module")
def gateway(head: Head) -> Iterator[str]:
    """URL of `seedcore gateway` on the head's store."""
    if not PROGRAM.exists():
        pytest.skip(f"{PROGRAM} is not built")
    environment = head.environment() | {"SEEDCORE_DATA_DIR": str(head.data_dir), "LOG_LEVEL": "error"}
    with subprocess.Popen(
        [PROGRAM, "gateway", "--gateway-listen", "127.0.0.1:0", "--gateway-refresh", "300ms", "--json"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            yield ready["gateway_url"]
        finally:
            process.terminate()
            assert process.wait(30) == 0


def _replicas(gateway: str, service: str) -> list[dict[str, Any]]:
    services = request(gateway + "/-/routes").json()["services"]
    (replicas,) = [entry["replicas"] for entry in services if entry["service"] == service]
    return replicas  # type: ignore[no-any-return]


def test_every_service_answers_through_the_native_gateway(gateway: str) -> None:
    for prefix in ("/ml", "/cognitive", "/pipeline", "/state", "/energy", "/organism"):
        wait_until_healthy(gateway + prefix)
    assert request(gateway + "/health").json()["status"] == "healthy"


def test_a_task_goes_through_it_from_end_to_end(gateway: str) -> None:
    body = {"id": "g-1", "type": "general_query", "description": "how are you", "params": {}}
    answer = request(gateway + "/pipeline/route-and-execute", body)
    assert answer.status == 200, answer.body
    assert answer.json()["success"] is True
    assert answer.json()["drift"] is not None, "ML was not reached"


def test_a_replica_is_not_to_be_had_without_the_cluster_token(gateway: str) -> None:
    address = _replicas(gateway, "cognitive")[0]["address"]
    assert request(f"http://{address}/cognitive/info").status == 401


def test_a_replica_killed_behind_the_native_gateway_loses_no_request(head: Head, gateway: str) -> None:
    wait_until(lambda: len(_replicas(gateway, "cognitive")) == 2, 60, "two replicas of cognitive are registered")
    before = {replica["instance_id"] for replica in _replicas(gateway, "cognitive")}
    victim = head.replicas("cognitive")[0]
    half_way = threading.Event()
    killed = threading.Event()

    def ask(number: int) -> int:
        if number == 200:
            half_way.set()
        if number >= 240:
            killed.wait(30)  # so that many requests come after the death, and many are under way at it
        # No retry of the client's own: what the gateway answers counts.
        return request(gateway + "/cognitive/info").status

    with ThreadPoolExecutor(8) as pool:
        work = pool.map(ask, range(600))
        assert half_way.wait(60)
        os.kill(victim, signal.SIGKILL)
        killed.set()
        statuses = list(work)
    assert statuses == [200] * 600

    def replaced() -> bool:
        now = {replica["instance_id"] for replica in _replicas(gateway, "cognitive")}
        return len(now) == 2 and len(now & before) == 1

    wait_until(replaced, 60, "the successor is registered, and the dead one is forgotten")


def test_a_replica_frozen_behind_the_native_gateway_holds_no_request_until_its_deadline(
    head: Head, gateway: str
) -> None:
    wait_until(lambda: len(_replicas(gateway, "cognitive")) == 2, 60, "two replicas of cognitive are registered")
    victim = head.replicas("cognitive")[0]
    os.kill(victim, signal.SIGSTOP)
    try:
        begun = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            statuses = list(pool.map(lambda _: request(gateway + "/cognitive/info").status, range(64)))
        assert statuses == [200] * 64
        assert time.monotonic() - begun < 20, "the deadline of a request is 30 s"
        states = sorted(replica["state"] for replica in _replicas(gateway, "cognitive"))
        assert states in (["ejected", "serving"], ["probing", "serving"])
    finally:
        os.kill(victim, signal.SIGCONT)

    def is_back() -> bool:
        assert request(gateway + "/cognitive/info").status == 200
        return [replica["state"] for replica in _replicas(gateway, "cognitive")] == ["serving"] * 2

    wait_until(is_back, 60, "it is used again")


def test_serve_scales_by_the_load_that_does_not_go_through_it(head: Head, gateway: str) -> None:
    config = head.config()
    for application in config["applications"]:
        if application["name"] == "ml_service":
            (deployment,) = application["deployments"]
            deployment["autoscaling_config"] = {
                "min_replicas": 1,
                "max_replicas": 2,
                "target_ongoing_requests": 1,
                "upscale_delay_s": 0.5,
                "metrics_interval_s": 0.5,
                "look_back_period_s": 2.0,
            }
    head.deploy(config)
    wait_until(lambda: len(_replicas(gateway, "ml")) == 1, 180, "one replica of ML is registered")
    enough = threading.Event()
    body = {"data": [float(i % 50) for i in range(50_000)]}

    def load(_: int) -> None:
        while not enough.is_set():
            assert request(gateway + "/ml/detect/anomaly", body, timeout=120).status in (200, 503, 504)

    with ThreadPoolExecutor(4) as pool:
        work = [pool.submit(load, number) for number in range(4)]
        try:
            wait_until(lambda: len(head.replicas("ml_service")) == 2, 180, "Serve adds a replica of ML")
        finally:
            enough.set()
        for one in work:
            one.result()


def test_a_replica_that_serve_takes_away_finishes_what_it_has(head: Head, gateway: str) -> None:
    def deploy(replicas: int) -> None:
        config = head.config()
        for application in config["applications"]:
            if application["name"] == "ml_service":
                (deployment,) = application["deployments"]
                del deployment["autoscaling_config"]
                deployment["num_replicas"] = replicas
        head.deploy(config)
        wait_until(lambda: len(head.replicas("ml_service")) == replicas, 60, f"{replicas} replicas of ML")

    deploy(2)
    wait_until(lambda: len(_replicas(gateway, "ml")) == 2, 180, "both are registered")
    body = {"data": [float(i % 50) for i in range(20_000)]}
    enough = threading.Event()
    statuses: list[int] = []

    def load(door: str) -> None:
        while not enough.is_set():  # a POST without a key: nobody may send it twice
            statuses.append(request(door + "/ml/detect/anomaly", body, timeout=60).status)

    with ThreadPoolExecutor(4) as pool:
        work = [pool.submit(load, door) for door in (gateway, head.gateway_url) * 2]
        try:
            wait_until(lambda: len(statuses) > 20, 60, "requests are under way")
            deploy(1)
            wait_until(lambda: len(_replicas(gateway, "ml")) == 1, 180, "one has left the registry")
        finally:
            enough.set()
        for one in work:
            one.result()
    assert set(statuses) == {200}

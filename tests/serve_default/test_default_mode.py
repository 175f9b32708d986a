"""The six services on a head in Ray's default mode, as `ray start` without any variable makes one: docs/serve.md.

tests/serve has a head in throughput mode. What is here is what the mode could break: Serve's own proxy and router carry
requests in another way.
"""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

sys.path.append(str(Path(__file__).parents[1] / "serve"))
from cluster import Head, detect_at_once, request, request_until_answered, wait_until, wait_until_healthy


def _config(head: Head) -> dict[str, Any]:
    """As it is shipped, but for a narrow ML service and a fixed number of replicas."""
    config = head.config()
    for application in config["applications"]:
        (deployment,) = application["deployments"]
        deployment.pop("autoscaling_config", None)
        deployment["num_replicas"] = 2 if application["name"] == "cognitive" else 1
        if application["name"] == "ml_service":
            deployment.update(max_ongoing_requests=1, max_queued_requests=2)
    return config


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Head]:
    with Head(tmp_path_factory.mktemp("data"), throughput_mode=False) as started:
        started.deploy(_config(started))
        yield started


def test_every_service_is_healthy(head: Head) -> None:
    for prefix in ("/ml", "/cognitive", "/pipeline", "/state", "/energy", "/organism"):
        wait_until_healthy(head.gateway_url + prefix)


def test_a_task_is_routed_and_executed(head: Head) -> None:
    wait_until_healthy(head.gateway_url + "/pipeline")
    body = {"id": "d-1", "type": "general_query", "description": "6 * 7", "params": {}}
    answer = request(head.gateway_url + "/pipeline/route-and-execute", body)
    assert answer.status == 200, answer.body
    assert answer.json()["success"] is True
    assert answer.json()["drift"] is not None, "ML was not reached"


def test_beyond_the_bounded_queue_requests_are_answered_with_503(head: Head) -> None:
    statuses = detect_at_once(head.gateway_url, 12)
    assert set(statuses) == {200, 503}, statuses


def test_a_replica_killed_under_load_is_replaced_and_every_request_is_answered(head: Head) -> None:
    head.wait_until_replicas("cognitive", 2)
    victim = head.replicas("cognitive")[0]
    half_way = threading.Event()

    def ask(number: int) -> None:
        if number == 50:
            half_way.set()
        request_until_answered(head.gateway_url + "/cognitive/info")

    with ThreadPoolExecutor(4) as pool:
        work = pool.map(ask, range(150))
        assert half_way.wait(60)
        os.kill(victim, signal.SIGKILL)
        list(work)
    wait_until(
        lambda: victim not in head.replicas("cognitive") and len(head.replicas("cognitive")) == 2, 60, "it is replaced"
    )

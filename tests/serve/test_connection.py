"""seedcore.utils.ray_utils against the head, each case in a program of its own, as users have them."""

import json
import subprocess
import sys
from typing import Any

import pytest
import ray
from cluster import Head, request

from seedcore import _core

UTILS = "from seedcore.utils.ray_utils import ensure_ray_initialized, get_ray_cluster_info, get_ray_namespace\n"


def run(head: Head, program: str, **variables: str) -> tuple[Any, str]:
    """What the program printed last, as JSON, and what it logged."""
    ended = subprocess.run(
        [sys.executable, "-c", "import json, logging\nlogging.basicConfig(level=logging.WARNING)\n" + UTILS + program],
        env=head.environment() | {"SEEDCORE_RAY_CONNECT_TIMEOUT_S": "20", **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout.strip().splitlines()[-1]), ended.stderr


def addresses(head: Head) -> dict[str, str]:
    nodes = request(head.dashboard_url + "/api/v0/nodes").json()["data"]["result"]["result"]
    (alive,) = [node for node in nodes if node["state"] == "ALIVE"]
    return {
        "client": f"ray://127.0.0.1:{head.ports.client}",
        "cluster": f"{alive['node_ip']}:{head.ports.gcs}",
    }


@pytest.mark.parametrize("mode", ["client", "cluster"])
def test_a_program_connects_where_the_environment_says_and_only_once(head: Head, mode: str) -> None:
    program = """
import ray
first = ensure_ray_initialized()
context = ray.get_runtime_context()
namespace, job = context.namespace, context.get_job_id()
second = ensure_ray_initialized()
same = ray.get_runtime_context().get_job_id() == job
print(json.dumps({"connected": [first, second], "namespace": namespace, "same": same}))
"""
    found, _ = run(head, program, RAY_ADDRESS=addresses(head)[mode], SEEDCORE_NS="tests")
    assert found == {"connected": [True, True], "namespace": "tests", "same": True}


@pytest.mark.parametrize("mode", ["client", "cluster"])
def test_threads_that_connect_at_once_share_one_connection(head: Head, mode: str) -> None:
    program = """
import ray
from concurrent.futures import ThreadPoolExecutor
def connect(_):
    return ensure_ray_initialized(), ray.get_runtime_context().get_job_id()
with ThreadPoolExecutor(8) as pool:
    print(json.dumps(sorted(set(pool.map(connect, range(8))))))
"""
    found, log = run(head, program, RAY_ADDRESS=addresses(head)[mode])
    ((connected, _),) = found
    assert connected is True
    assert "not connected" not in log


def test_a_connection_that_has_ended_is_made_anew(head: Head) -> None:
    program = """
import ray
states = [ensure_ray_initialized()]
ray.shutdown()
states += [ray.is_initialized(), ensure_ray_initialized(), ray.is_initialized()]
print(json.dumps(states))
"""
    found, _ = run(head, program, RAY_ADDRESS=addresses(head)["cluster"])
    assert found == [True, False, True, True]


def test_a_cluster_that_is_not_there_is_a_reason_in_the_log_and_no_stray_cluster(head: Head) -> None:
    program = """
import ray
print(json.dumps([ensure_ray_initialized("127.0.0.1:9"), ray.is_initialized()]))
"""
    found, log = run(head, program, SEEDCORE_RAY_CONNECT_TIMEOUT_S="1")
    assert found == [False, False]
    assert log.count("not connected to Ray") == 1
    assert "nothing answers at 127.0.0.1:9" in log


def test_a_wait_that_is_no_number_is_named(head: Head) -> None:
    program = "print(json.dumps(ensure_ray_initialized()))"
    found, log = run(head, program, RAY_ADDRESS=addresses(head)["cluster"], SEEDCORE_RAY_CONNECT_TIMEOUT_S="soon")
    assert found is False
    assert "SEEDCORE_RAY_CONNECT_TIMEOUT_S=soon: expected seconds" in log


def test_the_dashboard_is_no_ray_address(head: Head) -> None:
    found, log = run(head, f'print(json.dumps(ensure_ray_initialized("{head.dashboard_url}")))')
    assert found is False
    assert "dashboard" in log


def test_the_namespace_comes_from_the_environment(head: Head) -> None:
    program = "print(json.dumps(get_ray_namespace()))"
    assert run(head, program)[0] == "seedcore-dev"
    assert run(head, program, RAY_NAMESPACE="b")[0] == "b"
    assert run(head, program, RAY_NAMESPACE="b", SEEDCORE_NS="a")[0] == "a"


@pytest.mark.parametrize("mode", ["client", "cluster"])
def test_the_cluster_describes_itself(head: Head, mode: str) -> None:
    program = """
ensure_ray_initialized()
info = get_ray_cluster_info()
print(json.dumps({
    "connected": info["connected"], "head_node": info["resources"]["head_node"],
    "nodes": sum(node["Alive"] for node in info["nodes"]),
    "serve": info.get("serve"), "namespaces": info["namespaces"], "errors": info.get("errors"),
    "versions": sorted(info["versions"]), "actors": sorted(info.get("actors", [{}])[0])}))
"""
    found, _ = run(head, program, RAY_ADDRESS=addresses(head)[mode])
    assert found["errors"] is None
    assert found["connected"] is True
    assert found["nodes"] == 1
    assert found["head_node"] == 1
    assert found["serve"]["coordinator"] == "RUNNING"
    assert "serve" in found["namespaces"]
    assert found["versions"] == ["ray", "seedcore"]
    assert found["actors"] == ["class", "name", "namespace", "pid"]


def test_who_is_not_connected_is_told_so_instead_of_an_exception(head: Head) -> None:
    program = """
import ray
before = get_ray_cluster_info()
ensure_ray_initialized()
ray.shutdown()
print(json.dumps([before["connected"], get_ray_cluster_info()["connected"]]))
"""
    found, _ = run(head, program, RAY_ADDRESS=addresses(head)["client"])
    assert found == [False, False]


def test_a_ray_that_was_not_tested_is_named_beside_the_one_that_was() -> None:
    assert _core.ray_version_warning(ray.__version__) == ""
    assert _core.ray_version_warning("2.61.0") == "the cluster runs Ray 2.61.0, newer than the tested 2.60"
    assert "older than the tested 2.60" in _core.ray_version_warning("2.9.3")

"""The six services on a real Ray head, through Serve's gateway."""

import os
import signal
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cluster import Head, detect_at_once, request, request_until_answered, wait_until, wait_until_healthy
from programs import Gateway, run

RULES = Path(__file__).parents[2] / "config/predicates.yaml"
PREFIXES = ["/ml", "/cognitive", "/pipeline", "/state", "/energy", "/organism"]


@pytest.mark.parametrize("prefix", PREFIXES)
def test_every_service_is_healthy_behind_the_gateway(head: Head, prefix: str) -> None:
    health: dict[str, object] = {}

    def healthy() -> bool:
        answer = request(head.gateway_url + prefix + "/health")
        health.update(status=answer.status, body=answer.body)
        return answer.status == 200

    wait_until(healthy, 20, f"{prefix}/health is 200: {health}")


def test_serve_took_every_key_of_the_configuration(head: Head) -> None:
    asked = head.config()
    head.deploy(asked)  # other tests scale
    status = head.serve_status()
    assert status["proxy_location"] == "HeadOnly"
    for application in asked["applications"]:
        effective = status["applications"][application["name"]]["deployments"]
        for deployment in application["deployments"]:
            config = effective[deployment["name"]]["deployment_config"]
            _assert_contains(config, {key: deployment[key] for key in deployment if key != "name"}, deployment["name"])


def _assert_contains(effective: object, asked: object, path: str) -> None:
    if isinstance(asked, dict):
        assert isinstance(effective, dict), path
        for key, value in asked.items():
            assert key in effective, f"{path}.{key} was dropped"
            _assert_contains(effective[key], value, f"{path}.{key}")
    else:
        assert effective == asked, path


def test_two_replicas_of_the_organism_are_refused_in_one_line_that_says_what_to_set(head: Head) -> None:
    config = head.config()
    (organism,) = [application for application in config["applications"] if application["name"] == "organism"]
    organism.update(name="two_organisms", route_prefix="/two-organisms")
    (deployment,) = organism["deployments"]
    deployment["num_replicas"] = 2
    config["applications"] = [*head.config()["applications"], organism]
    head.submit(config)
    try:
        wait_until(lambda: _status(head, "two_organisms") == "DEPLOY_FAILED", 120, "it is not deployed")
        (refused,) = head.applications()["two_organisms"]["deployments"].values()
        assert [line for line in refused["message"].splitlines() if "num_replicas" in line] == [
            "ValueError: OrganismManager: set num_replicas to 1, it is 2: "
            "the state of the organism service is in the memory of its one replica"
        ]
        assert request(head.gateway_url + "/organism/health").status == 200, "the one that was there works on"
    finally:
        head.deploy(head.config())


def _status(head: Head, application: str) -> str:
    return str(head.applications().get(application, {}).get("status"))


def test_a_task_is_routed_executed_and_accounted_for(head: Head) -> None:
    answer = request(
        head.gateway_url + "/pipeline/route-and-execute",
        {"id": "t-1", "type": "general_query", "description": "how are you", "params": {}},
    )
    assert answer.status == 200, answer.body
    routed = answer.json()
    assert routed["success"] is True, routed
    assert routed["drift"] is not None, "ML was not reached"
    agents = request(head.gateway_url + "/organism/agents").json()["agents"]
    assert sum(agent["tasks_processed"] for agent in agents) >= 1
    energy = request(head.gateway_url + "/energy/energy-from-state")
    assert energy.status == 200, energy.body


def test_a_triage_called_back_by_an_executor_uses_the_drift_of_its_task(head: Head) -> None:
    series = [float(i % 7) for i in range(200)] + [90.0]
    answer = request(
        head.gateway_url + "/pipeline/route-and-execute",
        {"id": "t-2", "type": "anomaly_triage", "params": {"agent_id": "taxi", "series": series}},
    )
    assert answer.status == 200, answer.body
    valves = request(head.gateway_url + "/pipeline/predicates/status").json()["ocps"]
    fed = [name for name in valves if name.startswith("anomaly_triage|")]
    assert fed == ["anomaly_triage|"], "the valve of the triage itself was fed as well"


def test_replicas_have_the_rules_of_the_store(head: Head) -> None:
    config = head.config()
    (coordinator,) = [application for application in config["applications"] if application["name"] == "coordinator"]
    coordinator["deployments"][0]["num_replicas"] = 2

    def rules() -> dict[str, Any]:
        status: dict[str, Any] = request(head.gateway_url + "/pipeline/predicates/status").json()["predicate_config"]
        return status

    try:
        head.deploy(config)
        head.wait_until_running(config)
        shipped = RULES.read_text()
        put = request(head.gateway_url + "/pipeline/predicates", {"yaml": shipped}, method="PUT")
        assert put.status == 200, put.body
        version = put.json()["version"]
        assert version >= 1
        wait_until(lambda: all(rules()["store_version"] == version for _ in range(40)), 30, "both replicas have them")
    finally:
        withdrawn = request(head.gateway_url + "/pipeline/predicates", method="DELETE")
        assert withdrawn.status == 200, withdrawn.body
        head.deploy(head.config())
        head.wait_until_running(head.config())


def test_errors_are_those_of_the_embedded_server(head: Head) -> None:
    answer = request(head.gateway_url + "/ml/drift/score", {"task": {}}, {"X-Request-ID": "r-1"})
    assert answer.status == 422
    assert answer.json()["error"]["path"] == "task"
    assert answer.headers["x-request-id"] == "r-1"
    assert request(head.gateway_url + "/ml/nowhere").status == 404


def _score(head: Head, stream: str, number: int) -> None:
    """One drift score, repeated until it succeeds."""
    body = {"task": {"id": f"{stream}-{number}", "type": stream, "description": "the usual"}}
    request_until_answered(head.gateway_url + "/ml/drift/score", body, {"Idempotency-Key": f"{stream}-{number}"})


def _observations(head: Head, stream: str) -> int:
    body = {"task": {"id": f"{stream}-last", "type": stream, "description": "the usual"}}
    observations: int = request(head.gateway_url + "/ml/drift/score", body).json()["observations"]
    return observations


@pytest.fixture
def state_replica(head: Head) -> int:
    """Process id of the one replica of the state service, whose health Serve asks for twice a second."""
    config = head.config()
    (state,) = [application for application in config["applications"] if application["name"] == "state"]
    state["deployments"][0]["health_check_period_s"] = 0.5
    head.deploy(config)
    (replica,) = head.replicas("state")
    return replica


def _assert_replaced(head: Head, victim: int) -> None:
    wait_until(lambda: head.replicas("state") not in ([], [victim]), 60, "Serve replaces it")
    wait_until_healthy(head.gateway_url + "/state")


def test_a_replica_whose_engine_was_stopped_is_replaced(head: Head, state_replica: int) -> None:
    # As Serve does at the end of a replica, but Serve has not asked for it and goes on sending requests.
    stopped = run(head, [sys.executable, "-c", _STOP], RAY_ADDRESS=f"127.0.0.1:{head.ports.gcs}")
    assert stopped.code == 0, stopped.err
    _assert_replaced(head, state_replica)


_STOP = """
from ray import serve
from seedcore.utils.ray_utils import ensure_ray_initialized
assert ensure_ray_initialized()
serve.get_app_handle("state").options(method_name="__del__").remote().result(timeout_s=60)
"""


def test_a_replica_whose_own_listener_does_not_accept_is_replaced(head: Head, state_replica: int) -> None:
    with Gateway(head) as gateway:
        wait_until(lambda: len(gateway.replicas("state")) == 1, 60, "the replica is registered")
        (replica,) = gateway.replicas("state")
        address = str(replica["address"])
        shut = run(head, [sys.executable, "-c", _SHUT, address], RAY_ADDRESS=f"127.0.0.1:{head.ports.gcs}")
        assert shut.code == 0, shut.err
        _assert_replaced(head, state_replica)

        def successor_is_known() -> bool:
            return [each["state"] for each in gateway.replicas("state") if each["address"] != address] == ["serving"]

        wait_until(successor_is_known, 60, "its successor listens")


# In the replica's process, behind its back: the descriptor stays open, as for a fault from outside.
_SHUT = """
import contextlib, os, socket, sys
import ray
from ray.util import list_named_actors
from seedcore.utils.ray_utils import ensure_ray_initialized

def shut(_, address):
    host, port = address.rsplit(":", 1)
    count = 0
    for entry in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(int(entry))) as one:
            if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) and one.getsockname() == (host, int(port)):
                one.shutdown(socket.SHUT_RDWR)
                count += 1
    return count

assert ensure_ray_initialized()
(replica,) = [actor for actor in list_named_actors(all_namespaces=True) if "#StateService#" in actor["name"]]
handle = ray.get_actor(replica["name"], namespace=replica["namespace"])
assert ray.get(handle.__ray_call__.remote(shut, sys.argv[1]), timeout=60) == 1
"""


@pytest.fixture(scope="module")
def two_of_each(head: Head) -> Head:
    """ML and the coordinator with two replicas each."""
    config = head.config()
    for application in config["applications"]:
        (deployment,) = application["deployments"]
        if application["name"] in ("ml_service", "coordinator"):
            deployment.pop("autoscaling_config", None)
            deployment["num_replicas"] = 2
    head.deploy(config)
    for name in ("ml_service", "coordinator"):
        head.wait_until_replicas(name, 2)
    return head


def test_replicas_judge_a_stream_by_one_baseline(two_of_each: Head) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: _score(two_of_each, "shared", number), range(40)))
    assert _observations(two_of_each, "shared") == 40


def test_a_replica_killed_under_load_loses_no_request_and_counts_none_twice(two_of_each: Head) -> None:
    head = two_of_each
    victim = head.replicas("ml_service")[0]
    half_way = threading.Event()
    answered: list[int] = []

    def score(number: int) -> None:
        if number == 60:
            half_way.set()
        _score(head, "killed", number)
        answered.append(number)

    with ThreadPoolExecutor(8) as pool:
        work = pool.map(score, range(300))
        assert half_way.wait(60)
        os.kill(victim, signal.SIGKILL)
        before = len(answered)
        list(work)
    assert before < 290, "the replica was killed when the work was as good as done"
    assert sorted(answered) == list(range(300))
    assert _observations(head, "killed") == 300
    _await_replacement(head, "ml_service", victim)


def _await_replacement(head: Head, application: str, victim: int) -> None:
    def replaced() -> bool:
        replicas = head.replicas(application)
        return victim not in replicas and len(replicas) == 2

    wait_until(replaced, 120, f"Serve replaces a dead replica of {application}")


def test_tasks_survive_the_death_of_a_coordinator_and_of_the_ml_replica_it_asks(two_of_each: Head) -> None:
    head = two_of_each
    half_way = threading.Event()

    def route(number: int) -> bool:
        if number == 20:
            half_way.set()
        body = {"id": f"route-{number}", "type": "health_check", "params": {}}
        answer = request_until_answered(head.gateway_url + "/pipeline/route-and-execute", body, timeout=15)
        return bool(answer.json()["success"])

    with ThreadPoolExecutor(6) as pool:
        work = pool.map(route, range(60))
        assert half_way.wait(60)
        victims = {name: head.replicas(name)[0] for name in ("coordinator", "ml_service")}
        for victim in victims.values():
            os.kill(victim, signal.SIGKILL)
        assert all(list(work))
    for name, victim in victims.items():
        _await_replacement(head, name, victim)


@pytest.fixture(scope="module")
def narrow(two_of_each: Head) -> tuple[Head, set[int]]:
    """Another user_config for the cognitive service, and a narrow ML service. With the replicas there were before."""
    head = two_of_each
    config = head.config()
    for application in config["applications"]:
        (deployment,) = application["deployments"]
        if application["name"] == "cognitive":
            deployment["user_config"] = {"cognitive": {"retrieval_limit": 5}}
        if application["name"] == "ml_service":
            del deployment["autoscaling_config"]
            deployment.update(num_replicas=1, max_ongoing_requests=1, max_queued_requests=2)
    before = set(head.replicas("cognitive"))
    head.deploy(config)
    return head, before


def test_another_user_config_reaches_the_running_replicas(narrow: tuple[Head, set[int]]) -> None:
    head, before = narrow

    def limits() -> set[int]:
        answers = [request(head.gateway_url + "/cognitive/info").json() for _ in range(6)]
        return {answer["profiles"]["fast"]["max_facts"] for answer in answers}

    wait_until(lambda: limits() == {5}, 30, "the new limit is in force in all replicas")
    assert set(head.replicas("cognitive")) == before


def test_beyond_the_bounded_queue_requests_are_answered_with_503(narrow: tuple[Head, set[int]]) -> None:
    head, _ = narrow
    statuses = detect_at_once(head.gateway_url, 12)
    assert set(statuses) == {200, 503}, statuses


def test_a_client_that_leaves_takes_its_request_with_it(head: Head) -> None:
    connection = socket.create_connection(("127.0.0.1", head.ports.serve))
    body = b'{"data":[' + b",".join([b"1.5"] * 200_000) + b"]}"
    connection.sendall(
        b"POST /ml/detect/anomaly HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body
    )
    connection.close()
    assert request(head.gateway_url + "/ml/health").status == 200

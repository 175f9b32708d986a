"""Two hosts over PostgreSQL: a head, and a second raylet with dispatchers and a replica, which is killed at the end."""

import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cluster import Head, request, wait_until
from postgres import Postgres, binaries
from programs import Gateway, bootstrap, dispatchers, is_dispatcher, living, living_nodes, seedcore
from task_api import TaskApi
from webhook import Webhook

pytestmark = pytest.mark.skipif(binaries() is None, reason="no PostgreSQL is installed")

LEASE_S = 3
SECOND = "127.0.0.2"
TOKEN = "the-cluster-token-of-this-suite-0123456789"
COUNT = 4
SHARED = {"SEEDCORE_CLUSTER_TOKEN": TOKEN}


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with Postgres() as started:
        yield started


@pytest.fixture(scope="module")
def store(postgres: Postgres) -> dict[str, str]:
    """Where the store is, for programs outside of the cluster."""
    return {**SHARED, "SEEDCORE_PG_DSN": postgres.dsn}


@pytest.fixture(scope="module")
def head(tmp_path_factory: pytest.TempPathFactory, webhook: Webhook, store: dict[str, str]) -> Iterator[Head]:
    more = {
        **store,
        "SEEDCORE_DIRECT_LISTEN": "0.0.0.0:0",
        "TASK_LEASE_S": str(LEASE_S),
        "SEEDCORE_WEBHOOK_ALLOW": webhook.url,
        "SEEDCORE_ORGANISM_WEBHOOK_TIMEOUT": "60",
    }
    with Head(tmp_path_factory.mktemp("data"), more) as started:
        yield started


@pytest.fixture(scope="module")
def second(head: Head) -> int:
    """The raylet of the second host."""
    node = head.add_node(SECOND, {"num-cpus": 2, "memory": 4_000_000_000})
    wait_until(lambda: len(living_nodes(head)) == 2, 60, "a second node")
    return node


@pytest.fixture(scope="module")
def services(head: Head, second: int) -> None:
    """The six services; one replica of cognitive on each host."""
    config = head.config()
    for application in config["applications"]:
        if application["name"] == "cognitive":
            (deployment,) = application["deployments"]
            del deployment["ray_actor_options"]["resources"]
            deployment["max_replicas_per_node"] = 1
    head.deploy(config)


@pytest.fixture(scope="module")
def actors(head: Head, services: None) -> None:
    ended = bootstrap(head, DISPATCHER_COUNT=str(COUNT))
    assert ended.code == 0, ended.out + ended.err
    assert f"{COUNT} dispatchers have executed health checks" in ended.out


@pytest.fixture(scope="module")
def gateway(head: Head, store: dict[str, str], services: None) -> Iterator[Gateway]:
    with Gateway(head, **store) as started:
        yield started


@pytest.fixture(scope="module")
def task_api(head: Head, store: dict[str, str]) -> Iterator[TaskApi]:
    with TaskApi(head, store) as started:
        yield started


def node_of(head: Head) -> dict[str, str]:
    """Address of the node by its id."""
    return {node["node_id"]: node["node_ip"] for node in living_nodes(head)}


def placed(head: Head) -> dict[str, str]:
    """Address of the node by dispatcher."""
    where = node_of(head)
    return {name: where.get(actor["node_id"], "?") for name, actor in living(head).items() if is_dispatcher(name)}


def listed(head: Head, store: dict[str, str], *arguments: str) -> list[dict[str, Any]]:
    ended = seedcore(head, "dispatchers", "--json", *arguments, **store)
    assert ended.code == 0, ended.out + ended.err
    rows: list[dict[str, Any]] = json.loads(ended.out)
    return rows


def test_dispatchers_run_on_both_hosts_over_postgresql(head: Head, actors: None, store: dict[str, str]) -> None:
    assert set(placed(head).values()) > {SECOND}, placed(head)
    rows = listed(head, store)
    assert [row["name"] for row in rows] == [*dispatchers(head), "seedcore_reaper"]
    for row in rows:
        assert row["state"] == "running"
        assert row["store_backend"] == "postgresql"
        assert "heartbeat_error" not in row
    assert len({row["epoch"] for row in rows}) == 1, "all in the current epoch"


def test_dispatchers_and_the_organism_are_called_straight_with_the_cluster_token(
    head: Head, actors: None, gateway: Gateway
) -> None:
    wait_until(lambda: len(gateway.routes()["dispatchers"]) == COUNT + 1, 15, "the gateway shows every dispatcher")
    entry = gateway.routes()["dispatchers"][0]
    url = f"http://{entry['address']}/dispatch"
    assert request(url + "/health").status == 401
    token = {"authorization": f"Bearer {TOKEN}"}
    health = request(url + "/health", headers=token)
    assert (health.status, health.json()["name"]) == (200, entry["name"])
    assert b"seedcore_" in request(url + "/metrics", headers=token).body
    checked = request(url + "/health-check", {"count": 2}, headers=token).json()["tasks"]
    assert [task["status"] for task in checked] == ["completed", "completed"]
    # Organs live in the memory of the organism's one replica, which is called in the same way.
    (organism,) = gateway.replicas("organism")
    status = request(f"http://{organism['address']}/organism/health", headers=token)
    assert status.json()["organism_initialized"] is True, status.body


def test_a_dispatcher_drained_at_its_listener_is_replaced_by_the_bootstrap(
    head: Head, actors: None, store: dict[str, str]
) -> None:
    name = dispatchers(head)[0]
    (row,) = listed(head, store, name, "--drain")
    assert row["state"] == "stopped"
    assert name not in [row["name"] for row in listed(head, store)], "who has drained is off the list"
    ended = bootstrap(head, BOOTSTRAP_MODE="dispatchers", DISPATCHER_COUNT=str(COUNT))
    assert ended.code == 0, ended.out + ended.err
    assert f"{name}: is stopped; replaced" in ended.out
    assert name in [row["name"] for row in listed(head, store)]


def test_the_task_api_works_beside_the_dispatchers_of_the_cluster(actors: None, task_api: TaskApi) -> None:
    ready = request(task_api.url.removesuffix("/api/v1") + "/readyz").json()
    assert ready["deps"]["dispatcher"] == "elsewhere"
    task_id = task_api.submit({"type": "general_query", "description": "6 * 7", "params": {}})
    task = task_api.await_end(task_id, 30)
    assert task["status"] == "completed", task
    (claimed,) = [event for event in task_api.events(task_id) if event["kind"] == "claimed"]
    assert re.match(r"seedcore_dispatcher_\d+-", claimed["owner_id"]), claimed


def test_graph_dispatchers_are_proven_by_graph_tasks_and_removed_as_surplus(head: Head, actors: None) -> None:
    variables = {"BOOTSTRAP_MODE": "dispatchers", "DISPATCHER_COUNT": str(COUNT)}
    ended = bootstrap(head, SEEDCORE_GRAPH_DISPATCHERS="1", **variables)
    assert ended.code == 0, ended.out + ended.err
    assert "1 dispatchers have executed graph tasks" in ended.out
    assert "seedcore_graph_dispatcher_0" in living(head)
    ended = bootstrap(head, **variables)
    assert ended.code == 0, ended.out + ended.err
    assert not [name for name in living(head) if "graph" in name]


def test_a_host_that_dies_loses_no_task_and_no_request(
    head: Head, second: int, *, actors: None, gateway: Gateway, task_api: TaskApi, webhook: Webhook
) -> None:
    wait_until(lambda: len(gateway.replicas("cognitive")) == 2, 60, "a replica of cognitive on each host")
    assert len({replica["node_id"] for replica in gateway.replicas("cognitive")}) == 2
    # Held tasks until dispatchers of both hosts have some.
    where = placed(head)
    held: dict[str, str] = {}

    def host_of(task: str) -> str:
        owner = task_api.events(task)[-1]["owner_id"]
        return next((host for name, host in where.items() if owner.startswith(name + "-")), "")

    def hosts_at_work() -> set[str]:
        name = f"held-{len(held)}"
        held[task_api.submit(webhook.task(name))] = name
        assert webhook.entered(name).wait(20)
        return {host_of(task) for task in held} - {""}

    wait_until(lambda: len(hosts_at_work()) == 2 or len(held) > 24, 60, "tasks on both hosts")
    doomed = [task for task in held if host_of(task) == SECOND]
    assert doomed, "no dispatcher of the second host took a task"
    submitted: list[str] = []
    stop = threading.Event()

    def load() -> None:
        while not stop.wait(0.02) and len(submitted) < 300:
            number = len(submitted)
            submitted.append(task_api.submit({"type": "general_query", "description": f"{number} + 1", "params": {}}))

    def ask() -> list[int]:
        statuses = []
        while not stop.is_set():
            statuses.append(request(gateway.url + "/cognitive/info").status)
        return statuses

    with ThreadPoolExecutor(4) as pool:
        loading = pool.submit(load)
        asking = [pool.submit(ask) for _ in range(2)]
        wait_until(lambda: len(submitted) > 20, 30, "tasks are being submitted")
        head.end(second)
        before = len(submitted)
        wait_until(lambda: len(submitted) > before + 20, 30, "tasks are being submitted after the death")
        wait_until(lambda: len(gateway.replicas("cognitive")) == 1, 60, "the dead replica is off the list")
        for name in held.values():
            webhook.release(name)
        stop.set()
        loading.result()
        for statuses in asking:
            assert set(statuses.result()) == {200}

    for task in [*held, *submitted]:
        ended = task_api.await_end(task, 60)
        assert ended["status"] == "completed", ended
        kinds = Counter(event["kind"] for event in task_api.events(task))
        assert kinds["completed"] == 1, kinds
    for task in doomed:
        claims = [event["owner_id"] for event in task_api.events(task) if event["kind"] == "claimed"]
        assert len(claims) == 2
        assert claims[0] != claims[1], "finished elsewhere"

    def all_on_the_first() -> bool:
        # Until Ray has noticed the death, it lists those of the dead host as alive.
        hosts = placed(head).values()
        return len(hosts) == COUNT and SECOND not in hosts

    wait_until(all_on_the_first, 90, "Ray restarts the dispatchers on the host that is left")

"""The bootstrap and its actors on the head. First of this folder: it finds the cluster without actors."""

import datetime
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cluster import Head, request, wait_until
from conftest import LEASE_S
from programs import Ended, bootstrap, living, run
from task_api import SEEDCORE, TaskApi
from webhook import Webhook

NAMES = ["seedcore_dispatcher_0", "seedcore_dispatcher_1", "seedcore_reaper"]
ORGANS = ["seedcore_organ_actuator_organ_1", "seedcore_organ_cognitive_organ_1", "seedcore_organ_utility_organ_1"]
ALL = sorted(NAMES + ORGANS)


def unix(text: str) -> float:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


@pytest.fixture(scope="module")
def twice(head: Head) -> list[Ended]:
    """Two bootstraps at the same time."""
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda _: bootstrap(head), range(2)))


@pytest.fixture
def second_host(head: Head) -> Iterator[None]:
    """Another node, with an address of its own, while the test runs."""

    def nodes() -> int:
        found = request(head.dashboard_url + "/api/v0/nodes").json()["data"]["result"]["result"]
        return sum(node["state"] == "ALIVE" for node in found)

    before = nodes()
    raylet = head.add_node("127.0.0.2")
    wait_until(lambda: nodes() == before + 1, 60, "a second node")
    yield
    head.end(raylet)
    wait_until(lambda: nodes() == before, 60, "the second node is gone")


def test_two_bootstraps_at_once_do_the_work_once(head: Head, twice: list[Ended]) -> None:
    for ended in twice:
        assert ended.code == 0, ended.out + ended.err
        assert "bootstrap: organism: healthy" in ended.out
        assert "not through its Serve handle" not in ended.out
        assert "2 dispatchers have executed health checks" in ended.out
        assert "3 actors have executed a health task" in ended.out
    first, second = (ended.actors() for ended in twice)
    assert sorted(first) == sorted(second) == ALL
    for name in ALL:
        assert first[name][1] == second[name][1], "two actors of one name"
        assert {first[name][0], second[name][0]} == {"started", "is there"}, name
    assert sorted(name for name in living(head)) == ALL


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_another_bootstrap_leaves_everything_as_it_is(head: Head, twice: list[Ended], scheme: str) -> None:
    port = head.ports.client if scheme else head.ports.gcs
    ended = bootstrap(
        head,
        RAY_ADDRESS=f"{scheme}127.0.0.1:{port}",
        SERVE_GATEWAY=head.gateway_url,
        RAY_SERVE_THROUGHPUT_OPTIMIZED="1",  # as on the head, where jobs run
    )
    assert ended.code == 0, ended.out + ended.err
    assert "organism: asked through its Serve handle" in ended.out
    assert "not through its Serve handle" not in ended.out
    assert ended.actors() == {name: ("is there", pid) for name, (_, pid) in twice[0].actors().items()}


def test_the_command_needs_no_python_and_shows_the_log_of_the_job(head: Head, twice: list[Ended]) -> None:
    command = [SEEDCORE, "bootstrap", "--mode", "dispatchers", "--python", sys.executable]
    ended = run(head, command, RAY_DASHBOARD_URL=head.dashboard_url)
    assert ended.code == 0, ended.out + ended.err
    assert ended.actors().keys() == set(NAMES)
    assert "bootstrap: done: mode dispatchers" in ended.out
    assert "organism" not in ended.out
    failed = run(head, [SEEDCORE, "bootstrap", "--python", "/bin/false"], RAY_DASHBOARD_URL=head.dashboard_url)
    assert failed.code == 1, failed.out + failed.err


def test_a_task_survives_the_death_of_its_dispatcher_which_ray_restarts(
    head: Head, twice: list[Ended], task_api: TaskApi, webhook: Webhook
) -> None:
    task_id = task_api.submit(webhook.task("killed"))
    assert webhook.entered("killed").wait(20), task_api.task(task_id)
    owner = task_api.events(task_id)[-1]["owner_id"]
    victim = next(name for name in NAMES if owner.startswith(name + "-"))
    pid = living(head)[victim]["pid"]
    os.kill(pid, signal.SIGKILL)
    killed = time.time()
    task = task_api.await_end(task_id, 30)
    webhook.release("killed")
    assert task["status"] == "completed", task
    events = task_api.events(task_id)
    kinds = Counter(event["kind"] for event in events)
    assert kinds["completed"] == 1
    assert kinds["claimed"] == 2
    assert webhook.calls("killed") == 2
    second_claim = [event for event in events if event["kind"] == "claimed"][1]
    assert second_claim["owner_id"] != owner
    assert unix(second_claim["at"]) - killed <= LEASE_S + 2, second_claim
    (completed,) = [event for event in events if event["kind"] == "completed"]
    assert completed["owner_id"] == second_claim["owner_id"]
    assert unix(completed["at"]) - killed <= LEASE_S + 2, completed

    wait_until(lambda: living(head).get(victim, {}).get("pid", pid) != pid, 30, f"Ray restarts {victim}")
    ended = bootstrap(head, BOOTSTRAP_MODE="dispatchers")
    assert ended.code == 0, ended.out + ended.err
    assert ended.actors()[victim][0] == "is there", "restarted by Ray, not by the bootstrap"


def test_status_never_waits_behind_a_drain_and_a_drained_dispatcher_is_replaced(
    head: Head, twice: list[Ended], task_api: TaskApi, webhook: Webhook
) -> None:
    task_id = task_api.submit(webhook.task("draining"))
    assert webhook.entered("draining").wait(20), task_api.task(task_id)
    owner = task_api.events(task_id)[-1]["owner_id"]
    name = next(name for name in NAMES if owner.startswith(name + "-"))

    def call(*method: str) -> Any:
        address = f"ray://127.0.0.1:{head.ports.client}"
        ended = run(head, [SEEDCORE, "ray", "call", name, *method], RAY_ADDRESS=address)
        assert ended.code == 0, ended.err
        return json.loads(ended.out)

    with ThreadPoolExecutor(1) as pool:
        drain = pool.submit(call, "drain", "[20]")
        wait_until(lambda: call("status")["state"] == "draining", 15, "the status while it drains")
        assert task_api.task(task_id)["status"] == "running", "the drain was over when the status came"
        webhook.release("draining")
        left = drain.result()
    assert left["state"] == "stopped"
    assert left["dispatcher"]["handed_back"] == 0
    assert task_api.await_end(task_id, 10)["status"] == "completed"
    ended = bootstrap(head, BOOTSTRAP_MODE="dispatchers")
    assert ended.code == 0, ended.out + ended.err
    assert f"{name}: is stopped; replaced" in ended.out
    assert ended.actors()[name][0] == "started"


def test_dispatchers_replaced_under_load_lose_no_task(
    head: Head, twice: list[Ended], task_api: TaskApi, webhook: Webhook
) -> None:
    before = {name: actor["pid"] for name, actor in living(head).items() if name in NAMES}
    ids: list[str] = []
    stop = threading.Event()

    def load() -> None:
        while not stop.wait(0.03) and len(ids) < 400:
            ids.append(task_api.submit({"type": "general_query", "description": f"{len(ids)} + 1", "params": {}}))

    with ThreadPoolExecutor(3) as pool:
        feeders = [pool.submit(load) for _ in range(2)]
        slow = task_api.submit(webhook.task("replaced"))
        assert webhook.entered("replaced").wait(20)
        replace = {"FORCE_REPLACE_DISPATCHERS": "true", "DISPATCHER_DRAIN_TIMEOUT_S": "1"}
        ended = bootstrap(head, BOOTSTRAP_MODE="dispatchers", **replace)
        webhook.release("replaced")
        stop.set()
        for feeder in feeders:
            feeder.result()
    assert ended.code == 0, ended.out + ended.err
    after = {name: actor["pid"] for name, actor in living(head).items() if name in NAMES}
    assert sorted(after) == NAMES
    assert not set(before.values()) & set(after.values()), "an actor was not replaced"
    assert len(ids) > 20
    assert webhook.calls("replaced") == 2, "the task that could not finish in time was not handed back"
    for task_id in [slow, *ids]:
        assert task_api.await_end(task_id, 60)["status"] == "completed"
        assert Counter(event["kind"] for event in task_api.events(task_id))["completed"] == 1


def test_fewer_dispatchers_are_a_smaller_count_away(head: Head, twice: list[Ended]) -> None:
    ended = bootstrap(head, DISPATCHER_COUNT="1", BOOTSTRAP_MODE="dispatchers")
    assert ended.code == 0, ended.out + ended.err
    assert sorted(set(living(head)) - set(ORGANS)) == [NAMES[0], NAMES[2]]


@pytest.mark.parametrize(
    ("variables", "code", "expected"),
    [
        ({"BOOTSTRAP_MODE": "organisms"}, 2, "BOOTSTRAP_MODE=organisms: expected all, organism, dispatchers"),
        ({"DISPATCHER_COUNT": "many"}, 2, "DISPATCHER_COUNT=many: expected a number from 0 to 1000"),
        ({"RAY_ADDRESS": "127.0.0.1:9", "SEEDCORE_RAY_CONNECT_TIMEOUT_S": "1"}, 1, "nothing answers at 127.0.0.1:9"),
        ({"DISPATCHER_SETTINGS": '{"queue.leases": 5}', "SEEDCORE_NS": "wrong"}, 1, "queue.leases"),
    ],
)
def test_what_goes_wrong_is_one_line_that_says_where_to_look(
    head: Head, variables: dict[str, str], code: int, expected: str
) -> None:
    ended = (
        bootstrap(head, BOOTSTRAP_MODE="dispatchers", **{"DISPATCHER_COUNT": "1", **variables})
        if "BOOTSTRAP_MODE" not in variables
        else bootstrap(head, **variables)
    )
    assert ended.code == code, ended.out + ended.err
    lines = [line for line in ended.err.splitlines() if line.startswith("bootstrap: ")]
    assert len(lines) == 1, ended.err
    assert expected in lines[0]
    assert "; look at: " in lines[0]


def test_sqlite_on_several_hosts_is_refused_with_the_setting_that_helps(head: Head, second_host: None) -> None:
    variables = {"SEEDCORE_NS": "several", "BOOTSTRAP_MODE": "dispatchers", "DISPATCHER_COUNT": "1"}
    ended = bootstrap(head, **variables)
    assert ended.code == 1, ended.out + ended.err
    assert "SQLite is the store of one host, and there are 2" in ended.err
    assert "SEEDCORE_PG_DSN" in ended.err
    pinned = bootstrap(head, PIN_TO_HEAD_NODE="true", **variables)
    assert pinned.code == 0, pinned.out + pinned.err
    # Replicas are refused likewise, unless they need the head's resource, as those of the shipped configuration do.
    config = head.config()
    (state,) = [each for each in config["applications"] if each["name"] == "state"]
    (deployment,) = state["deployments"]
    anywhere = state | {
        "name": "anywhere",
        "route_prefix": "/anywhere",
        "deployments": [deployment | {"ray_actor_options": {"num_cpus": 0.1}}],
    }
    head.submit(config | {"applications": [*config["applications"], anywhere]})

    def refused() -> bool:
        application = head.applications().get("anywhere", {})
        return "SEEDCORE_PG_DSN" in str([each["message"] for each in application.get("deployments", {}).values()])

    wait_until(refused, 90, "the replica is refused with the setting that helps")
    assert head.applications()["state"]["status"] == "RUNNING"
    head.deploy(config)


def test_a_bootstrap_that_is_killed_goes_on_where_it_stopped(head: Head, twice: list[Ended]) -> None:
    variables = {
        "RAY_ADDRESS": f"127.0.0.1:{head.ports.gcs}",
        "SEEDCORE_NS": "killed",
        "BOOTSTRAP_MODE": "dispatchers",
        "DISPATCHER_COUNT": "2",
    }
    environment = head.environment() | {"PATH": os.environ["PATH"]} | variables
    command = [sys.executable, "-m", "bootstraps.bootstrap_entry"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as killed:
        assert killed.stdout is not None
        for line in killed.stdout:
            if "seedcore_dispatcher_0: started" in line:
                break
        killed.kill()
    first = living(head, "killed")
    assert {"seedcore_reaper", "seedcore_dispatcher_0"} <= set(first)
    ended = bootstrap(head, **variables)
    assert ended.code == 0, ended.out + ended.err
    actors = ended.actors()
    assert actors["seedcore_reaper"] == ("is there", first["seedcore_reaper"]["pid"])
    assert actors["seedcore_dispatcher_0"] == ("is there", first["seedcore_dispatcher_0"]["pid"])
    assert "seedcore_dispatcher_1" in actors
    # Nobody else needs them.
    ended = bootstrap(head, **{**variables, "DISPATCHER_COUNT": "0"})
    assert ended.code == 0, ended.out + ended.err


def test_a_store_that_another_process_keeps_to_itself_is_named(head: Head, tmp_path_factory: Any) -> None:
    folder = tmp_path_factory.mktemp("private")
    command = [SEEDCORE, "up", "--data-dir", str(folder), "--listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0"]
    with subprocess.Popen(command, env=head.environment(), stdout=subprocess.PIPE, text=True) as private:
        assert private.stdout is not None
        assert private.stdout.readline().startswith("ready")
        settings = f'{{"store.data_dir": "{folder}"}}'
        ended = bootstrap(
            head,
            BOOTSTRAP_MODE="dispatchers",
            SEEDCORE_NS="private",
            DISPATCHER_SETTINGS=settings,
            DISPATCHER_READY_TIMEOUT_S="15",
            ENABLE_REAPER="false",
            DISPATCHER_COUNT="1",
        )
        private.terminate()
    assert ended.code == 1, ended.out + ended.err
    assert str(folder) in ended.err
    # It waits for the store, and runs once that is free.
    ended = bootstrap(
        head,
        BOOTSTRAP_MODE="dispatchers",
        SEEDCORE_NS="private",
        DISPATCHER_SETTINGS=settings,
        ENABLE_REAPER="false",
        DISPATCHER_COUNT="1",
    )
    assert ended.code == 0, ended.out + ended.err
    assert ended.actors()["seedcore_dispatcher_0"][0] == "is there"

"""Actors of organs on the head: they do the work, one that dies loses none, and they are replaced on demand."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
from cluster import Head, request, wait_until
from programs import bootstrap, living, run
from task_api import SEEDCORE, TaskApi
from test_bootstrap import ORGANS
from webhook import Webhook

ORGAN = "actuator_organ_1"  # of the type execute
NAME = "seedcore_organ_" + ORGAN


@pytest.fixture(scope="module", autouse=True)
def organs(head: Head) -> None:
    ended = bootstrap(head, DISPATCHER_COUNT="1")
    assert ended.code == 0, ended.out + ended.err
    assert set(ORGANS) <= ended.actors().keys()


def hosts(head: Head) -> list[dict[str, str]]:
    """Who does the organ's work, as the organism sees it."""
    answer = request(head.gateway_url + "/organism/organism-status").json()
    (organ,) = [each for each in answer["status"] if each["organ_id"] == ORGAN]
    found: list[dict[str, str]] = organ.get("hosts", [])
    return found


def execute(head: Head, organ: str) -> dict[str, Any]:
    body = {"organ_id": organ, "task": {"type": "general_query", "description": "1 + 1"}}
    reply: dict[str, Any] = request(head.gateway_url + "/organism/execute-on-organ", body).json()
    assert reply["success"], reply
    return reply


def test_every_organs_work_is_done_by_its_actor_and_health_says_where(head: Head) -> None:
    for name in ORGANS:
        assert execute(head, name.removeprefix("seedcore_organ_"))["result"]["host"] == name
    shown = run(head, [SEEDCORE, "health"], SERVE_GATEWAY=head.gateway_url)
    assert f"{NAME} at 127.0.0.1:" in shown.out, shown.out + shown.err
    actors = run(head, [SEEDCORE, "ray", "actors", "--name", NAME], RAY_DASHBOARD_URL=head.dashboard_url)
    assert NAME in actors.out, actors.out + actors.err


def test_a_task_survives_the_death_of_its_organs_actor_which_ray_restarts(
    head: Head, task_api: TaskApi, webhook: Webhook
) -> None:
    (before,) = hosts(head)
    task_id = task_api.submit(webhook.task("organ killed"))
    assert webhook.entered("organ killed").wait(20), task_api.task(task_id)
    pid = living(head)[NAME]["pid"]
    os.kill(pid, signal.SIGKILL)
    task = task_api.await_end(task_id, 30)
    webhook.release("organ killed")
    assert task["status"] == "completed", task
    kinds = Counter(event["kind"] for event in task_api.events(task_id))
    assert kinds["completed"] == 1
    assert kinds["claimed"] == 1, "the organism had it done elsewhere, under the same lease"
    assert webhook.calls("organ killed") == 2

    def is_back() -> bool:
        return living(head).get(NAME, {}).get("pid", pid) != pid and any(
            host["address"] != before["address"] for host in hosts(head)
        )

    wait_until(is_back, 60, f"Ray restarts {NAME}, and it listens again")
    wait_until(lambda: execute(head, ORGAN)["result"].get("host") == NAME, 30, "work is done by the new one")
    ended = bootstrap(head, DISPATCHER_COUNT="1", BOOTSTRAP_MODE="organism")
    assert ended.code == 0, ended.out + ended.err
    assert ended.actors()[NAME][0] == "is there", "restarted by Ray, not by the bootstrap"


def test_a_frozen_actor_of_an_organ_holds_no_task_until_its_deadline(
    head: Head, task_api: TaskApi, webhook: Webhook
) -> None:
    pid = living(head)[NAME]["pid"]
    task_id = task_api.submit(webhook.task("organ frozen"))
    assert webhook.entered("organ frozen").wait(20), task_api.task(task_id)
    os.kill(pid, signal.SIGSTOP)
    try:
        webhook.release("organ frozen")
        task = task_api.await_end(task_id, 40)  # the time of an execution is ten minutes
        assert task["status"] == "completed", task
        assert "host" not in execute(head, ORGAN)["result"], "it is left alone"
    finally:
        os.kill(pid, signal.SIGCONT)
    assert Counter(event["kind"] for event in task_api.events(task_id))["completed"] == 1
    wait_until(lambda: execute(head, ORGAN)["result"].get("host") == NAME, 60, "it is used again")


def test_organs_are_replaced_on_demand_and_their_work_is_not_lost(
    head: Head, task_api: TaskApi, webhook: Webhook
) -> None:
    before = {name: living(head)[name]["pid"] for name in ORGANS}
    task_id = task_api.submit(webhook.task("organ replaced"))
    assert webhook.entered("organ replaced").wait(20)
    replace = {"FORCE_REPLACE_ORGANS": "true", "ORGAN_DRAIN_TIMEOUT_S": "2", "BOOTSTRAP_MODE": "organism"}
    ended = bootstrap(head, **replace)
    webhook.release("organ replaced")
    assert ended.code == 0, ended.out + ended.err
    after = {name: living(head)[name]["pid"] for name in ORGANS}
    assert not set(before.values()) & set(after.values()), "an actor was not replaced"
    assert task_api.await_end(task_id, 30)["status"] == "completed"
    assert Counter(event["kind"] for event in task_api.events(task_id))["completed"] == 1


def test_without_actors_the_organism_does_the_work_itself(head: Head) -> None:
    ended = bootstrap(head, ENABLE_ORGAN_ACTORS="false", BOOTSTRAP_MODE="organism")
    assert ended.code == 0, ended.out + ended.err
    assert not set(ORGANS) & set(living(head))
    wait_until(lambda: "host" not in execute(head, ORGAN)["result"], 10, "work is done in place")
    settings = json.dumps({"direct.organs": False})
    ended = bootstrap(head, ORGAN_SETTINGS=settings, BOOTSTRAP_MODE="organism")
    assert ended.code == 0, ended.out + ended.err
    assert "organs: stay with the organism: conflict: work of organs is not to be done elsewhere" in ended.out
    assert not set(ORGANS) & set(living(head))


# Evolution between the list of the organs and the proof of one of them.
RETIRED_MEANWHILE = """
import sys
from bootstraps import bootstrap_organism, bootstrap_organs
from seedcore.utils.ray_utils import ensure_ray_initialized

organism = bootstrap_organism._Organism()
evolve = "/evolve", 15.0
params = {"force": True}

def ask(method, path, timeout_s, body=None):
    if path == "/execute-on-organ" and body["organ_id"] == sys.argv[2]:
        organism.ask("POST", *evolve, {"op": "retire", "organ_id": sys.argv[2], "params": params})
    return organism.ask(method, path, timeout_s, body)

assert ensure_ray_initialized()
organism.ask("POST", *evolve, {"op": "clone", "organ_id": sys.argv[1], "params": params})
bootstrap_organs.bootstrap_organs(bootstrap_organs.OrganPlan(), ask)
"""


def test_an_organ_that_ends_while_its_actor_is_proved_ends_the_actor_too(head: Head) -> None:
    command = [sys.executable, "-c", RETIRED_MEANWHILE, ORGAN, ORGAN + "_clone"]
    ended = run(head, command, RAY_ADDRESS=f"127.0.0.1:{head.ports.gcs}", ORGAN_READY_TIMEOUT_S="30")
    assert ended.code == 0, ended.out + ended.err
    assert f"bootstrap: {NAME}_clone: removed: its organ has ended meanwhile" in ended.out
    assert "bootstrap: organs: 3 actors have executed a health task" in ended.out
    assert set(ORGANS) <= set(living(head))
    assert f"{NAME}_clone" not in living(head)


def test_a_bootstrap_that_stays_follows_the_organs_that_evolution_makes(head: Head) -> None:
    def evolve(body: dict[str, Any]) -> None:
        reply = request(head.gateway_url + "/organism/evolve", body).json()
        assert reply["applied"], reply

    made = ORGAN + "_clone"
    variables = {
        "RAY_ADDRESS": f"127.0.0.1:{head.ports.gcs}",
        "BOOTSTRAP_MODE": "organism",
        "EXIT_AFTER_BOOTSTRAP": "false",
        "ORGAN_WATCH_S": "0.5",
    }
    command = [sys.executable, "-m", "bootstraps.bootstrap_entry"]
    environment = head.environment() | {"PATH": os.environ["PATH"]} | variables
    with subprocess.Popen(command, env=environment) as staying:
        try:
            wait_until(lambda: set(ORGANS) <= set(living(head)), 120, "the actors of the configured organs")
            evolve({"op": "clone", "organ_id": ORGAN, "params": {"force": True}})
            execute(head, made)  # by the organism, until there is an actor
            wait_until(
                lambda: execute(head, made)["result"].get("host") == "seedcore_organ_" + made, 60, "its actor works"
            )
            evolve({"op": "retire", "organ_id": made, "params": {"force": True}})
            wait_until(lambda: "seedcore_organ_" + made not in living(head), 60, "its actor has ended")
            assert set(ORGANS) <= set(living(head))
        finally:
            staying.send_signal(signal.SIGTERM)
        assert staying.wait(30) == 0

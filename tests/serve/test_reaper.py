"""The reaper's actor: its process dies, Ray starts it again with its loop, and it reaps."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster import Head, request, wait_until
from programs import Ended, bootstrap, living, run
from task_api import SEEDCORE, TaskApi

NAME = "seedcore_reaper"
NAMESPACE = "reaped"
FIRST, SECOND = "left_to_workers", "left_to_workers_later"  # a task that is reaped comes back to those of its type
LEASE_S = 1


@pytest.fixture
def api(head: Head, tmp_path: Path) -> Iterator[TaskApi]:
    """The task API of a store of its own. Its own reaper looks once a minute; only the actor is as quick as is promised."""
    own = {
        "SEEDCORE_DATA_DIR": str(tmp_path),
        "WATCHDOG_INTERVAL": "60",
        "SEEDCORE_EXTERNAL_TYPES": f"{FIRST},{SECOND}",
    }
    with TaskApi(head, own) as started:
        yield started


def bring_up(head: Head, folder: Path) -> Ended:
    ended = bootstrap(
        head,
        SEEDCORE_NS=NAMESPACE,
        BOOTSTRAP_MODE="dispatchers",
        DISPATCHER_COUNT="0",
        DISPATCHER_SETTINGS=json.dumps({"store.data_dir": str(folder)}),
    )
    assert ended.code == 0, ended.out + ended.err
    return ended


def reaped(head: Head) -> int:
    """How many tasks the actor's present process has reaped; its loop runs."""
    address = f"ray://127.0.0.1:{head.ports.client}"
    ended = run(head, [SEEDCORE, "ray", "call", NAME, "status"], RAY_ADDRESS=address, SEEDCORE_NS=NAMESPACE)
    assert ended.code == 0, ended.err
    status: dict[str, Any] = json.loads(ended.out)
    assert status["state"] == "running", status
    assert status["reaper"]["running"], status
    return int(status["reaper"]["reaped"])


def lose_a_task(api: TaskApi, kind: str) -> str:
    """A task that a worker has claimed, of which nothing is heard again."""
    task_id = api.submit({"type": kind, "params": {}})
    claim = {"worker_id": f"lost with {task_id}", "types": [kind], "lease_s": LEASE_S}
    (item,) = request(api.url + "/workers/claim", claim).json()["items"]
    assert item["task"]["id"] == task_id
    return task_id


def wait_until_reaped(api: TaskApi, task_id: str) -> None:
    """Within the lease and two seconds, and as long again for this machine."""

    def is_reaped() -> bool:
        return "lease_expired" in [event["kind"] for event in api.events(task_id)]

    wait_until(is_reaped, 2 * (LEASE_S + 2), "the reaper brings the task back")


def test_a_reaper_that_is_killed_is_started_again_by_ray_and_reaps(head: Head, api: TaskApi, tmp_path: Path) -> None:
    bring_up(head, tmp_path)
    wait_until_reaped(api, lose_a_task(api, FIRST))
    assert reaped(head) == 1
    pid = living(head, NAMESPACE)[NAME]["pid"]
    lost = lose_a_task(api, SECOND)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: living(head, NAMESPACE).get(NAME, {}).get("pid", pid) != pid, 60, f"Ray restarts {NAME}")
    # Nobody has called it since: the loop came with the process.
    wait_until_reaped(api, lost)
    assert reaped(head) == 1, "of the new process"
    assert bring_up(head, tmp_path).actors()[NAME][0] == "is there", "restarted by Ray, not by the bootstrap"

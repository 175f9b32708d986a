"""Events of tasks as the coordinator streams them: through Serve's proxy, and through the native gateway."""

import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from cluster import Head, wait_until
from programs import Gateway, bootstrap
from task_api import TaskApi
from webhook import Webhook

STREAMS = 8
"""How many a replica takes through Serve, where each keeps one of its `max_ongoing_requests`."""


@pytest.fixture(scope="module", autouse=True)
def dispatcher(head: Head) -> None:
    ended = bootstrap(head, DISPATCHER_COUNT="1")
    assert ended.code == 0, ended.out + ended.err


@pytest.fixture(params=["serve", "gateway"])
def door(head: Head, request: pytest.FixtureRequest) -> Iterator[str]:
    if request.param == "serve":
        yield head.gateway_url
        return
    with Gateway(head) as gateway:
        wait_until(lambda: bool(gateway.replicas("coordinator")), 60, "the gateway knows a coordinator")
        yield gateway.url


@contextlib.contextmanager
def following(door: str, query: str = "after=0") -> Iterator[Iterator[dict[str, Any]]]:
    """The events as they come; the client leaves at the end of the block."""
    with urllib.request.urlopen(f"{door}/pipeline/events?{query}", timeout=30) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        lines = (line.decode() for line in answer)
        yield (json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: "))


def events_until(events: Iterator[dict[str, Any]], kind: str) -> Iterator[dict[str, Any]]:
    for event in events:
        yield event
        if event["kind"] == kind:
            return


def test_the_events_of_a_task_come_while_it_runs(head: Head, task_api: TaskApi, webhook: Webhook, door: str) -> None:
    name = f"followed at {door}"
    task_id = task_api.submit(webhook.task(name))
    with following(door, f"after=0&task_id={task_id}") as events:
        begun = [next(events), next(events)]
        assert [event["kind"] for event in begun] == ["submitted", "claimed"]
        assert webhook.entered(name).wait(20)
        assert task_api.task(task_id)["status"] == "running"
        webhook.release(name)
        kinds = [event["kind"] for event in events_until(events, "completed")]
    assert kinds[-1] == "completed"


def test_a_client_that_leaves_makes_room_for_another(head: Head, task_api: TaskApi) -> None:
    mine = "after=0&task_id=" + task_api.submit({"type": "health_check"})

    def open_all(streams: contextlib.ExitStack, count: int) -> bool:
        """Whether so many streams were opened, and had something to read."""
        try:
            return all(next(streams.enter_context(following(head.gateway_url, mine))) for _ in range(count))
        except urllib.error.HTTPError as refused:
            assert refused.code == 503
            return False

    def eight_and_no_more() -> bool:
        with contextlib.ExitStack() as streams:
            return open_all(streams, STREAMS) and not open_all(streams, 1)

    for _ in range(3):
        wait_until(eight_and_no_more, 30, "as many can be opened as before")

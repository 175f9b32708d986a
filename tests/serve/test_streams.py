"""Events of tasks as the coordinator streams them: through Serve's proxy, and through the native gateway."""

import contextlib
import json
import socket
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


def open_all(streams: contextlib.ExitStack, head: Head, query: str, count: int) -> bool:
    """Whether so many streams were opened through Serve, and had something to read."""
    try:
        return all(next(streams.enter_context(following(head.gateway_url, query))) for _ in range(count))
    except urllib.error.HTTPError as refused:
        assert refused.code == 503
        return False


def eight_and_no_more(head: Head, query: str) -> bool:
    with contextlib.ExitStack() as streams:
        return open_all(streams, head, query, STREAMS) and not open_all(streams, head, query, 1)


def test_a_client_that_leaves_makes_room_for_another(head: Head, task_api: TaskApi) -> None:
    mine = "after=0&task_id=" + task_api.submit({"type": "health_check"})
    for _ in range(3):
        wait_until(lambda: eight_and_no_more(head, mine), 30, "as many can be opened as before")


@pytest.fixture
def short_streams(head: Head) -> Iterator[None]:
    """A coordinator that ends its streams through Serve after four seconds."""

    def deploy(**args: float) -> None:
        config = head.config()
        (coordinator,) = [application for application in config["applications"] if application["name"] == "coordinator"]
        coordinator["args"] = {**coordinator.get("args", {}), **args}
        before = set(head.replicas("coordinator"))
        head.deploy(config)
        wait_until(lambda: not before & set(head.replicas("coordinator")), 60, "the coordinator has the arguments")
        head.wait_until_replicas("coordinator", 1)

    deploy(longest_stream_s=4.0)
    yield
    deploy()


@pytest.mark.usefixtures("short_streams")
def test_clients_that_do_not_read_make_room_for_others_in_time(head: Head, task_api: TaskApi) -> None:
    mine = "after=0&task_id=" + task_api.submit({"type": "health_check"})
    with contextlib.ExitStack() as silent:
        for _ in range(STREAMS):
            client = silent.enter_context(socket.create_connection(("127.0.0.1", head.ports.serve)))
            client.sendall(f"GET /pipeline/events?{mine} HTTP/1.1\r\nHost: x\r\n\r\n".encode())

        def is_full() -> bool:
            with contextlib.ExitStack() as one_more:
                return not open_all(one_more, head, mine, 1)

        wait_until(is_full, 30, "those that do not read have all the room")
        wait_until(lambda: eight_and_no_more(head, mine), 30, "they have it no longer, and are there still")

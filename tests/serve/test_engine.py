"""The module and its ASGI application without Ray: one engine, one event loop."""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from cluster import wait_until

from seedcore import EngineError
from seedcore._core import DispatchHost, Engine
from seedcore.asgi import EngineASGI, StreamLimits

NOWHERE = "http://127.0.0.1:9"


def config(data_dir: Path, **settings: object) -> bytes:
    return json.dumps({"store.data_dir": str(data_dir), "log.level": "warning", **settings}).encode()


def make_engine(data_dir: Path, service: str = "ml", **settings: object) -> Engine:
    return Engine(service, gateway_url=NOWHERE, user_config=config(data_dir, **settings))


def scope(path: str, method: str = "GET", query: bytes = b"", **more: object) -> dict[str, Any]:
    """What an application mounted at the first part of `path` is told of a request; `more`: what servers may leave out."""
    return {
        "type": "http", "method": method, "path": path, "root_path": "/" + path.split("/")[1],
        "query_string": query, "headers": [(b"host", b"test")], "client": None, **more,
    }  # fmt: skip


async def ask(
    app: EngineASGI,
    path: str,
    body: bytes = b"",
    method: str = "GET",
    stay: asyncio.Event | None = None,
) -> tuple[int, Any]:
    """One request; the client leaves when `stay` is set, and status 0 stands for no answer."""
    sent: list[dict[str, Any]] = []
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if messages:
            return messages.pop()
        await (stay or asyncio.Event()).wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    told = scope(path, method, raw_path=path.encode(), client=("127.0.0.1", 1))
    await app(told, receive, send)
    if not sent:
        return 0, None
    content = b"".join(message.get("body", b"") for message in sent)
    return sent[0]["status"], json.loads(content) if content else None


def run(case: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(case(), 60))


def test_many_requests_at_once_are_all_answered(tmp_path: Path) -> None:
    app = EngineASGI(make_engine(tmp_path))

    async def case() -> None:
        body = json.dumps({"features": [], "text": "the server is down"}).encode()
        asked = [ask(app, "/mounted/score/salience", body, "POST") for _ in range(300)]
        asked += [ask(app, "/mounted/health") for _ in range(300)]
        assert {status for status, _ in await asyncio.gather(*asked)} == {200}

    run(case)


def test_a_body_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    app = EngineASGI(make_engine(tmp_path, **{"server.max_body_size": "1KiB"}))

    async def case() -> None:
        status, body = await ask(app, "/mounted/score/salience", b"x" * 2048, "POST")
        assert status == 413, body

    run(case)


def test_a_client_that_leaves_is_not_answered_and_its_work_ends(tmp_path: Path) -> None:
    engine = make_engine(tmp_path, "coordinator")
    app = EngineASGI(engine)

    async def case() -> None:
        leave = asyncio.Event()
        body = json.dumps({"type": "health_check", "params": {}}).encode()
        asked = asyncio.ensure_future(ask(app, "/mounted/route-and-execute", body, "POST", leave))
        leave.set()
        status, _ = await asked
        assert status in (0, 503)  # 503: nobody answers at the gateway, and that came first
        assert await asyncio.to_thread(engine.drain, 30.0)

    run(case)


def test_events_come_as_they_happen_until_the_client_leaves(tmp_path: Path) -> None:
    engine = make_engine(tmp_path, "coordinator")
    host = DispatchHost("reaper", gateway_url=NOWHERE, user_config=config(tmp_path))

    async def case() -> None:
        leave = asyncio.Event()
        sent: asyncio.Queue[Any] = asyncio.Queue()

        asked = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> dict[str, Any]:
            if asked:
                return asked.pop()
            await leave.wait()
            return {"type": "http.disconnect"}

        streaming = asyncio.ensure_future(EngineASGI(engine)(scope("/pipeline/events"), receive, sent.put))
        start = await sent.get()
        assert start["status"] == 200
        assert (b"content-type", b"text/event-stream") in start["headers"]
        for _ in range(2):
            await asyncio.to_thread(host.prove, 1, 0.0)  # nobody executes the task, so it is given up at once
            events = b""
            while b'"kind":"cancelled"' not in events:
                events += (await sent.get())["body"]
            assert b'"kind":"submitted"' in events
        assert "\nseedcore_event_subscribers 1\n" in engine.metrics()
        leave.set()
        await streaming

    run(case)
    wait_until(lambda: "\nseedcore_event_subscribers 0\n" in engine.metrics(), 20, "the engine knows that it has gone")


def test_a_client_that_takes_nothing_in_time_is_left(tmp_path: Path) -> None:
    engine = make_engine(tmp_path, "coordinator")
    host = DispatchHost("reaper", gateway_url=NOWHERE, user_config=config(tmp_path))
    app = EngineASGI(engine, streams=StreamLimits(write_s=0.2))
    host.prove(100, 0.0)  # events for many times what the buffers below hold

    async def case() -> None:
        left = asyncio.Event()

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            writer.transport.set_write_buffer_limits(high=0)
            asked = [{"type": "http.request", "body": b"", "more_body": False}]

            async def receive() -> dict[str, Any]:
                if asked:
                    return asked.pop()
                await reader.read(1)
                return {"type": "http.disconnect"}

            async def send(message: Any) -> None:
                writer.write(message.get("body", b""))
                await writer.drain()

            await app(scope("/pipeline/events", query=b"after=0"), receive, send)
            left.set()
            writer.transport.abort()

        async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
            with socket.socket() as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.setblocking(False)
                await asyncio.get_running_loop().sock_connect(client, server.sockets[0].getsockname())
                await left.wait()

    run(case)
    wait_until(lambda: "\nseedcore_event_subscribers 0\n" in engine.metrics(), 20, "the engine knows that it is left")


def test_a_stream_ends_in_order_after_its_time_or_its_share_of_bytes(tmp_path: Path) -> None:
    engine = make_engine(tmp_path, "coordinator")
    host = DispatchHost("reaper", gateway_url=NOWHERE, user_config=config(tmp_path))
    host.prove(2, 0.0)

    async def follow(limits: StreamLimits) -> list[dict[str, Any]]:
        sent: list[dict[str, Any]] = []
        asked = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> dict[str, Any]:
            if not asked:
                await asyncio.Event().wait()  # the client stays
            return asked.pop()

        async def send(message: Any) -> None:
            sent.append(message)

        await EngineASGI(engine, streams=limits)(scope("/pipeline/events", query=b"after=0"), receive, send)
        return sent

    async def case() -> None:
        for limits in (StreamLimits(longest_s=0.3), StreamLimits(most_bytes=1)):
            sent = await follow(limits)
            assert b'"kind":"submitted"' in b"".join(message.get("body", b"") for message in sent)
            assert sent[-1]["more_body"] is False

    run(case)


def test_an_engine_that_drains_ends_its_streams_in_order(tmp_path: Path) -> None:
    engine = make_engine(tmp_path, "coordinator")

    async def case() -> None:
        asked = asyncio.ensure_future(ask(EngineASGI(engine), "/mounted/events"))
        await asyncio.to_thread(
            wait_until, lambda: "\nseedcore_event_subscribers 1\n" in engine.metrics(), 20, "the stream is open"
        )
        assert await asyncio.to_thread(engine.drain, 10.0)
        assert await asked == (200, None)

    run(case)


def test_a_loop_that_ends_before_the_answer_does_no_harm(tmp_path: Path) -> None:
    engine = make_engine(tmp_path)

    async def case() -> None:
        body = json.dumps({"data": [1.5] * 20_000}).encode()
        for _ in range(20):
            engine.handle(
                asyncio.get_running_loop(), "POST", b"/ml/detect/anomaly", "", b"", [(b"host", b"x")], body, ""
            )

    asyncio.run(case())
    assert engine.drain(60.0)


def test_an_engine_that_was_stopped_says_so_when_it_is_asked_for_its_health(tmp_path: Path) -> None:
    engine = make_engine(tmp_path)
    engine.check_health()
    assert engine.drain(10.0)
    with pytest.raises(EngineError, match="the engine was stopped"):
        engine.check_health()


def test_an_engine_whose_listener_does_not_accept_names_it(tmp_path: Path) -> None:
    engine = make_engine(tmp_path)
    host, port = engine.direct_address.rsplit(":", 1)
    for entry in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(int(entry.name))) as one:
            if one.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) and one.getsockname() == (host, int(port)):
                one.shutdown(socket.SHUT_RDWR)  # the descriptor stays open, as for a fault from outside
    with pytest.raises(EngineError, match=rf"does not accept connections.*{engine.direct_address}"):
        engine.check_health()


def test_errors_name_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="there is no service 'llm'"):
        make_engine(tmp_path, "llm")
    with pytest.raises(EngineError, match=r"cognitive\.nonsense"):
        make_engine(tmp_path, "cognitive", **{"cognitive.nonsense": 1})
    engine = make_engine(tmp_path)
    with pytest.raises(EngineError, match="JSON object"):
        engine.reconfigure(b"[]")


def test_a_program_that_forgets_its_engine_ends_all_the_same(tmp_path: Path) -> None:
    program = f"""
import asyncio
from seedcore._core import Engine
engine = Engine("ml", gateway_url="{NOWHERE}", user_config=b'{{"store.data_dir": "{tmp_path}"}}')
async def ask():
    body = b'{{"data": [' + b",".join([b"1.5"] * 20000) + b"]}}"
    engine.handle(asyncio.get_running_loop(), "POST", b"/ml/detect/anomaly", "", b"", [], body, "")
asyncio.run(ask())
"""
    ended = subprocess.run([sys.executable, "-c", program], timeout=60, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr

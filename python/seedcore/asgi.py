"""The ASGI face of an engine: no framework between Serve's server and the C++ code."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from seedcore._core import Engine, Stream

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

Answer = tuple[int, list[tuple[bytes, bytes]], bytes, Stream | None]

_HEARTBEAT_S = 15.0
# Most answers take less than this; only for those that take longer is the connection watched beside.
_UNWATCHED_S = 0.05


@dataclass(frozen=True)
class StreamLimits:
    """What a client of a stream may cost. It goes on at another stream, with the id of the last event it has seen."""

    write_s: float = 30.0
    """To take what was sent, as net::ServerLimits::write; then the stream is cut."""
    longest_s: float = 600.0
    """Until the stream is ended in order. Serve's proxy takes whatever it is sent, and does not say that its client
    reads nothing of it: this limit and the next are the ones that hold behind it."""
    most_bytes: int = 8 * 1024 * 1024
    """Of events, likewise: what a client does not read is kept in memory on the way."""


class EngineASGI:
    """An ASGI 3 application around one engine.

    Bodies above `max_body_bytes` are not read to their end: the engine answers 413 to what is too long.
    """

    def __init__(
        self, engine: Engine, *, max_body_bytes: int = 8 * 1024 * 1024, streams: StreamLimits | None = None
    ) -> None:
        self._engine = engine
        self._max_body_bytes = max_body_bytes
        self._streams = streams or StreamLimits()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one ASGI scope: a request, or the lifespan that servers begin with."""
        kind = scope["type"]
        if kind == "http":
            await self._http(scope, receive, send)
        elif kind == "lifespan":
            await self._lifespan(receive, send)
        elif kind == "websocket":
            await send({"type": "websocket.close", "code": 1003})
        else:
            raise NotImplementedError(f"scope type {kind}")

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = await self._body(receive)
        if body is None:
            return  # the client left before it had said all
        client = scope.get("client")
        path = scope.get("raw_path") or scope["path"].encode()
        future, pending = self._engine.handle(
            asyncio.get_running_loop(),
            scope["method"],
            path,
            scope.get("root_path", ""),
            scope.get("query_string", b""),
            scope["headers"],
            body,
            f"{client[0]}:{client[1]}" if client else "",
        )
        try:
            answer = await _answer_or_disconnect(future, receive)
        except asyncio.CancelledError:
            pending.cancel()
            raise
        if answer is None:
            pending.cancel()
            return
        status, headers, content, stream = answer
        if stream is not None:
            # A client that takes nothing in time is left, as one that has gone.
            with suppress(asyncio.TimeoutError):
                await _send_stream(stream, status, headers, receive, send, self._streams)
            return
        headers.append((b"content-length", str(len(content)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content})

    async def _body(self, receive: Receive) -> bytes | None:
        """The whole body, or one byte more than allowed of it; None when the client has gone."""
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body: bytes = message.get("body", b"")
        if not message.get("more_body", False):
            return body
        chunks = [body]
        size = len(body)
        while message.get("more_body", False) and size <= self._max_body_bytes:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            chunks.append(message.get("body", b""))
            size += len(chunks[-1])
        return b"".join(chunks)


async def _answer_or_disconnect(future: "asyncio.Future[Answer]", receive: Receive) -> Answer | None:
    """The engine's answer; None when the client leaves first."""
    if not future.done():
        await asyncio.wait((future,), timeout=_UNWATCHED_S)
    if future.done():
        return future.result()
    gone = asyncio.ensure_future(_disconnected(receive))
    try:
        await asyncio.wait((future, gone), return_when=asyncio.FIRST_COMPLETED)
        return future.result() if future.done() else None
    finally:
        gone.cancel()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_stream(
    stream: Stream, status: int, headers: list[tuple[bytes, bytes]], receive: Receive, send: Send, limits: StreamLimits
) -> None:
    """Sends events as they come, until the engine ends the stream, its time is over or the client leaves.

    Raises:
        asyncio.TimeoutError: The client does not take what was sent.
    """
    loop = asyncio.get_running_loop()
    ends = loop.time() + limits.longest_s
    room = limits.most_bytes
    gone = asyncio.ensure_future(_disconnected(receive))

    async def pass_on(message: Message) -> None:
        await asyncio.wait_for(send(message), limits.write_s)

    try:
        await pass_on({"type": "http.response.start", "status": status, "headers": headers})
        while not gone.done() and room > 0 and (left := ends - loop.time()) > 0:
            text = stream.take()
            if text is None:
                break
            if text:
                room -= len(text)
                await pass_on({"type": "http.response.body", "body": text, "more_body": True})
                continue
            arrived = stream.wait(loop)
            await asyncio.wait((arrived, gone), timeout=min(_HEARTBEAT_S, left), return_when=asyncio.FIRST_COMPLETED)
            if not arrived.done():
                stream.heartbeat()
        if not gone.done():
            await pass_on({"type": "http.response.body", "body": b"", "more_body": False})
    finally:
        gone.cancel()
        stream.close()

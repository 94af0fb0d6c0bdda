"""Parts of the ASGI application: who answers a path, how large a body may be, start and stop."""

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack

import structlog
from prometheus_client import Gauge
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hoopweb.lib.errors import ErrorCode

log = structlog.get_logger(__name__)

Lifespan = Callable[[], AbstractAsyncContextManager[object]]


def dispatch(doors: Mapping[str, ASGIApp], otherwise: ASGIApp) -> ASGIApp:
    """Send a request to the door whose path it is at or below, else to ``otherwise``.

    Doors see the full path: their protocols fix it.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        for prefix, door in doors.items():
            if path == prefix or path.startswith(f"{prefix}/"):
                return await door(scope, receive, send)
        return await otherwise(scope, receive, send)

    return app


class _BodyTooLargeError(Exception):
    """More came than was announced, or than is allowed."""


def limit_body(inner: ASGIApp, most: int) -> ASGIApp:
    """Refuse a body above ``most`` bytes: by its announced length before reading any of it, else
    as soon as it has grown too large.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > most:
            return await _refuse(send, most)
        read = 0
        answered = False

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > most:
                raise _BodyTooLargeError
            return message

        async def watched(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            await inner(scope, counted, watched)
        except _BodyTooLargeError:
            if answered:
                raise
            await _refuse(send, most)
        return None

    return app


async def _refuse(send: Send, most: int) -> None:
    body = json.dumps(
        {
            "type": f"/api/problems/{ErrorCode.TOO_LARGE}",
            "title": "Too large",
            "status": 413,
            "code": ErrorCode.TOO_LARGE,
            "detail": f"The body may have {most} bytes at most.",
        }
    ).encode()
    await send(
        {
            "type": "http.response.start",
            "status": 413,
            "headers": [
                (b"content-type", b"application/problem+json"),
                (b"content-length", str(len(body)).encode()),
                # The rest of the body is still on its way and nobody will read it.
                (b"connection", b"close"),
            ],
        }
    )
    await send({"type": "http.response.body", "body": body})


def with_headers(inner: ASGIApp, headers: Mapping[str, str]) -> ASGIApp:
    """Add ``headers`` to each answer that does not have them."""
    wanted = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def dressed(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name.lower() for name, _ in message.get("headers", ())}
                added = [each for each in wanted if each[0] not in there]
                message = {**message, "headers": [*message.get("headers", ()), *added]}
            await send(message)

        await inner(scope, receive, dressed)

    return app


def count_clients(inner: ASGIApp, gauge: Gauge) -> ASGIApp:
    """Keep ``gauge`` at the number of websockets that are open here."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        opened = False

        async def watched(message: Message) -> None:
            nonlocal opened
            await send(message)
            if message["type"] == "websocket.accept" and not opened:
                opened = True
                gauge.inc()

        try:
            await inner(scope, receive, watched)
        finally:
            if opened:
                gauge.dec()

    return app


def lifespan(
    started: Callable[[], None], stopped: Callable[[], None], parts: Sequence[Lifespan] = ()
) -> ASGIApp:
    """Enter ``parts`` at start, in order, and leave them at the end; a part that fails to start
    stops the server with its reason.
    """

    async def app(_scope: Scope, receive: Receive, send: Send) -> None:
        async with AsyncExitStack() as stack:
            await receive()  # lifespan.startup
            try:
                for part in parts:
                    await stack.enter_async_context(part())
                started()
            except Exception as error:
                log.exception("start_failed")
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                return
            await send({"type": "lifespan.startup.complete"})
            await receive()  # lifespan.shutdown
        with contextlib.suppress(Exception):
            stopped()
        await send({"type": "lifespan.shutdown.complete"})

    return app

"""Parts of the ASGI application: who answers a path, how large a body may be, start and stop."""

import asyncio
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


# A minute for two megabytes: slower callers than that are no callers.
BODY_SECONDS = 60.0
_REFUSALS = {
    408: (ErrorCode.INVALID_REQUEST, "Too slow"),
    413: (ErrorCode.TOO_LARGE, "Too large"),
}


class _BodyTooLargeError(Exception):
    """More came than was announced, or than is allowed."""


class _BodyTooSlowError(Exception):
    """The body did not come in time."""


class _Body:
    """A body on its way in: how much has come, and until when it may."""

    def __init__(self, receive: Receive, most: int, seconds: float) -> None:
        self._receive = receive
        self._most = most
        self._until = asyncio.get_running_loop().time() + seconds
        self._read = 0
        self._complete = False

    async def __call__(self) -> Message:
        """The next part. Raises _BodyTooSlowError or _BodyTooLargeError."""
        if self._complete:
            # What comes now is only that the caller has gone.
            return await self._receive()
        try:
            async with asyncio.timeout_at(self._until):
                message = await self._receive()
        except TimeoutError as error:
            raise _BodyTooSlowError from error
        self._complete = not message.get("more_body", False)
        self._read += len(message.get("body", b""))
        if self._read > self._most:
            raise _BodyTooLargeError
        return message


def limit_body(inner: ASGIApp, most: int, seconds: float = BODY_SECONDS) -> ASGIApp:
    """Refuse a body above ``most`` bytes: by its announced length before reading any of it, else
    as soon as it has grown too large. One that takes longer than ``seconds`` to come holds nobody
    up: 408.
    """
    too_large = (413, f"The body may have {most} bytes at most.")
    too_slow = (408, f"The body did not come within {seconds:g} seconds.")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        if not announced.isdigit() or int(announced) > most:
            return await _refuse(send, *too_large)
        answered = False

        async def watched(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            await inner(scope, _Body(receive, most, seconds), watched)
        except (_BodyTooLargeError, _BodyTooSlowError) as error:
            if answered:
                raise
            await _refuse(send, *(too_large if isinstance(error, _BodyTooLargeError) else too_slow))
        return None

    return app


async def _refuse(send: Send, status: int, detail: str) -> None:
    code, title = _REFUSALS[status]
    body = json.dumps(
        {
            "type": f"/api/problems/{code}",
            "title": title,
            "status": status,
            "code": code,
            "detail": detail,
        }
    ).encode()
    await send(
        {
            "type": "http.response.start",
            "status": status,
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

"""The way in: which door answers, how large a body may be, start and stop."""

import asyncio
import signal
import threading
from contextlib import asynccontextmanager

import pytest
from asgiref.testing import ApplicationCommunicator
from prometheus_client import Gauge

from hoopweb import doors
from hoopweb.lib import stopping


def says(text):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": text})

    return app


def http(path, headers=()):
    return {"type": "http", "method": "POST", "path": path, "headers": list(headers)}


async def answer(app, scope, *messages):
    asked = ApplicationCommunicator(app, scope)
    for message in messages or ({"type": "http.request"},):
        await asked.send_input(message)
    # The first request loads the URLs; on a busy machine that takes a while.
    start = await asked.receive_output(timeout=20)
    body = (await asked.receive_output(timeout=20))["body"]
    await asked.wait(timeout=20)
    return start["status"], body


@pytest.mark.parametrize(
    ("path", "door"),
    [
        ("/mcp", b"mcp"),
        ("/mcp/", b"mcp"),
        ("/mcp/x", b"mcp"),
        ("/mcpx", b"django"),
        ("/", b"django"),
        ("/a/mcp", b"django"),
    ],
)
async def test_a_door_answers_at_and_below_its_path(path, door):
    app = doors.dispatch({"/mcp": says(b"mcp")}, says(b"django"))
    assert await answer(app, http(path)) == (200, door)


async def _reads_all(scope, receive, send):
    more = True
    while more:
        more = (await receive()).get("more_body", False)
    await says(b"read")(scope, receive, send)


@pytest.mark.parametrize(
    ("announced", "status"), [(b"10", 200), (b"11", 413), (b"many", 413), (b"-1", 413)]
)
async def test_a_body_is_refused_by_its_announced_length(announced, status):
    app = doors.limit_body(_reads_all, 10)
    scope = http("/", [(b"content-length", announced)])
    assert (await answer(app, scope))[0] == status


async def test_a_body_that_grows_too_large_is_refused_while_it_comes():
    app = doors.limit_body(_reads_all, 10)
    part = {"type": "http.request", "body": b"123456", "more_body": True}
    status, body = await answer(app, http("/"), part, part)
    assert status == 413
    assert b"10 bytes at most" in body


async def test_a_body_that_trickles_holds_nobody_up():
    app = doors.limit_body(_reads_all, 10, seconds=0.05)
    part = {"type": "http.request", "body": b"1", "more_body": True}
    status, body = await answer(app, http("/"), part)
    assert status == 408
    assert b"0.05 seconds" in body


async def test_whoever_waits_for_an_answer_is_not_timed():
    async def slow(scope, receive, send):
        await receive()
        gone = asyncio.ensure_future(receive())
        await asyncio.sleep(0.1)
        gone.cancel()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    app = doors.limit_body(slow, 10, seconds=0.02)
    last = {"type": "http.request", "body": b"", "more_body": False}
    assert (await answer(app, http("/"), last))[0] == 200


async def test_open_websockets_are_counted():
    gauge = Gauge("clients", "", registry=None)

    async def consumer(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        await receive()

    client = ApplicationCommunicator(doors.count_clients(consumer, gauge), {"type": "websocket"})
    await client.send_input({"type": "websocket.connect"})
    await client.receive_output()
    assert gauge._value.get() == 1
    await client.send_input({"type": "websocket.disconnect"})
    await client.wait()
    assert gauge._value.get() == 0


async def test_start_and_stop_wrap_the_parts():
    seen = []

    @asynccontextmanager
    async def part():
        seen.append("part in")
        yield
        seen.append("part out")

    app = doors.lifespan(lambda: seen.append("started"), lambda: seen.append("stopped"), [part])
    server = ApplicationCommunicator(app, {"type": "lifespan"})
    await server.send_input({"type": "lifespan.startup"})
    assert (await server.receive_output())["type"] == "lifespan.startup.complete"
    assert seen == ["part in", "started"]
    await server.send_input({"type": "lifespan.shutdown"})
    assert (await server.receive_output())["type"] == "lifespan.shutdown.complete"
    assert seen == ["part in", "started", "part out", "stopped"]


async def test_a_part_that_fails_keeps_the_server_from_starting():
    @asynccontextmanager
    async def part():
        raise RuntimeError("no room")
        yield

    app = doors.lifespan(lambda: None, lambda: None, [part])
    server = ApplicationCommunicator(app, {"type": "lifespan"})
    await server.send_input({"type": "lifespan.startup"})
    answer = await server.receive_output()
    assert answer == {"type": "lifespan.startup.failed", "message": "no room"}


def test_those_who_wait_hear_of_the_end_and_so_does_the_server(monkeypatch):
    heard = []
    monkeypatch.setattr(stopping, "STOPPING", threading.Event())
    before = signal.signal(signal.SIGUSR1, lambda number, _frame: heard.append(number))
    try:
        stopping.announce_on(signal.SIGUSR1)
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert stopping.STOPPING.is_set()
    assert heard == [signal.SIGUSR1]


@pytest.mark.django_db(transaction=True)
async def test_the_application_answers_and_refuses():
    from hoopweb.asgi import application

    scope = http("/healthz", [(b"host", b"127.0.0.1")])
    scope |= {"method": "GET", "query_string": b"", "client": ("127.0.0.1", 1), "root_path": ""}
    status, body = await answer(application, scope)
    assert (status, body) == (200, b'{"status": "ok"}')
    status, _ = await answer(application, http("/api/v1/x", [(b"content-length", b"99999999")]))
    assert status == 413

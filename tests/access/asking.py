"""Asking one address as one caller, and the answer in a word. Nothing that is asked stays."""

import json
from typing import Any

from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.db import transaction

from tests.access.world import Caller

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_PATIENCE = 30


def page(caller: Caller, method: str, path: str, body: dict[str, Any] | None) -> str:
    """Ask Django; the answer in a word."""
    answer = _answer(caller, method, path, body)
    return word(answer.status_code, answer.headers.get("Location", ""))


def methods(caller: Caller, path: str) -> set[str]:
    """Those that an address takes from this caller, learnt by sending one that few take."""
    answer = _answer(caller, "PUT", path, None)
    if answer.status_code == 405:
        return {each.strip() for each in answer.headers["Allow"].split(",")} & set(METHODS)
    # What is not there for anybody, a provider that is not set up, is not there in five ways.
    return {"GET"} if answer.status_code == 404 and not path.startswith("/api/") else set(METHODS)


def _answer(caller: Caller, method: str, path: str, body: dict[str, Any] | None) -> Any:
    """Ask, and take back whatever the question changed."""
    cookies = caller.client.cookies.output()
    kwargs: dict[str, Any] = {"headers": caller.headers}
    if method != "GET":
        as_json = path.startswith(("/api/", "/scim/"))
        if as_json and body is not None:
            kwargs |= {"data": json.dumps(body), "content_type": "application/json"}
        elif not as_json:
            kwargs["data"] = body or {}
            if method != "POST":
                kwargs |= {"data": b"", "content_type": "application/x-www-form-urlencoded"}
    with transaction.atomic():
        answer = getattr(caller.client, method.lower())(path, **kwargs)
        if getattr(answer, "streaming", False):
            b"".join(answer.streaming_content)
        transaction.set_rollback(True)
    if caller.client.cookies.output() != cookies:
        caller.client.cookies.load(cookies.replace("Set-Cookie: ", ""))
    return answer


def word(status: int, location: str = "") -> str:
    if status in {301, 302, 303}:
        return "sign-in" if location.startswith("/sign-in/?next=") else f"{status}"
    return str(status)


def door(app: Any, caller: Caller, method: str, path: str) -> str:
    """Ask a door ahead of Django, from an address that is not this machine's."""
    status, body = async_to_sync(_http)(app, caller, method, path)
    try:
        # Drivers read refusals from the body.
        said = json.loads(body)
        return str(said["code"]) if said.get("success") is False else word(status)
    except (ValueError, KeyError, TypeError, AttributeError):
        return word(status)


async def _http(app: Any, caller: Caller, method: str, path: str) -> Any:
    communicator = ApplicationCommunicator(
        app,
        {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(b"host", b"testserver"), *_headers(caller)],
            "client": ("192.0.2.1", 1),
            "server": ("testserver", 80),
        },
    )
    await communicator.send_input({"type": "http.request", "body": b"", "more_body": False})
    start = await communicator.receive_output(_PATIENCE)
    body = b""
    while True:
        part = await communicator.receive_output(_PATIENCE)
        body += part.get("body", b"")
        if not part.get("more_body"):
            break
    await communicator.wait(_PATIENCE)
    return start["status"], body


def socket(caller: Caller, path: str) -> str:
    """Knock at a websocket as a browser would: "open", or the code that it is closed with."""
    found: str = async_to_sync(_socket)(caller, path)
    return found


async def _socket(caller: Caller, path: str) -> str:
    from hoopweb.asgi import application

    communicator = ApplicationCommunicator(
        application,
        {
            "type": "websocket",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [
                (b"host", b"testserver"),
                (b"origin", b"http://testserver"),
                *_headers(caller),
            ],
            "subprotocols": [],
            "client": ("192.0.2.1", 1),
        },
    )
    await communicator.send_input({"type": "websocket.connect"})
    answer = await communicator.receive_output(_PATIENCE)
    if answer["type"] == "websocket.accept":
        # Opened, it may still be told at once to go.
        after = await communicator.receive_output(_PATIENCE)
        answer = after if after["type"] == "websocket.close" else answer
    await communicator.send_input({"type": "websocket.disconnect", "code": 1000})
    await communicator.wait(_PATIENCE)
    return "open" if answer["type"] == "websocket.accept" else str(answer.get("code", 1000))


def _headers(caller: Caller) -> list[tuple[bytes, bytes]]:
    found = [(k.lower().encode(), v.encode()) for k, v in caller.headers.items()]
    if cookie := caller.client.cookies.get(settings.SESSION_COOKIE_NAME):
        found.append((b"cookie", f"{settings.SESSION_COOKIE_NAME}={cookie.value}".encode()))
    return found

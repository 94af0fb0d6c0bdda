"""Drivers' sessions: each address of the wire door that takes one, asked with one of every kind.

Sessions are opened by logging in, and everything happens in one event loop, as in a server.
"""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from asgiref.sync import async_to_sync, sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.utils import timezone

from accounts import services as accounts
from accounts.models import Agent
from gateway.models import WireSession
from gateway.snowflake import sessions, upstreams
from gateway.snowflake.app import application
from tests import factories
from tests.access import asking
from tests.access.world import READ, WRITE, World

# In the order of the table's columns.
COLUMNS = {
    "none": "no session",
    "its own": "the session that sent the statement",
    "agent's other": "another session of the same agent on the connection",
    "neighbour": "a session of another agent on the same connection",
    "stranger": "a session of another agent on another connection",
    "login over": "a session of the same agent whose login counts no more",
    "ended": "a session of an agent that was disabled meanwhile",
}
# Those that take none, with why: they are asked as every role, like all other doors.
WITHOUT = {
    "/session/authenticator-request": "refuses everybody",
    "/telemetry/send": "keeps nothing",
    "/telemetry/send/sessionless": "keeps nothing",
    "/chunks/{result_id}/{place:int}": "takes a key of its own (test_parts.py)",
    "/api/v2/statements": "takes a bearer token",
    "/api/v2/statements/{handle}": "takes a bearer token",
    "/api/v2/statements/{handle}/cancel": "takes a bearer token",
}
_PATIENCE = 40


@dataclass
class Driver:
    """One column: the agent's token, and what its login gave."""

    bearer: str = ""
    session: str = ""
    master: str = ""
    number: int = 0


@dataclass(frozen=True)
class Ask:
    """One address. ``send`` asks it as a driver does; what it changes is made anew for each."""

    method: str
    path: str
    send: Callable[["Drivers", Driver], Awaitable[str]]


class Drivers:
    """Everybody with a session, and the statement that they ask for."""

    def __init__(self, world: World) -> None:
        self.here, self.there = world.here, world.there
        self.by_column: dict[str, Driver] = {}
        self.query_id = ""

    async def open(self) -> None:
        agents = await sync_to_async(self._agents)()
        for column, (agent, account) in agents.items():
            bearer = await sync_to_async(self._token)(agent)
            self.by_column[column] = await self._logged_in(bearer, account)
        own = self.by_column["its own"]
        _, answer = await self.post(own, "/queries/v1/query-request", {"sqlText": READ})
        self.query_id = answer["data"]["queryId"]
        await sync_to_async(self._later)(agents["ended"][0])

    def _agents(self) -> dict[str, tuple[Agent | None, str]]:
        on, owner = self.here.connection, self.here.agent.owner
        near, left = (factories.agent(name, owner=owner) for name in ("neighbour", "leaver"))
        for agent in (near, left):
            factories.allow(on, agent)
        mine, shop = self.here.agent, on.name
        return {
            "none": (None, shop),
            "its own": (mine, shop),
            "agent's other": (mine, shop),
            "neighbour": (near, shop),
            "stranger": (self.there.agent, self.there.connection.name),
            "login over": (mine, shop),
            "ended": (left, shop),
        }

    def _token(self, agent: Agent | None) -> str:
        if agent is None:
            return ""
        return accounts.issue_token(agent=agent, label="driver", by=agent.owner).text

    def _later(self, left: Agent) -> None:
        """What comes to pass after everybody has logged in."""
        over = WireSession.objects.filter(number=self.by_column["login over"].number)
        assert over.update(login_until=timezone.now() - timedelta(seconds=1)) == 1
        accounts.disable_agent(agent=left, by=None)

    async def _logged_in(self, bearer: str, account: str) -> Driver:
        if not bearer:
            return Driver()
        driver = Driver(bearer)
        _, answer = await self.log_in(driver, account)
        assert answer["success"], answer
        told = answer["data"]
        driver.session, driver.master = told["token"], told["masterToken"]
        driver.number = told["sessionId"]
        return driver

    async def log_in(self, driver: Driver, account: str) -> tuple[int, Any]:
        data = {
            "AUTHENTICATOR": "PROGRAMMATIC_ACCESS_TOKEN",
            "TOKEN": driver.bearer,
            "ACCOUNT_NAME": account,
            "CLIENT_APP_ID": "PythonConnector",
        }
        return await _http("POST", "/session/v1/login-request", "", {"data": data})

    async def post(self, driver: Driver, path: str, body: Any = None) -> tuple[int, Any]:
        return await _http("POST", path, driver.session, body or {})

    async def held(self) -> tuple[str, str]:
        """A statement of its own session that waits for a reviewer: query id and request id."""
        request_id = str(uuid.uuid4())
        path = f"/queries/v1/query-request?requestId={request_id}"
        body = {"sqlText": WRITE.format(2), "asyncExec": True}
        _, answer = await self.post(self.by_column["its own"], path, body)
        return answer["data"]["queryId"], request_id


async def _login(drivers: Drivers, driver: Driver) -> str:
    return _word(await drivers.log_in(driver, drivers.here.connection.name))


async def _renew(_: Drivers, driver: Driver) -> str:
    asked = {"oldSessionToken": driver.session, "requestType": "RENEW"}
    return _word(await _http("POST", "/session/token-request", driver.master, asked))


async def _query(drivers: Drivers, driver: Driver) -> str:
    path = f"/queries/v1/query-request?requestId={uuid.uuid4()}"
    return _word(await drivers.post(driver, path, {"sqlText": READ}))


async def _abort_request(drivers: Drivers, driver: Driver) -> str:
    _, request_id = await drivers.held()
    body = {"requestId": request_id}
    return _word(await drivers.post(driver, "/queries/v1/abort-request", body))


async def _abort(drivers: Drivers, driver: Driver) -> str:
    query_id, _ = await drivers.held()
    return _word(await drivers.post(driver, f"/queries/{query_id}/abort-request"))


def _get(path: str) -> Callable[[Drivers, Driver], Awaitable[str]]:
    async def ask(drivers: Drivers, driver: Driver) -> str:
        found = path.format(query_id=drivers.query_id)
        return _word(await _http("GET", found, driver.session, None))

    return ask


def _post(path: str) -> Callable[[Drivers, Driver], Awaitable[str]]:
    async def ask(drivers: Drivers, driver: Driver) -> str:
        return _word(await drivers.post(driver, path))

    return ask


# The last one ends what the others need.
ASKED = (
    Ask("POST", "/session/v1/login-request", _login),
    Ask("POST", "/session/token-request", _renew),
    Ask("POST", "/session/heartbeat", _post("/session/heartbeat")),
    Ask("POST", "/queries/v1/query-request", _query),
    Ask("GET", "/queries/{query_id}/result", _get("/queries/{query_id}/result")),
    Ask("GET", "/monitoring/queries/{query_id}", _get("/monitoring/queries/{query_id}")),
    Ask("POST", "/queries/v1/abort-request", _abort_request),
    Ask("POST", "/queries/{query_id}/abort-request", _abort),
    Ask("POST", "/session", _post("/session?delete=true")),
)


def cells(world: World) -> dict[tuple[str, str], tuple[str, ...]]:
    """By method and path, what a driver with each kind of session is answered."""
    found: dict[tuple[str, str], tuple[str, ...]] = async_to_sync(_cells)(world)
    return found


async def _cells(world: World) -> dict[tuple[str, str], tuple[str, ...]]:
    found = {}
    async with _hanging_up():
        drivers = Drivers(world)
        await drivers.open()
        for ask in ASKED:
            answers = [await ask.send(drivers, drivers.by_column[name]) for name in COLUMNS]
            found[ask.method, ask.path] = tuple(answers)
    return found


@asynccontextmanager
async def _hanging_up() -> AsyncIterator[None]:
    """Nothing of the loop is left open when it ends."""
    try:
        yield
    finally:
        await asyncio.gather(*sessions._tasks, return_exceptions=True)
        for live in list(upstreams._live.values()):
            await live.closing.aclose()
        upstreams._live.clear()


def _word(answer: tuple[int, Any]) -> str:
    status, said = answer
    if said.get("success") is False:
        return str(said["code"])
    if said.get("data") == {"queries": []}:
        return "nothing"
    return asking.word(status)


async def _http(method: str, path: str, token: str, body: Any) -> tuple[int, Any]:
    path, _, query = path.partition("?")
    headers = [(b"host", b"testserver"), (b"content-type", b"application/json")]
    if token:
        headers.append((b"authorization", f'Snowflake Token="{token}"'.encode()))
    communicator = ApplicationCommunicator(
        application,
        {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": query.encode(),
            "headers": headers,
            "client": ("192.0.2.1", 1),
            "server": ("testserver", 80),
        },
    )
    sent = b"" if body is None else json.dumps(body).encode()
    await communicator.send_input({"type": "http.request", "body": sent, "more_body": False})
    start = await communicator.receive_output(_PATIENCE)
    content = b""
    while True:
        part = await communicator.receive_output(_PATIENCE)
        content += part.get("body", b"")
        if not part.get("more_body"):
            break
    await communicator.wait(_PATIENCE)
    return start["status"], json.loads(content)

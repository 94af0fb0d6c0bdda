"""The page: rows as they were answered, by area, with what each address is for."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.snowflake import app as wire
from tests.access import asking, drivers
from tests.access.routes import Route, doors, pages, sockets
from tests.access.world import CALLERS, Caller, World, bodies

AREAS = {
    "": "Overview and search",
    "search": "Overview and search",
    "statements": "Sessions",
    "approvals": "Approvals",
    "sessions": "Sessions",
    "connections": "Connections",
    "policy": "Policy",
    "agents": "Agents",
    "audit": "Audit",
    "settings": "People, teams and roles",
    "profile": "The person",
    "sign-in": "Sign-in",
    "sign-out": "Sign-in",
    "oidc": "Sign-in",
    "saml": "Sign-in",
    "api": "REST",
    "scim": "SCIM",
    "healthz": "Health and metrics",
    "readyz": "Health and metrics",
}
HEAD = Path(__file__).with_name("head.md")
DOORS = "Doors ahead of Django"
SOCKETS = "Websockets"
DRIVERS = "Drivers' sessions"


class NeedsWorkError(Exception):
    """Something that the table cannot say by itself, and what to do about it."""


@dataclass(frozen=True)
class Row:
    area: str
    method: str
    path: str
    purpose: str
    cells: tuple[str, ...]

    def __str__(self) -> str:
        address = f"`{self.method} {self.path}`".replace("|", "\\|")
        return f"| {address} | {self.purpose} | {' | '.join(self.cells)} |"


def rows(world: World) -> Iterator[Row]:
    """Every row, in the order in which the product lists its addresses."""
    summaries = _summaries()
    sent = dict(bodies())
    for route in [*pages(), *sockets(), *(route for route, _ in doors())]:
        # What only people can supply is asked for before anything slow.
        _purpose(route)
        _path(world, route, world.keeper, world.here)
    for route in pages():
        purpose = _purpose(route)
        area = AREAS.get(segment := route.path.split("/")[1], segment.capitalize())
        known = asking.methods(world.keeper, _path(world, route, world.keeper, world.here))
        for method in (each for each in asking.METHODS if each in known):
            body = sent.get(f"{method} {route.name}")

            def one(caller: Caller, place: Any, method: str = method, body: Any = body) -> str:
                path = _path(world, route, caller, place)  # noqa: B023 - called at once
                return asking.page(caller, method, path, body(place) if body else None)

            yield Row(
                area,
                method,
                route.path,
                summaries.get((route.path, method), purpose),
                _cells(world, route, one),
            )
    for route in sockets():
        yield Row(
            SOCKETS,
            "WS",
            route.path,
            _purpose(route),
            _cells(
                world,
                route,
                lambda c, p: asking.socket(c, _path(world, route, c, p)),  # noqa: B023
            ),
        )
    for route, app in doors():
        for method in ("GET", "POST", "DELETE"):

            def knock(caller: Caller, place: Any, method: str = method) -> str:
                path = _path(world, route, caller, place)  # noqa: B023
                return asking.door(app, caller, method, path)  # noqa: B023

            cells = _cells(world, route, knock)
            if set(cells) != {"405"}:
                yield Row(DOORS, method, route.path, _purpose(route), cells)
    yield from _drivers(world)


def _drivers(world: World) -> Iterator[Row]:
    """The same addresses with a session: what sessions do, they do last."""
    routes = {route.path: route for route, app in doors() if app is wire.application}
    asked = {ask.path for ask in drivers.ASKED}
    for route in routes.values():
        if route.path not in asked | set(drivers.WITHOUT):
            raise NeedsWorkError(
                f"{route.path} is asked with no driver's session. Say in tests/access/drivers.py "
                "how a driver asks for it (ASKED), or why it takes no session (WITHOUT)."
            )
    for (method, path), cells in drivers.cells(world).items():
        yield Row(DRIVERS, method, path, _purpose(routes[path]), cells)


def _path(world: World, route: Route, caller: Caller, place: Any) -> str:
    try:
        values = {name: world.value(place, caller, route.name, name) for name in route.arguments}
    except LookupError as missing:
        raise NeedsWorkError(
            f"{route.path} ({route.name or 'no name'}) takes <{missing}>, of which the matrix has "
            "none. Make one in tests/access/world.py: World._place prepares what belongs to one "
            "connection and its agent, once for the callers' own and once for another's."
        ) from None
    return route.filled(values)


def _cells(world: World, route: Route, ask: Any) -> tuple[str, ...]:
    cells = []
    for caller in world.callers:
        own = ask(caller, world.here)
        # Who is not let in at all is not told apart by what they ask for, nor is who has nothing
        # of their own and no role on one place only.
        told_apart = caller.name in SIDED or "sign_in_id" in route.arguments
        alike = (
            own in {"sign-in", "401"}
            or not told_apart
            or not (route.arguments or route.name in TWO_SIDED)
        )
        other = own if alike else ask(caller, world.there)
        cells.append(own if own == other else f"{own} / {other}")
    return tuple(cells)


# Those to whom one place is theirs and the other is not.
SIDED = {"developer", "agent", "reviewer of one", "auditor of one"}
# Without an argument in the address; what is sent names the connection.
TWO_SIDED = {
    "api:sessions",
    "api:statements",
    "api:simulate",
    "api:rules",
    "api:protections",
}


def _purpose(route: Route) -> str:
    """The first sentence of the view's docstring."""
    text = inspect.getdoc(route.view) or ""
    sentence = re.split(r"(?<=[.?])\s", text.split("\n\n")[0].replace("\n", " "), maxsplit=1)[0]
    if not sentence:
        raise NeedsWorkError(
            f"{route.path} is answered by {route.view!r}, which has no docstring. Its first "
            "sentence says in docs/access.md what the address is for: write one."
        )
    return sentence.replace("``", "`").replace("|", "\\|")


def _summaries() -> dict[tuple[str, str], str]:
    """What the OpenAPI document says of each operation."""
    from drf_spectacular.generators import SchemaGenerator
    from drf_spectacular.settings import patched_settings

    from gateway.rest.schema import SETTINGS

    with patched_settings(SETTINGS):
        document = SchemaGenerator().get_schema(request=None, public=True)
    # Arguments have names of their own there: "id" for "session_id".
    return {
        (path, method.upper()): f"{operation['summary']}."
        for path, item in document["paths"].items()
        for method, operation in item.items()
    }


_ABOUT_DRIVERS = """\
The wire door's addresses once more, with a session that a login opened; the columns are kinds of
sessions. The login is asked with the agent's token, the renewal with the master token. A statement
is its agent's on its connection; a request id, its session's alone. To others an id answers as one
that does not exist.

| answer | means |
|---|---|
| 000605, 000612, nothing | no such statement is under way, or has a result, for them |
| 390100, 390201 | no valid token; no such connection for this agent |
| 390111, 390114 | the session has ended; the login is over, log in again |
"""


def document(found: list[Row]) -> str:
    """The page as Markdown."""
    callers = "\n".join(f"| {name} | {what} |" for name, what in CALLERS.items())
    parts = [HEAD.read_text(encoding="utf-8").format(callers=callers)]
    for area in dict.fromkeys(row.area for row in found):
        parts.append(f"## {area}\n")
        columns = CALLERS
        if area == DRIVERS:
            columns = drivers.COLUMNS
            parts.append(_ABOUT_DRIVERS)
            parts.append("| column | which session |\n|---|---|")
            parts += [f"| {name} | {what} |" for name, what in columns.items()]
            parts.append("")
        parts.append(f"| address | for | {' | '.join(columns)} |")
        parts.append("|---" * (len(columns) + 2) + "|")
        parts += [str(row) for row in found if row.area == area]
        parts.append("")
    return "\n".join(parts).rstrip() + "\n"

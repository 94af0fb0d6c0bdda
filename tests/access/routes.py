"""Every way in: Django's URLs, websockets, and the routes of the doors ahead of Django."""

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, get_resolver

_ARGUMENT = re.compile(r"<(?:\w+:)?(\w+)>")
_IN_BRACES = re.compile(r"{(\w+)(?::\w+)?}")


@dataclass(frozen=True)
class Route:
    """``path`` has its arguments in braces; ``name`` is with its namespace; ``view`` answers."""

    path: str
    name: str
    view: Any

    @property
    def arguments(self) -> list[str]:
        return _IN_BRACES.findall(self.path)

    def filled(self, values: dict[str, Any]) -> str:
        return _IN_BRACES.sub(lambda found: str(values[found[1]]), self.path)


def pages() -> Iterator[Route]:
    """Everything that Django's resolver knows."""
    yield from _below(get_resolver().url_patterns, "/", "")


def _below(patterns: Any, before: str, space: str) -> Iterator[Route]:
    for pattern in patterns:
        path = before + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            # The API's last pattern takes every path that is none of its own.
            path = path.replace("^.*$", "no-such-thing")
            yield Route(
                _ARGUMENT.sub(r"{\1}", path),
                f"{space}{pattern.name or ''}",
                getattr(pattern.callback, "view_class", None) or pattern.callback,
            )
        else:
            inner = f"{pattern.namespace}:" if pattern.namespace else ""
            yield from _below(pattern.url_patterns, path, space + inner)


def sockets() -> Iterator[Route]:
    from approvals.routing import websocket_urlpatterns

    for pattern in websocket_urlpatterns:
        yield Route(
            "/" + _ARGUMENT.sub(r"{\1}", str(pattern.pattern)),
            pattern.name or "",
            pattern.callback.consumer_class,
        )


def doors() -> Iterator[tuple[Route, Any]]:
    """The routes of each mounted door with its application. A door without a table of routes is
    asked at its prefix.
    """
    from hoopweb.asgi import DOORS

    for prefix, app in DOORS.items():
        found = list(_mounted(_table(app), ""))
        # A door mounted at several prefixes is told apart by the paths below each.
        found = [route for route in found if f"{route.path}/".startswith(f"{prefix}/")]
        for route in found or [Route(prefix, "", app)]:
            yield route, app


def _table(app: Any) -> Any:
    """The routes of an application, also of one within another."""
    while not hasattr(app, "routes"):
        held = inspect.getclosurevars(app).nonlocals if inspect.isfunction(app) else {}
        if (app := held.get("inner")) is None:
            return ()
    return app.routes


def _mounted(routes: Any, before: str) -> Iterator[Route]:
    for route in routes:
        path = before + str(getattr(route, "path", ""))
        if inner := getattr(route, "routes", None):
            yield from _mounted(inner, path)
        else:
            yield Route(path, getattr(route, "name", ""), getattr(route, "endpoint", route))

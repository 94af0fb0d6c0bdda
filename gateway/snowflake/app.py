"""The routes of this door, and what every answer of it has in common."""

import functools
import re
from collections.abc import Awaitable, Callable

import structlog
from django.db import InterfaceError, OperationalError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.snowflake import chunks, elsewhere, login, polling, queries, replies, sessions, sql_api
from gateway.snowflake.bodies import MOST
from gateway.snowflake.errors import Refusal, refusal_of

__all__ = ["MOST", "PREFIXES", "application"]
log = structlog.get_logger(__name__)
Handler = Callable[[Request], Awaitable[Response]]
# Where it is mounted, ahead of Django.
PREFIXES = ("/session", "/queries", "/monitoring", "/telemetry", "/chunks", "/api/v2")


# What becomes of a failure; None where nobody foresaw it.
Refused = Callable[[Exception], Response | None]


def _guarded(path: str, handle: Handler, method: str, refused: Refused) -> Route:
    @functools.wraps(handle)
    async def answer(request: Request) -> Response:
        try:
            return await handle(request)
        except (OperationalError, InterfaceError) as error:
            log.error("store_unavailable", error=type(error).__name__)  # noqa: TRY400
            return replies.unavailable()
        except Exception as error:
            found = refused(error)
            if found is None:
                raise
            return found

    return Route(path, answer, methods=[method])


def _route(path: str, handle: Handler, method: str = "POST") -> Route:
    def refused(error: Exception) -> Response:
        refusal = refusal_of(error)
        if refusal is None:
            log.error("wire_request_failed", path=path, error=type(error).__name__, exc_info=error)
            refusal = Refusal(
                "370001", "The gateway failed on this request; its log says why.", "XX000"
            )
        return replies.failure(refusal)

    return _guarded(path, handle, method, refused)


def _part(path: str, handle: Handler) -> Route:
    """Drivers take what comes with 200 for rows, whatever it says."""

    def refused(error: Exception) -> Response:
        log.error("wire_part_failed", error=type(error).__name__, exc_info=error)
        return Response("The gateway failed on this part; its log says why.", status_code=500)

    return _guarded(path, handle, "GET", refused)


def _api(path: str, handle: Handler, method: str) -> Route:
    return _guarded(path, handle, method, sql_api.refused)


class _PlainPaths:
    """One driver asks for paths with doubled slashes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and "//" in scope["path"]:
            scope = {**scope, "path": re.sub("/{2,}", "/", scope["path"])}
        await self._app(scope, receive, send)


application = Starlette(
    middleware=[Middleware(_PlainPaths)],
    routes=[
        # Looked through in order: what is asked most stands first.
        _route("/queries/v1/query-request", queries.query),
        _route("/session/v1/login-request", login.log_in),
        _route("/session/authenticator-request", login.sign_on),
        _route("/session/token-request", sessions.renew),
        _route("/session/heartbeat", sessions.heartbeat),
        _route("/session", sessions.log_out),
        _route("/queries/v1/abort-request", polling.abort_request),
        _route("/queries/{query_id}/abort-request", polling.abort_query),
        _route("/queries/{query_id}/result", polling.result, "GET"),
        _route("/monitoring/queries/{query_id}", polling.monitor, "GET"),
        _route("/telemetry/send", sessions.telemetry),
        _route("/telemetry/send/sessionless", sessions.telemetry),
        _part("/chunks/{result_id}/{place:int}", chunks.chunk),
        _api(sql_api.PATH, sql_api.send, "POST"),
        _api(f"{sql_api.PATH}/{{handle}}", sql_api.look, "GET"),
        _api(f"{sql_api.PATH}/{{handle}}/cancel", sql_api.cancel, "POST"),
    ],
    exception_handlers={404: elsewhere.refuse},
)

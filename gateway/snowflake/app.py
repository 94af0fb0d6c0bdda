"""The routes of this door, and what every answer of it has in common."""

import re
from collections.abc import Awaitable, Callable

import structlog
from django.db import InterfaceError, OperationalError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.snowflake import chunks, elsewhere, login, polling, queries, replies, sessions
from gateway.snowflake.errors import Refusal, refusal_of

log = structlog.get_logger(__name__)
Handler = Callable[[Request], Awaitable[Response]]
# Where it is mounted, ahead of Django.
PREFIXES = ("/session", "/queries", "/monitoring", "/telemetry", "/chunks", "/api/v2")


def _route(path: str, handle: Handler, method: str = "POST") -> Route:
    async def answer(request: Request) -> Response:
        try:
            return await handle(request)
        except (OperationalError, InterfaceError) as error:
            log.error("store_unavailable", error=type(error).__name__)  # noqa: TRY400
            return replies.unavailable()
        except Exception as error:
            refusal = refusal_of(error)
            if refusal is None:
                log.exception("wire_request_failed", path=path, error=type(error).__name__)
                refusal = Refusal(
                    "370001", "The gateway failed on this request; its log says why.", "XX000"
                )
            return replies.failure(refusal)

    answer.__doc__ = handle.__doc__
    return Route(path, answer, methods=[method])


_starlette = Starlette(
    routes=[
        _route("/session/v1/login-request", login.log_in),
        _route("/session/authenticator-request", login.sign_on),
        _route("/session/token-request", sessions.renew),
        _route("/session/heartbeat", sessions.heartbeat),
        _route("/session", sessions.log_out),
        _route("/queries/v1/query-request", queries.query),
        _route("/queries/v1/abort-request", polling.abort_request),
        _route("/queries/{query_id}/abort-request", polling.abort_query),
        _route("/queries/{query_id}/result", polling.result, "GET"),
        _route("/monitoring/queries/{query_id}", polling.monitor, "GET"),
        _route("/telemetry/send", sessions.telemetry),
        _route("/telemetry/send/sessionless", sessions.telemetry),
        _route("/chunks/{result_id}/{place:int}", chunks.chunk, "GET"),
        Route("/{path:path}", elsewhere.refuse, methods=["GET", "POST", "PUT", "PATCH", "DELETE"]),
    ]
)


def _plain_paths(inner: ASGIApp) -> ASGIApp:
    """One driver asks for paths with doubled slashes."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        """Snowflake's protocol; what of it is not spoken here is refused and says so."""
        if scope["type"] == "http" and "//" in scope["path"]:
            scope = {**scope, "path": re.sub("/{2,}", "/", scope["path"])}
        await inner(scope, receive, send)

    return app


application = _plain_paths(_starlette)

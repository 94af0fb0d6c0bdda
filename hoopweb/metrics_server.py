"""Where metrics are read: ``/metrics`` of the web server, a port of its own for a worker.

With METRICS_TOKEN set, whoever carries it as a bearer token; without, this machine only.
"""

import hmac
import ipaddress
import threading
from collections.abc import Callable, Iterable, Mapping
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import structlog
from asgiref.sync import sync_to_async
from django.conf import settings
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from hoopweb.metrics import REGISTRY

log = structlog.get_logger(__name__)

_REFUSAL = (
    "Metrics are for this machine, or for whoever carries METRICS_TOKEN as a bearer token "
    "(docs/operating.md).\n"
)


def may_read(*, address: str, headers: Mapping[str, str]) -> bool:
    """Whether this caller may read. ``headers`` have lower-case names."""
    if settings.METRICS_TOKEN:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(
            token.strip().encode(), settings.METRICS_TOKEN.encode()
        )
    # Through a proxy on this machine everybody would seem to be here.
    if "x-forwarded-for" in headers or "forwarded" in headers:
        return False
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


async def metrics(scope: Scope, receive: Receive, send: Send) -> None:
    """Numbers for Prometheus."""
    request = Request(scope, receive)
    address = request.client.host if request.client else ""
    response: Response
    if request.method not in {"GET", "HEAD"}:
        response = PlainTextResponse("GET it.\n", status_code=405, headers={"Allow": "GET, HEAD"})
    elif may_read(address=address, headers=request.headers):
        body = await sync_to_async(generate_latest, thread_sensitive=False)(REGISTRY)
        response = Response(body, media_type=CONTENT_TYPE_LATEST)
    else:
        response = PlainTextResponse(_REFUSAL, status_code=403)
    await response(scope, receive, send)


def _wsgi(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    if not may_read(address=environ["REMOTE_ADDR"], headers=headers):
        start("403 Forbidden", [("Content-Type", "text/plain; charset=utf-8")])
        return [_REFUSAL.encode()]
    start("200 OK", [("Content-Type", CONTENT_TYPE_LATEST)])
    return [generate_latest(REGISTRY)]


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Readings come every few seconds and are no news."""


def serve_on_port(port: int) -> WSGIServer:
    """Publish this process's metrics on a port of its own; for workers, which serve nothing else.

    Without a token it is bound to this machine.
    """
    host = "0.0.0.0" if settings.METRICS_TOKEN else "127.0.0.1"  # noqa: S104
    server = make_server(host, port, _wsgi, server_class=_Server, handler_class=_Quiet)
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    log.info("metrics_served", host=host, port=server.server_port)
    return server

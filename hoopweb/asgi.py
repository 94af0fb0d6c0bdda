"""The way in: doors ahead of Django, then Django, and websockets. One process, no state in it."""

import os
import signal
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hoopweb.settings")
django.setup(set_prefix=False)

# Below, models are imported, for which Django has to be set up.
from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import AllowedHostsOriginValidator  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.asgi import get_asgi_application  # noqa: E402
from django.db import connection  # noqa: E402
from starlette.types import ASGIApp  # noqa: E402

from approvals.routing import websocket_urlpatterns  # noqa: E402
from gateway.snowflake import app as snowflake  # noqa: E402
from hoopweb import doors  # noqa: E402
from hoopweb.checks import refuse_to_start_unready  # noqa: E402
from hoopweb.lib.memory import keep_large_buffers  # noqa: E402
from hoopweb.lib.stopping import announce_on  # noqa: E402
from hoopweb.metrics import REGISTRY, WEBSOCKET_CLIENTS  # noqa: E402
from hoopweb.metrics_server import metrics  # noqa: E402
from hoopweb.metrics_store import StoreCollector  # noqa: E402

# Paths that Django never sees.
DOORS: dict[str, ASGIApp] = {
    "/metrics": metrics,
    **dict.fromkeys(snowflake.PREFIXES, snowflake.application),
}
# Nothing that they answer is a page, nor to be kept.
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
if settings.SECURE:
    _HEADERS["Strict-Transport-Security"] = (
        f"max-age={settings.SECURE_HSTS_SECONDS}; includeSubDomains; preload"
    )
# What such a door needs to have running while the server runs.
LIFESPANS: tuple[doors.Lifespan, ...] = ()


def _started() -> None:
    # The server listens to these already: a waiting request answers early instead of being cut off.
    announce_on(signal.SIGTERM, signal.SIGINT)
    keep_large_buffers()


def _limited(inner: ASGIApp, door: ASGIApp) -> ASGIApp:
    """Drivers bind whole arrays of rows."""
    wire = door is snowflake.application
    return doors.limit_body(inner, snowflake.MOST if wire else settings.DATA_UPLOAD_MAX_MEMORY_SIZE)


def _stopped() -> None:
    if pool := getattr(connection, "pool", None):
        pool.close()


if not settings.TESTING:
    refuse_to_start_unready()
REGISTRY.register(StoreCollector())
django_application: Any = get_asgi_application()

application = ProtocolTypeRouter(
    {
        "http": doors.dispatch(
            {
                path: _limited(doors.with_headers(door, _HEADERS), door)
                for path, door in DOORS.items()
            },
            _limited(django_application, django_application),
        ),
        "websocket": AllowedHostsOriginValidator(
            AuthMiddlewareStack(
                doors.count_clients(URLRouter(websocket_urlpatterns), WEBSOCKET_CLIENTS)
            )
        ),
        "lifespan": doors.lifespan(_started, _stopped, LIFESPANS),
    }
)

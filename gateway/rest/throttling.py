"""How much one principal may ask. Counted in Valkey for all processes, here when it is away."""

import time
from typing import Any

import redis
import structlog
from django.conf import settings
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

log = structlog.get_logger(__name__)

WINDOW = 60
REQUESTS = 1200
# Each costs analysis, a decision and a recording.
STATEMENTS = 300
_client: redis.Redis | None = None
_here: dict[str, int] = {}
_here_since = 0


def _redis() -> redis.Redis:
    global _client  # noqa: PLW0603 - one connection pool per process
    if _client is None:
        _client = redis.Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=0.5, socket_timeout=0.5
        )
    return _client


def _count(key: str, window: int) -> int:
    """How often ``key`` has been counted in this window, this time included."""
    name = f"hoopweb:rate:{key}:{window}"
    try:
        with _redis().pipeline() as pipe:
            pipe.incr(name)
            pipe.expire(name, WINDOW * 2)
            return int(pipe.execute()[0])
    except redis.RedisError as error:
        log.warning("rate_counted_here", error=type(error).__name__)
        return _count_here(key, window)


def _count_here(key: str, window: int) -> int:
    """The same for this process alone: without Valkey a limit still holds, only wider."""
    global _here_since  # noqa: PLW0603 - as above
    if window != _here_since:
        _here.clear()
        _here_since = window
    _here[key] = _here.get(key, 0) + 1
    return _here[key]


class PerPrincipal(BaseThrottle):
    """So many requests a minute for a person or an agent, over all its tokens and browsers."""

    scope = "requests"

    @property
    def limit(self) -> int:
        return int(getattr(settings, "API_REQUESTS_PER_MINUTE", REQUESTS))

    def allow_request(self, request: Request, view: Any) -> bool:  # noqa: ARG002
        window = int(time.time()) // WINDOW
        return _count(f"{self.scope}:{request.user.pk}", window) <= self.limit

    def wait(self) -> float:
        return WINDOW - time.time() % WINDOW


class StatementsPerPrincipal(PerPrincipal):
    """So many statements a minute."""

    scope = "statements"

    @property
    def limit(self) -> int:
        return int(getattr(settings, "API_STATEMENTS_PER_MINUTE", STATEMENTS))

    def allow_request(self, request: Request, view: Any) -> bool:
        return request.method != "POST" or super().allow_request(request, view)

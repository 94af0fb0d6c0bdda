"""How often something happened in this minute: counted in Valkey for all processes.

While Valkey is away each process counts for itself.
"""

import time

import redis
import structlog
from django.conf import settings

log = structlog.get_logger(__name__)

WINDOW = 60
_client: redis.Redis | None = None
_here: dict[str, int] = {}
_here_since = 0


def count(key: str, window: int | None = None) -> int:
    """How often ``key`` has been counted in this window, this time included."""
    window = int(time.time()) // WINDOW if window is None else window
    name = f"hoopweb:rate:{key}:{window}"
    try:
        with _redis().pipeline() as pipe:
            pipe.incr(name)
            pipe.expire(name, WINDOW * 2)
            return int(pipe.execute()[0])
    except redis.RedisError as error:
        log.warning("rate_counted_here", error=type(error).__name__)
        return _count_here(key, window)


def count_here(key: str) -> int:
    """As ``count``, for this process alone and without asking anybody."""
    return _count_here(key, int(time.time()) // WINDOW)


def wait() -> float:
    """Seconds to the next window."""
    return WINDOW - time.time() % WINDOW


def _redis() -> redis.Redis:
    global _client  # noqa: PLW0603 - one connection pool per process
    if _client is None:
        _client = redis.Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=0.5, socket_timeout=0.5
        )
    return _client


def _count_here(key: str, window: int) -> int:
    """The same for this process alone: without Valkey a limit still holds, only wider."""
    global _here_since  # noqa: PLW0603 - as above
    if window != _here_since:
        _here.clear()
        _here_since = window
    _here[key] = _here.get(key, 0) + 1
    return _here[key]

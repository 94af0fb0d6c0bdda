"""Waiting for a statement without holding a database connection, and hearing that it must stop."""

import threading
import time
from collections.abc import Callable
from uuid import UUID

import redis
import structlog
from django.conf import settings
from django.db import connection, transaction

from gateway.models import Statement
from hoopweb.lib.stopping import STOPPING

log = structlog.get_logger(__name__)
# Postgres is asked again this often, in case the word was lost.
_ASK_EVERY = 1.0
_client: redis.Redis | None = None


def _redis() -> redis.Redis:
    global _client  # noqa: PLW0603 - one connection pool per process
    if _client is None:
        _client = redis.Redis.from_url(
            settings.REDIS_URL, socket_connect_timeout=1, socket_timeout=2
        )
    return _client


def _channel(statement_id: UUID) -> str:
    return f"hoopweb:statement:{statement_id}"


def wake(statement_id: UUID) -> None:
    """After commit, tell whoever waits for this statement to look again."""

    def publish() -> None:
        try:
            _redis().publish(_channel(statement_id), b"1")
        except redis.RedisError as error:
            log.warning("not_woken", error=type(error).__name__)

    transaction.on_commit(publish)


def wait_until_settled(
    statement_id: UUID, seconds: float, *, still: Callable[[], None] | None = None
) -> Statement:
    """The statement once it is final, or as it stands after ``seconds``.

    Blocks the calling thread; holds no database connection while it sleeps. ``still`` is asked
    with every look whether the caller may go on waiting, and raises when not.
    """
    until = time.monotonic() + seconds
    pubsub = None
    try:
        pubsub = _redis().pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        pubsub.subscribe(_channel(statement_id))
    except redis.RedisError:
        pubsub = None
    try:
        while True:
            statement = Statement.objects.select_related("connection", "approval").get(
                pk=statement_id
            )
            if still is not None:
                still()
            left = until - time.monotonic()
            # A server that is about to end answers now: the caller asks again, and finds another.
            if statement.is_final or left <= 0 or STOPPING.is_set():
                return statement
            if not connection.in_atomic_block:
                connection.close()
            pubsub = _sleep(pubsub, min(left, _ASK_EVERY))
    finally:
        if pubsub is not None:
            pubsub.close()


_STOP = "hoopweb:stop"
_running: dict[UUID, threading.Event] = {}
_listener: threading.Thread | None = None
_starting = threading.Lock()


def ask_to_stop(statement_id: UUID) -> None:
    """After commit, tell the worker that runs it, and whoever waits for it."""
    wake(statement_id)

    def publish() -> None:
        try:
            _redis().publish(_STOP, str(statement_id))
        except redis.RedisError as error:
            # The worker also looks into the row every other second.
            log.warning("stop_not_told", error=type(error).__name__)

    transaction.on_commit(publish)


def listen(statement_id: UUID, stop: threading.Event) -> None:
    """Set ``stop`` when somebody asks this worker's statement to end."""
    global _listener  # noqa: PLW0603 - one thread per process
    _running[statement_id] = stop
    with _starting:
        if _listener is None or not _listener.is_alive():
            _listener = threading.Thread(target=_hear, name="stops", daemon=True)
            _listener.start()


def forget(statement_id: UUID) -> None:
    _running.pop(statement_id, None)


def _hear() -> None:
    while True:
        try:
            with _redis().pubsub(ignore_subscribe_messages=True) as pubsub:  # type: ignore[no-untyped-call]
                pubsub.subscribe(_STOP)
                while True:
                    message = pubsub.get_message(timeout=1.0)
                    if message is not None:
                        _stop(message["data"])
        except (redis.RedisError, OSError):
            time.sleep(1)


def _stop(named: bytes) -> None:
    try:
        found = _running.get(UUID(named.decode()))
    except ValueError:
        return
    if found is not None:
        found.set()


def _sleep(pubsub: redis.client.PubSub | None, seconds: float) -> redis.client.PubSub | None:
    """Until a word arrives or ``seconds`` are over; drops a broken subscription."""
    if pubsub is None:
        time.sleep(min(seconds, 0.25))
        return None
    try:
        pubsub.get_message(timeout=seconds)
    except redis.RedisError:
        return None
    return pubsub

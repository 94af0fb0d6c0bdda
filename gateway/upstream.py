"""Logged-in Snowflake sessions of this process, kept warm between statements.

One thread runs one event loop for all of them. A session goes back only after a statement that
cannot have changed it, and only to its own connection and credential.
"""

import asyncio
import threading
import time
from collections import defaultdict
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from connections import services as connections
from connections.models import Connection
from connections.upstream.client import SnowflakeSession, connect
from connections.upstream.types import Target

log = structlog.get_logger(__name__)
T = TypeVar("T")
__all__ = ["Target", "key_of", "pool", "run", "target_of"]
_IDLE_SECONDS = 240
_KEEP = 4


@dataclass
class _Warm:
    session: SnowflakeSession
    closing: AsyncExitStack
    since: float


class _Pool:
    def __init__(self) -> None:
        self._warm: dict[str, list[_Warm]] = defaultdict(list)

    async def take(self, key: str, target: Target, *, fresh: bool = False) -> _Warm:
        """A session of this key, kept or newly logged in; ``fresh`` trusts no kept one."""
        while self._warm[key]:
            found = self._warm[key].pop()
            if not fresh and time.monotonic() - found.since < _IDLE_SECONDS:
                return found
            await self.drop(found)
        closing = AsyncExitStack()
        session = await closing.enter_async_context(connect(target))
        return _Warm(session, closing, time.monotonic())

    async def give_back(self, key: str, warm: _Warm) -> None:
        warm.since = time.monotonic()
        if len(self._warm[key]) < _KEEP:
            self._warm[key].append(warm)
        else:
            await self.drop(warm)

    async def drop(self, warm: _Warm) -> None:
        try:
            await warm.closing.aclose()
        except Exception as error:  # noqa: BLE001 - the session times out upstream by itself
            log.info("upstream_not_closed", error=type(error).__name__)


pool = _Pool()
_loop: asyncio.AbstractEventLoop | None = None
_starting = threading.Lock()


def _running_loop() -> asyncio.AbstractEventLoop:
    global _loop  # noqa: PLW0603 - one loop per process
    with _starting:
        if _loop is None or _loop.is_closed():
            loop = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="upstream", daemon=True).start()
            _loop = loop
        return _loop


def run(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` on the upstream loop and wait for it in this thread."""
    return asyncio.run_coroutine_threadsafe(work, _running_loop()).result()


def key_of(connection: Connection) -> str:
    """What a session may be shared for: the same place, as the same user, with the same secret."""
    changed = connection.credential.changed_at.isoformat()
    place = (
        connection.pk,
        connection.account,
        connection.host,
        connection.port,
        connection.warehouse,
        connection.database,
        connection.schema,
        connection.role,
        changed,
    )
    return "|".join(map(str, place))


def target_of(connection: Connection) -> Target:
    return connections.target_for(connection)

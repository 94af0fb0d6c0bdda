"""Sessions at Snowflake that belong to one driver's session each, from whatever process.

The tokens lie sealed in the driver's row. Any process may go on with them; one at a time renews.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from uuid import UUID

from django.db import close_old_connections

from connections.models import Connection
from connections.upstream.client import SnowflakeSession, resume
from connections.upstream.errors import SessionLost, UpstreamUnreachable
from connections.upstream.types import Target, UpstreamSession
from gateway import wire_sessions
from gateway.models import WireSession

T = TypeVar("T")
_RENEWAL_PATIENCE = 45.0


def in_thread(call: Callable[..., T], *args: Any) -> T:
    """Run a database call in this thread, leaving no broken connection behind."""
    try:
        return call(*args)
    finally:
        close_old_connections()


class RowKeeper:
    """Tokens in a driver's row."""

    def __init__(self, session_id: UUID) -> None:
        self._id = session_id

    async def claim(self, used: UpstreamSession) -> UpstreamSession | None:
        """As ``Keeper.claim``; waits while another process renews."""
        try:
            async with asyncio.timeout(_RENEWAL_PATIENCE):
                while True:
                    found = await asyncio.to_thread(
                        in_thread, wire_sessions.claim_renewal, self._id, used.token
                    )
                    if found is True:
                        return None
                    if isinstance(found, UpstreamSession):
                        return found
                    await asyncio.sleep(0.2)
        except TimeoutError:
            raise UpstreamUnreachable(
                "The session is being renewed, and that does not end"
            ) from None

    async def keep(self, tokens: UpstreamSession) -> None:
        await asyncio.to_thread(in_thread, wire_sessions.keep_tokens, self._id, tokens)


def place_of(connection: Connection) -> Target:
    """Where to go on; no secret is needed for that."""
    return Target(
        account=connection.account,
        host=connection.host,
        port=connection.port,
        protocol=connection.protocol,
    )


def _found(session_id: UUID) -> tuple[Target, UpstreamSession]:
    session = WireSession.objects.select_related("connection").get(pk=session_id)
    if session.ended_at is not None:
        raise SessionLost("390111", "08003", "The driver's session has ended.")
    return place_of(session.connection), wire_sessions.tokens_of(session)


async def close(place: Target, tokens: UpstreamSession) -> None:
    """End a session at Snowflake that no driver has any more."""
    async with resume(place, tokens, keeper=None) as session:
        await session.close()


@asynccontextmanager
async def session_of(session_id: UUID) -> AsyncIterator[SnowflakeSession]:
    """The session of a driver, to go on with. Raises SessionLost when it has ended."""
    target, tokens = await asyncio.to_thread(in_thread, _found, session_id)
    async with resume(target, tokens, keeper=RowKeeper(session_id)) as session:
        yield session

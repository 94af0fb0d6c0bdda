"""Snowflake's sessions behind the drivers' ones, as far as this process speaks to them.

An entry here is a cache: the tokens lie in the driver's row, and any process may go on with them.
"""

import asyncio
import importlib
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from uuid import UUID

import structlog

from connections.upstream.client import SnowflakeSession, fetch_part, resume
from connections.upstream.errors import UpstreamFailure
from connections.upstream.types import Target, UpstreamSession
from gateway import kept, wire_sessions
from gateway.models import Statement, WireSession
from gateway.snowflake.hops import hop

log = structlog.get_logger(__name__)
_IDLE_SECONDS = 900.0
_ASK_EVERY = 600.0


@dataclass(slots=True)
class _Live:
    session: SnowflakeSession
    closing: AsyncExitStack
    used: float
    # When Snowflake was last asked for anything.
    heard: float


_live: dict[UUID, _Live] = {}
_opening: dict[UUID, asyncio.Lock] = {}


async def log_in(target: Target) -> UpstreamSession:
    """A new session. The driver takes seconds to import, and only a login needs it: not on the
    loop that serves everyone.
    """
    login = await asyncio.to_thread(importlib.import_module, "connections.upstream.login")
    tokens: UpstreamSession = await login.log_in(target)
    return tokens


async def adopt(session: WireSession, target: Target, tokens: UpstreamSession) -> None:
    """Go on with the session that was just opened; the secret that opened it is forgotten."""
    place = Target(
        account=target.account, host=target.host, port=target.port, protocol=target.protocol
    )
    await _enter(session.pk, place, tokens)


async def of(session: WireSession) -> SnowflakeSession:
    """The session behind a driver's one, from its row where this process does not know it yet."""
    live = _live.get(session.pk)
    if live is None:
        lock = _opening.setdefault(session.pk, asyncio.Lock())
        async with lock:
            live = _live.get(session.pk)
            if live is None:
                place, tokens = await hop(_read, session.pk)
                live = await _enter(session.pk, place, tokens)
        _opening.pop(session.pk, None)
    live.used = live.heard = time.monotonic()
    return live.session


async def part_of(statement: Statement, url: str, headers: Mapping[str, str]) -> bytes:
    """A remote part of a statement's result, which Snowflake keeps longer than its session.

    Raises OutcomeUnknown when it is gone.
    """
    session = statement.wire_session
    assert session is not None
    try:
        upstream = await of(session)
    except wire_sessions.SessionOver:
        return await fetch_part(kept.place_of(statement.connection), url, headers)
    return await upstream.chunk(url, headers)


def _read(session_id: UUID) -> tuple[Target, UpstreamSession]:
    session = WireSession.objects.select_related("connection").get(pk=session_id)
    if session.ended_at is not None:
        raise wire_sessions.SessionOver("This session has ended. Connect again.")
    return kept.place_of(session.connection), wire_sessions.tokens_of(session)


async def _enter(session_id: UUID, place: Target, tokens: UpstreamSession) -> _Live:
    known = _live.get(session_id)
    if known is not None:
        return known
    closing = AsyncExitStack()
    keeper = kept.RowKeeper(session_id)
    session = await closing.enter_async_context(resume(place, tokens, keeper=keeper))
    now = time.monotonic()
    _live[session_id] = made = _Live(session, closing, now, now)
    await _forget_idle(now)
    return made


async def _forget_idle(now: float) -> None:
    for session_id, live in list(_live.items()):
        if now - live.used > _IDLE_SECONDS:
            _live.pop(session_id, None)
            await live.closing.aclose()


async def keep_alive(session: WireSession) -> bool:
    """Let a session that only heartbeats not end at Snowflake; False when it has."""
    live = _live.get(session.pk)
    if live is not None and time.monotonic() - live.heard < _ASK_EVERY:
        return True
    try:
        return await (await of(session)).alive()
    except UpstreamFailure as error:
        log.info("wire_heartbeat_unanswered", error=type(error).__name__)
        return True


async def close(session_id: UUID, place: Target, tokens: UpstreamSession) -> None:
    """End the session at Snowflake; one that cannot be reached ends by itself."""
    live = _live.pop(session_id, None)
    try:
        if live is not None:
            await live.session.close()
            await live.closing.aclose()
        else:
            await kept.close(place, tokens)
    except Exception as error:  # noqa: BLE001 - its time is limited upstream as well
        log.info("upstream_not_closed", error=type(error).__name__)

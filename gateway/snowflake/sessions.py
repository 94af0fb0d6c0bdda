"""A session between its statements: renewed, kept alive, ended."""

import asyncio
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from accounts.principal import Principal
from connections.upstream.types import Target, UpstreamSession
from gateway import admission, kept, logins, services, wire_sessions
from gateway.models import WireSession
from gateway.snowflake import replies, upstreams
from gateway.snowflake.bodies import address_of, body_of, token_of
from gateway.snowflake.errors import MASTER_EXPIRED, OVER, Refusal
from gateway.snowflake.hops import hop
from hoopweb.lib.errors import HoopwebError

_tasks: set[asyncio.Task[None]] = set()


async def renew(request: Request) -> Response:
    """A new session token for the master token."""
    await body_of(request)
    master = token_of(request)
    try:
        session, token = await hop(wire_sessions.renew, master)
    except wire_sessions.TokenExpired as error:
        raise Refusal(
            MASTER_EXPIRED, "The session's time is over. Connect again.", "08001"
        ) from error
    return replies.success(
        {
            "sessionToken": token,
            "masterToken": master,
            "sessionId": session.number,
            "validityInSecondsST": logins.left(session, wire_sessions.TOKEN_LIFE),
            "validityInSecondsMT": logins.left(session, wire_sessions.MASTER_LIFE),
        }
    )


async def heartbeat(request: Request) -> Response:
    """The session stays open."""
    await request.body()
    session = await hop(_admitted, token_of(request), address_of(request))
    if not await upstreams.keep_alive(session):
        raise Refusal(OVER, "The session at Snowflake has ended. Connect again.", "08003")
    return replies.success(None)


def _admitted(token: str, address: str | None) -> WireSession:
    session = wire_sessions.find(token)
    admission.admit(session, address)
    return session


async def log_out(request: Request) -> Response:
    """The session ends."""
    await request.body()
    if request.query_params.get("delete") != "true":
        await hop(_admitted, token_of(request), address_of(request))
        return replies.success(None)
    ended = await hop(_end, token_of(request), address_of(request))
    if ended is not None:
        # The driver waits for five seconds at most, and Snowflake may take them all.
        task = asyncio.create_task(upstreams.close(*ended))
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
    return replies.success(None)


def _end(token: str, address: str | None) -> tuple[UUID, Target, UpstreamSession] | None:
    try:
        session = wire_sessions.find(token)
    except (wire_sessions.SessionOver, logins.LoginOver):
        return None
    principal = admission.admit(session, address)
    withdraw_waiting(session, principal)
    tokens = wire_sessions.end(session.pk, actor=principal.as_actor(), reason="logged out")
    return None if tokens is None else (session.pk, kept.place_of(session.connection), tokens)


def withdraw_waiting(session: WireSession, principal: Principal) -> None:
    """What waits in a session that ends could not run in it any more."""
    for statement_id in wire_sessions.waiting_in(session.pk):
        try:
            services.cancel(
                statement_id=statement_id, by=principal, reason="The driver closed its session."
            )
        except HoopwebError:
            continue  # somebody was quicker


async def telemetry(request: Request) -> Response:
    """Drivers report on themselves; nothing of it is kept."""
    await request.body()
    return replies.success("Log Received")

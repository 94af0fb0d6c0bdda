"""What a driver is told about a statement: its rows, why there are none, or that it goes on."""

import asyncio
from uuid import UUID

from starlette.responses import Response

from connections.upstream.errors import (
    OutcomeUnknown,
    SessionLost,
    UpstreamError,
    UpstreamUnreachable,
)
from gateway import transfers
from gateway.claiming import claim
from gateway.models import Statement, WireSession
from gateway.snowflake import replies, results, running, upstreams, waiting
from gateway.snowflake.errors import NO_RESULT, OVER, Refusal, refusal_for
from gateway.snowflake.hops import hop
from gateway.states import StatementState

# Below every driver's patience for one call, and below what proxies allow.
HOLD_SECONDS = 35.0
_TAKEN_SECONDS = 20.0
_WAITS = {
    StatementState.AWAITING_APPROVAL: "Waiting for a reviewer of this connection.",
    StatementState.QUEUED: "Approved; about to run.",
    StatementState.UNKNOWN: "Snowflake is being asked what became of the statement.",
}


async def settled(
    statement: Statement, session: WireSession, base_url: str, seconds: float = HOLD_SECONDS
) -> Response:
    """The final answer if it comes within ``seconds``, else that the statement goes on."""
    entry = running.find(statement.pk)
    if entry is not None:
        finished, _ = await asyncio.wait({entry.done}, timeout=seconds)
        if not finished:
            return going_on(entry.statement)
        statement, reply = entry.done.result()
        running.drop(statement.pk)
        if reply is not None:
            return replies.success(reply.to_json(base_url))
    if not statement.is_final:
        statement = await waiting.until_final(statement, seconds)
    if statement.state == StatementState.QUEUED and transfers.carried(statement):
        # Permitted by now, and its files are this driver's to carry.
        claimed = await hop(claim, statement.pk)
        if claimed is not None:
            running.start(claimed, session, {})
        return await settled(await hop(waiting.read, statement.pk), session, base_url, seconds)
    if not statement.is_final:
        return going_on(statement)
    return await final(statement, session, base_url)


async def detached(statement: Statement, session: WireSession, base_url: str) -> Response:
    """An id to ask by, at once; a denial at once as well."""
    entry = running.find(statement.pk)
    if entry is not None:
        async with asyncio.timeout(_TAKEN_SECONDS):
            await entry.taken.wait()
        if entry.handle is None:
            statement, _ = await entry.done
            return await final(statement, session, base_url)
        return replies.in_progress(entry.handle.query_id, detached=True)
    if statement.is_final and statement.state != StatementState.SUCCEEDED:
        raise refusal_for(statement)
    return going_on(statement)


def going_on(statement: Statement) -> Response:
    query_id = statement.upstream_query_id or str(statement.pk)
    said = _WAITS.get(StatementState(statement.state), "")
    return replies.in_progress(query_id, detached=statement.detached, said=said)


async def final(statement: Statement, session: WireSession, base_url: str) -> Response:
    """What a final statement left behind. Its rows come from Snowflake once more, which keeps them
    for a day, and pass the detectors once more.
    """
    if statement.state != StatementState.SUCCEEDED:
        raise refusal_for(statement)
    data = await fetched(statement, session)
    reply = await hop(_again, statement.pk, data)
    return replies.success(reply.to_json(base_url))


async def fetched(statement: Statement, session: WireSession) -> dict[str, object]:
    gone = Refusal(
        NO_RESULT,
        "The result is no longer kept at Snowflake. Run the statement again.",
        "02000",
        statement.upstream_query_id,
    )
    if not statement.upstream_query_id:
        raise gone
    upstream = await upstreams.of(session)
    try:
        return await upstream.data(upstream.handle(statement.upstream_query_id, timeout=60))
    except SessionLost as error:
        raise Refusal(OVER, "The session at Snowflake was lost. Connect again.", "08003") from error
    except UpstreamUnreachable as error:
        raise Refusal("390400", "Snowflake cannot be reached now. Try again.", "08001") from error
    except (OutcomeUnknown, UpstreamError) as error:
        raise gone from error


def _again(statement_id: UUID, data: dict[str, object]) -> results.Reply:
    statement = Statement.objects.select_related("connection").get(pk=statement_id)
    try:
        return results.with_parts(results.made(data, statement), statement)
    except results.Unreadable as error:
        raise Refusal("390400", str(error), "42501", statement.upstream_query_id) from error

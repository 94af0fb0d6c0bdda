"""After the first answer: results by id, what became of them, and taking them back."""

from typing import Any
from uuid import UUID

from django.db.models import Q
from starlette.requests import Request
from starlette.responses import Response

from accounts.principal import Principal
from gateway import admission, services, wire_sessions
from gateway.models import Statement, WireBatch, WireSession
from gateway.snowflake import answers, batches, replies, running
from gateway.snowflake.bodies import address_of, body_of, request_name, token_of
from gateway.snowflake.errors import NO_RESULT, NOT_RUNNING, Refusal, refusal_for
from gateway.snowflake.hops import hop
from gateway.states import StatementState
from hoopweb.lib.errors import Conflict

_STATUS = {
    StatementState.RECEIVED: "QUEUED",
    StatementState.AWAITING_APPROVAL: "QUEUED",
    StatementState.QUEUED: "QUEUED",
    StatementState.RUNNING: "RUNNING",
    StatementState.UNKNOWN: "RUNNING",
    StatementState.SUCCEEDED: "SUCCESS",
    StatementState.CANCELLED: "ABORTED",
}


async def result(request: Request) -> Response:
    """The rows of a statement, when there are any."""
    query_id = request.path_params["query_id"]
    session, _, statement, batch = await hop(
        _find, token_of(request), query_id, address_of(request)
    )
    base_url = str(request.base_url)
    if batch is not None:
        return await batches.result(batch, session, base_url)
    if statement is None:
        raise _unknown(query_id)
    return await answers.settled(statement, session, base_url)


def _unknown(query_id: str) -> Refusal:
    return Refusal(
        NO_RESULT,
        f"There is no result {query_id[:60]} of yours on this connection. Run the statement again.",
        "02000",
        query_id,
    )


_Found = tuple[WireSession, Principal, Statement | None, WireBatch | None]


def _find(token: str, query_id: str, address: str | None) -> _Found:
    session = wire_sessions.find(token)
    principal = admission.admit(session, address)
    wire_sessions.seen(session)
    statement = statement_of(session, query_id)
    batch = None
    if statement is None and (batch_id := _uuid(query_id)) is not None:
        batch = WireBatch.objects.filter(pk=batch_id, wire_session=session).first()
    return session, principal, statement, batch


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def statement_of(session: WireSession, query_id: str) -> Statement | None:
    """A statement by Snowflake's id or by the one that was given while it was held. It is its
    sender's alone, from whichever of its sessions on the connection.
    """
    mine = Statement.objects.select_related("connection").filter(
        principal_id=session.principal_id,
        connection_id=session.connection_id,
        wire_session__isnull=False,
    )
    named = Q(upstream_query_id=query_id, wire_session__principal_id=session.principal_id)
    if (own := _uuid(query_id)) is not None:
        named |= Q(pk=own)
    return mine.filter(named).first()


async def monitor(request: Request) -> Response:
    """How a statement is."""
    query_id = request.path_params["query_id"]
    session, _, statement, _ = await hop(_find, token_of(request), query_id, address_of(request))
    if statement is None:
        return replies.success({"queries": []})
    return replies.success({"queries": [_status(statement, session, query_id)]})


def _status(statement: Statement, session: WireSession, query_id: str) -> dict[str, Any]:
    state = StatementState(statement.state)
    status = _STATUS.get(state, "FAILED_WITH_ERROR")
    refusal = refusal_for(statement) if status == "FAILED_WITH_ERROR" else None
    started, ended = statement.started_at or statement.received_at, statement.finished_at
    return {
        "id": query_id,
        "status": status,
        "state": "FILE_SET_INITIALIZATION" if statement.is_final else "EXECUTING",
        "errorCode": refusal.code if refusal is not None else "",
        "errorMessage": refusal.message if refusal is not None else None,
        "sqlText": statement.sql_given,
        "sessionId": session.number,
        "startTime": int(started.timestamp() * 1000),
        "endTime": int(ended.timestamp() * 1000) if ended is not None else 0,
        "totalDuration": int((ended - started).total_seconds() * 1000) if ended else 0,
    }


async def abort_request(request: Request) -> Response:
    """Stop a statement by its request id."""
    body = await body_of(request)
    request_id = str(body.get("requestId") or "")
    session, principal, statement, batch = await hop(
        _find_request, token_of(request), request_id, address_of(request)
    )
    if batch is not None:
        await batches.stop(batch, session)
        statement = await hop(batches.current, batch, session)
    return await _stopped(statement, principal)


def _find_request(token: str, request_id: str, address: str | None) -> _Found:
    session = wire_sessions.find(token)
    principal = admission.admit(session, address)
    mine = Statement.objects.filter(wire_session=session)
    statement = mine.filter(request_id=request_name(session, request_id)).first()
    batch = session.batches.filter(request_id=request_id).first() if statement is None else None
    return session, principal, statement, batch


async def abort_query(request: Request) -> Response:
    """Stop a statement by its query id."""
    await request.body()
    query_id = request.path_params["query_id"]
    session, principal, statement, batch = await hop(
        _find, token_of(request), query_id, address_of(request)
    )
    if batch is not None:
        await batches.stop(batch, session)
        statement = await hop(batches.current, batch, session)
    return await _stopped(statement, principal)


async def _stopped(statement: Statement | None, principal: Principal) -> Response:
    """Withdrawn while it waits, ended while it runs."""
    if statement is None or statement.is_final:
        raise Refusal(NOT_RUNNING, "Identified SQL statement is not currently executing.", "02000")
    try:
        await hop(_cancel, statement.pk, principal)
    except Conflict as error:
        raise Refusal(NOT_RUNNING, error.detail, "02000") from error
    await running.stop(statement.pk)
    return replies.success(None)


def _cancel(statement_id: UUID, principal: Principal) -> None:
    services.cancel(statement_id=statement_id, by=principal)

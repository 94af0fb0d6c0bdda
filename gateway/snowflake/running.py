"""Statements that this process runs: sent, masked, recorded, and ready to be handed out."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import structlog
from django.utils import timezone

from connections.masking.apply import scan_text
from connections.upstream.binds import to_bindings
from connections.upstream.client import SnowflakeSession
from connections.upstream.errors import (
    OutcomeUnknown,
    SessionLost,
    UpstreamError,
    UpstreamUnreachable,
)
from connections.upstream.types import QueryHandle
from gateway import execution, wire_sessions
from gateway.claiming import WORKER
from gateway.execution import Outcome
from gateway.grouping import Grouped
from gateway.models import Statement, WireSession
from gateway.results import detectors_of
from gateway.snowflake import results, upstreams
from gateway.snowflake.hops import hop
from gateway.states import StatementState
from hoopweb.metrics import UPSTREAM_SECONDS

log = structlog.get_logger(__name__)
_BEAT = 2.0
# An answer that nobody fetched is dropped after so long; Snowflake has it for a day.
_KEPT_SECONDS = 60.0
_READS = frozenset({"select", "show", "describe", "explain", "list", "put", "get"})


@dataclass(slots=True, eq=False)
class Running:
    """One statement under way here. ``done`` gives the statement and its reply, if it has one."""

    statement: Statement
    done: "asyncio.Task[tuple[Statement, results.Reply | None]]"
    taken: asyncio.Event = field(default_factory=asyncio.Event)
    session: SnowflakeSession | None = None
    handle: QueryHandle | None = None
    since: float = field(default_factory=time.monotonic)
    stopping: bool = False


_running: dict[UUID, Running] = {}
_heart: asyncio.Task[None] | None = None


def start(statement: Statement, session: WireSession, parameters: Mapping[str, Any]) -> None:
    """Run a statement whose intent is committed, whoever goes on listening."""
    entry: Running
    loop = asyncio.get_running_loop()

    async def work() -> tuple[Statement, results.Reply | None]:
        try:
            return await _run(entry, session, parameters)
        finally:
            entry.taken.set()
            loop.call_later(_KEPT_SECONDS, _running.pop, statement.pk, None)

    entry = Running(statement, loop.create_task(work()))
    entry.done.add_done_callback(lambda task: task.cancelled() or task.exception())
    _running[statement.pk] = entry
    _beat()


def find(statement_id: UUID) -> Running | None:
    return _running.get(statement_id)


def drop(statement_id: UUID) -> None:
    """Its answer has been handed out."""
    _running.pop(statement_id, None)


async def stop(statement_id: UUID) -> None:
    """Ask Snowflake to end what this process runs; the row says already that someone wants it."""
    entry = _running.get(statement_id)
    if entry is None or entry.done.done() or entry.session is None or entry.stopping:
        return
    entry.stopping = True
    try:
        if entry.handle is not None:
            await entry.session.abort(entry.handle)
        else:
            await entry.session.abort_request(str(statement_id), entry.statement.sql_upstream)
    except (UpstreamError, UpstreamUnreachable, OutcomeUnknown) as error:
        entry.stopping = False
        log.warning("not_aborted", statement_id=str(statement_id), error=type(error).__name__)


async def _run(
    entry: Running, session: WireSession, parameters: Mapping[str, Any]
) -> tuple[Statement, results.Reply | None]:
    started = time.perf_counter()
    statement = entry.statement
    try:
        data = await _send(entry, session, parameters)
    except Exception as error:  # noqa: BLE001 - each kind of failure is an outcome of its own
        outcome = await _outcome(entry, session, error)
        return await _ending.do((statement, outcome)), None
    finally:
        UPSTREAM_SECONDS.observe(time.perf_counter() - started)
    try:
        if results.is_small(data, statement):
            made = results.made(data, statement)
        else:
            made = await hop(results.made, data, statement)
    except results.Unreadable as error:
        return await _ending.do((statement, _unreadable(statement, error))), None
    outcome = Outcome(
        StatementState.SUCCEEDED,
        result=made.recorded,
        places=made.places,
        query_id=statement.upstream_query_id,
        transfer=made.transfer,
    )
    final = await _ending.do((statement, outcome))
    if final.state != StatementState.SUCCEEDED:
        return final, None
    if made.parts is None:
        return final, results.Reply(made.reply)
    return final, await hop(results.with_parts, made, final)


async def _send(
    entry: Running, session: WireSession, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    statement = entry.statement
    entry.session = await upstreams.of(session)
    handle = await entry.session.submit(
        statement.sql_upstream,
        binds=to_bindings(json.loads(statement.binds)) if statement.binds else None,
        request_id=str(statement.pk),
        tag=execution.tag_of(statement),
        timeout=execution.timeout_of(statement),
        repeatable=statement.statement_class == "select",
        asynchronous=statement.detached,
        parameters=dict(parameters),
        describe_only=statement.describe_only,
    )
    entry.handle = handle
    statement.upstream_query_id = handle.query_id
    if statement.detached:
        # Its id is given away before its end, so it has to be found by it.
        await hop(execution.note_query_id, statement.pk, handle.query_id)
    entry.taken.set()
    return await entry.session.data(handle)


def _unreadable(statement: Statement, error: results.Unreadable) -> Outcome:
    log.warning("result_not_handed_on", statement_id=str(statement.pk), reason=str(error))
    # What changes things has done so, whether its answer can be read or not.
    read = statement.statement_class in _READS
    return Outcome(
        StatementState.FAILED if read else StatementState.SUCCEEDED,
        code="390400",
        text=str(error),
        query_id=statement.upstream_query_id,
    )


async def _record_one(ended: tuple[Statement, Outcome]) -> Statement:
    statement, outcome = ended
    return await hop(execution.record_stubbornly, statement.pk, outcome)


async def _record_all(ended: Sequence[tuple[Statement, Outcome]]) -> Sequence[Statement]:
    return await hop(execution.record_all_stubbornly, ended)


_ending: Grouped[tuple[Statement, Outcome], Statement] = Grouped(_record_all, _record_one)


async def _outcome(entry: Running, session: WireSession, error: Exception) -> Outcome:
    match error:
        case SessionLost():
            # Temporary tables, variables and transactions are gone with it: the driver has to
            # know, so it is not replaced behind its back.
            await hop(
                wire_sessions.end,
                session.pk,
                actor=entry.statement.actor(),
                reason="the session at Snowflake was lost",
            )
            text = "The session at Snowflake was lost, so nothing ran. Connect again."
            return Outcome(StatementState.FAILED, code="390111", text=text, sqlstate="08003")
        case UpstreamError() if error.code == "000604":
            return Outcome(
                StatementState.CANCELLED, code="000604", text="The statement was cancelled."
            )
        case UpstreamError():
            return await hop(_failed, error, entry.statement)
        case UpstreamUnreachable():
            text, _ = scan_text(f"Snowflake could not be reached, so nothing ran: {error}")
            return Outcome(StatementState.FAILED, code="unreachable", text=text, sqlstate="08001")
        case OutcomeUnknown():
            return Outcome(StatementState.UNKNOWN)
    log.error("wire_execution_failed", error=type(error).__name__, exc_info=error)
    return Outcome(StatementState.UNKNOWN)


def _failed(error: UpstreamError, statement: Statement) -> Outcome:
    return execution.failed(error, detectors_of(statement))


# The heartbeat of everything that runs here


def _beat() -> None:
    global _heart  # noqa: PLW0603 - one heart per process
    if _heart is None or _heart.done():
        _heart = asyncio.get_running_loop().create_task(_heartbeat())


async def _heartbeat() -> None:
    """Say that this process lives, and hear whom someone wants stopped; ends when nothing runs."""
    while True:
        await asyncio.sleep(_BEAT)
        under_way = [pk for pk, entry in _running.items() if not entry.done.done()]
        if not under_way:
            return
        try:
            wanted = await hop(_say, under_way)
        except Exception as error:  # noqa: BLE001 - the next beat tries again
            log.warning("heartbeat_missed", error=type(error).__name__)
            continue
        for statement_id in wanted:
            await stop(statement_id)


def _say(under_way: list[UUID]) -> list[UUID]:
    rows = Statement.objects.filter(pk__in=under_way, worker=WORKER)
    execution.say_alive(rows, timezone.now())
    return list(rows.filter(cancel_requested_at__isnull=False).values_list("pk", flat=True))

"""Running one queued statement: claim, intent, send, mask, outcome. At most once."""

import asyncio
import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Self, TypeVar
from uuid import UUID

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, transaction
from django.utils import timezone

from approvals import services as approvals
from connections.masking.apply import scan_text
from connections.models import Connection
from connections.policy.types import Effect
from connections.services import protect_copies
from connections.upstream.binds import to_bindings
from connections.upstream.client import SnowflakeSession
from connections.upstream.errors import (
    OutcomeUnknown,
    SessionLost,
    UpstreamError,
    UpstreamUnreachable,
)
from connections.upstream.types import QueryHandle, QueryResult
from gateway import records, standing, upstream, waiting
from gateway.judging import judge_statement
from gateway.models import Statement
from gateway.moves import lock, move
from gateway.pipeline import record_decision
from gateway.results import MEDIA_TYPE, MaskedResult, masked
from gateway.states import TRANSITIONS, StatementState
from hoopweb.metrics import RECORD_SECONDS, UPSTREAM_SECONDS
from recordings import services as recordings
from recordings.kinds import EventKind

log = structlog.get_logger(__name__)
WORKER = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
_BEAT = 2.0
# How soon a running statement hears that it is to stop.
_LISTEN = 0.2
# How long a finished result is held while the recorder is away, before the worker gives up and
# leaves the question to the sweep, which asks Snowflake.
_RECORDER_PATIENCE = 120.0
# After these a session is as it was, and the next statement may have it.
_HARMLESS = frozenset({"select", "insert", "update", "delete", "merge", "show", "describe"})
_CANCELLED = "000604"
SYSTEM = approvals.SYSTEM
T = TypeVar("T")


def execute(statement_id: UUID) -> None:
    """Run a queued statement to its end; does nothing when another worker has it."""
    statement = claim(statement_id)
    if statement is None:
        return
    with _Heartbeat(statement) as beat:
        outcome = _send(statement, beat)
        _record_stubbornly(statement.pk, outcome)


# Claim


@transaction.atomic
def claim(statement_id: UUID) -> Statement | None:
    """Take a queued statement and commit the intent to run it; None when there is nothing to do.

    All that permitted it is checked again here, under lock: access, deadline, approval, and the
    judgement itself when rules or catalogue have changed since.
    """
    statement = lock(statement_id)
    if statement.state != StatementState.QUEUED:
        return None
    statement.connection = Connection.objects.select_related("credential").get(
        pk=statement.connection_id
    )
    hindrance = _hindrance(statement)
    if hindrance is not None:
        withdraw(statement, actor=SYSTEM, reason=hindrance)
        return None
    now = timezone.now()
    with RECORD_SECONDS.time():
        recordings.append(
            session_id=statement.session_id,
            kind=EventKind.INTENT,
            actor=SYSTEM,
            statement_id=statement.pk,
            data={
                "sql_sent": statement.sql_sent,
                "digest": statement.digest,
                "connection": statement.connection.name,
                "role": statement.connection.role,
                "upstream_request_id": str(statement.pk),
                "worker": WORKER,
            },
        )
        move(statement, StatementState.RUNNING, worker=WORKER, started_at=now, heartbeat_at=now)
    return statement


def withdraw(statement: Statement, *, actor: dict[str, Any], reason: str) -> None:
    """Take a locked queued statement back, with the reason in its record."""
    recordings.append(
        session_id=statement.session_id,
        kind=EventKind.CANCELLED,
        actor=actor,
        statement_id=statement.pk,
        data={"by": actor["name"], "reason": reason},
    )
    move(statement, StatementState.WITHDRAWN, error_code="withdrawn", error_text=reason)


def _hindrance(statement: Statement) -> str | None:
    """Why a queued statement may no longer run, in words for the one who asked."""
    if statement.deadline is not None and statement.deadline <= timezone.now():
        return "The statement's deadline passed before it could run."
    if (ended := standing.ended(statement)) is not None:
        return ended
    hindrance = _rejudge(statement)
    if hindrance is not None:
        return hindrance
    if statement.approval_id is not None:
        return approvals.use(request_id=statement.approval_id, digest=statement.digest)
    if statement.grant_id is not None and not approvals.holds(grant_id=statement.grant_id):
        return "The grant that let this statement run was revoked or has ended. Send it again."
    return None


def _rejudge(statement: Statement) -> str | None:
    """Judge again when rules or catalogue moved on; None when the statement may still run."""
    connection = statement.connection
    seen = (statement.policy_revision, statement.catalogue_version)
    digest_now = records.digest(statement.sql_upstream, statement)
    if seen == (connection.policy_revision, connection.catalogue_version):
        # The connection itself (role, warehouse) may have been edited meanwhile.
        if digest_now == statement.digest:
            return None
        return "The connection changed after this statement was judged. Send it again."
    verdict = judge_statement(statement, connection)
    judged = records.judged(verdict, statement)
    if judged["digest"] == statement.digest and verdict.decision.effect != Effect.DENY:
        covered = (
            statement.approval_id is not None
            or statement.grant_id is not None
            or verdict.decision.effect == Effect.ALLOW
        )
        if covered:
            return None
    if verdict.decision.effect == Effect.ALLOW and statement.approval_id is None:
        # Nobody promised anything about the older text: run what is right now.
        record_decision(statement, judged)
        judged["sql_upstream"] = verdict.sql_sent or ""
        for name, value in judged.items():
            setattr(statement, name, value)
        statement.save(update_fields=list(judged))
        return None
    return (
        "The rules or the catalogue changed after this statement was judged, and it needs "
        "judging anew. Send it again."
    )


# Send


class _Heartbeat:
    """Says every few seconds that this worker lives, and hears whether someone cancelled."""

    def __init__(self, statement: Statement) -> None:
        self._id = statement.pk
        self._stop = threading.Event()
        self.cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        waiting.listen(self._id, self.cancelled)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        waiting.forget(self._id)
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(_BEAT):
            try:
                row = Statement.objects.filter(pk=self._id)
                row.filter(worker=WORKER).update(heartbeat_at=timezone.now())
                if row.filter(cancel_requested_at__isnull=False).exists():
                    self.cancelled.set()
            except (OperationalError, InterfaceError) as error:
                log.warning("heartbeat_missed", error=type(error).__name__)
            finally:
                close_old_connections()
        close_old_connections()


class Outcome:
    """What became of a statement: a state and what belongs to it."""

    def __init__(
        self,
        state: StatementState,
        *,
        result: MaskedResult | None = None,
        code: str = "",
        text: str = "",
        query_id: str = "",
    ) -> None:
        self.state = state
        self.result = result
        self.code = code
        self.text = text
        self.query_id = query_id or (result.query_id if result else "")


def failed(error: UpstreamError) -> Outcome:
    """Snowflake's own refusal; its words pass the detectors like rows do."""
    text, _ = scan_text(error.message)
    return Outcome(StatementState.FAILED, code=error.code, text=text, query_id=error.query_id or "")


def _send(statement: Statement, beat: _Heartbeat) -> Outcome:
    started = time.perf_counter()
    try:
        result = upstream.run(_run(statement, beat))
        return Outcome(
            StatementState.SUCCEEDED,
            result=masked(result, masked_outputs=statement.masked_outputs),
        )
    except _CancelledError:
        return Outcome(StatementState.CANCELLED, code="000604", text="The statement was cancelled.")
    except UpstreamError as error:
        return failed(error)
    except UpstreamUnreachable as error:
        text, _ = scan_text(f"Snowflake could not be reached, so nothing ran: {error}")
        return Outcome(StatementState.FAILED, code="unreachable", text=text)
    except OutcomeUnknown:
        return Outcome(StatementState.UNKNOWN)
    except Exception as error:
        log.exception("execution_failed", error=type(error).__name__)
        return Outcome(StatementState.UNKNOWN)
    finally:
        UPSTREAM_SECONDS.observe(time.perf_counter() - started)


class _CancelledError(Exception):
    """Someone asked for the statement to stop, and it did."""


def timeout_of(statement: Statement) -> float:
    """Seconds that the statement may run."""
    seconds = float(min(statement.connection.timeout_seconds, settings.STATEMENT_TIMEOUT_SECONDS))
    if statement.deadline is not None:
        left = (statement.deadline - datetime.now(UTC)).total_seconds()
        seconds = max(1.0, min(seconds, left))
    return seconds


async def _run(statement: Statement, beat: _Heartbeat) -> QueryResult:
    """Send the statement once and bring its rows back."""
    connection = statement.connection
    target = await asyncio.to_thread(_in_thread, upstream.target_of, connection)
    key = upstream.key_of(connection)
    warm = await upstream.pool.take(key, target)
    try:
        handle = await _submit(statement, warm.session)
    except SessionLost:
        # A kept session had ended: nothing ran, so a fresh one may try.
        await upstream.pool.drop(warm)
        warm = await upstream.pool.take(key, target, fresh=True)
        try:
            handle = await _submit(statement, warm.session)
        except BaseException:
            await upstream.pool.drop(warm)
            raise
    except BaseException:
        await upstream.pool.drop(warm)
        raise
    clean = False
    try:
        await asyncio.to_thread(_in_thread, _note_query_id, statement.pk, handle.query_id)
        answer = asyncio.ensure_future(
            warm.session.result(
                handle,
                max_rows=min(connection.max_rows, settings.RESULT_MAX_ROWS),
                max_bytes=settings.RESULT_MAX_BYTES,
            )
        )
        aborted = False
        while not (await asyncio.wait({answer}, timeout=_LISTEN))[0]:
            if beat.cancelled.is_set() and not aborted:
                aborted = True
                await warm.session.abort(handle)
        try:
            result = answer.result()
        except UpstreamError as error:
            clean = statement.statement_class in _HARMLESS
            if aborted and error.code == _CANCELLED:
                raise _CancelledError from error
            raise
        clean = statement.statement_class in _HARMLESS
        return result
    finally:
        if clean:
            await upstream.pool.give_back(key, warm)
        else:
            await upstream.pool.drop(warm)


async def _submit(statement: Statement, session: SnowflakeSession) -> QueryHandle:
    return await session.submit(
        statement.sql_upstream,
        binds=to_bindings(json.loads(statement.binds or "[]")),
        request_id=str(statement.pk),
        tag=tag_of(statement),
        timeout=timeout_of(statement),
        repeatable=statement.statement_class == "select",
    )


def tag_of(statement: Statement) -> str:
    """The QUERY_TAG that joins Snowflake's history to our recordings."""
    return json.dumps(
        {"hoopweb": {"session": str(statement.session_id), "statement": str(statement.pk)}},
        separators=(",", ":"),
    )


def _in_thread(call: Callable[..., T], *args: Any) -> T:
    """Run a database call of the upstream loop in a thread, leaving no connection behind."""
    try:
        return call(*args)
    finally:
        close_old_connections()


def _note_query_id(statement_id: UUID, query_id: str) -> None:
    Statement.objects.filter(pk=statement_id).update(upstream_query_id=query_id)


# Outcome


def _record_stubbornly(statement_id: UUID, outcome: Outcome) -> None:
    """Commit the outcome, waiting for the recorder to come back for a while if it is away."""
    until = time.monotonic() + _RECORDER_PATIENCE
    while True:
        try:
            record_outcome(statement_id, outcome)
        except (OperationalError, InterfaceError) as error:
            close_old_connections()
            if time.monotonic() > until:
                raise
            log.warning("recorder_away", error=type(error).__name__)
            time.sleep(0.5)
        else:
            return


def record_outcome(statement_id: UUID, outcome: Outcome, *, reconciled: str = "") -> Statement:
    """Commit result, outcome event and state together; a statement that is final stays as it is."""
    content = outcome.result.content if outcome.result is not None else b""
    with RECORD_SECONDS.time(), transaction.atomic():
        statement = lock(statement_id)
        if (StatementState(statement.state), outcome.state) not in TRANSITIONS:
            return statement
        if reconciled:
            recordings.append(
                session_id=statement.session_id,
                kind=EventKind.RECONCILED,
                actor=SYSTEM,
                statement_id=statement.pk,
                data={"state": str(outcome.state), "how": reconciled},
            )
        fields: dict[str, Any] = {}
        payload = None
        if outcome.result is not None:
            payload = recordings.store_payload(
                session_id=statement.session_id, content=content, media_type=MEDIA_TYPE
            )
            fields |= {
                "result": payload,
                "columns": outcome.result.columns,
                "row_count": outcome.result.table.num_rows,
                "truncated": outcome.result.truncated,
                "findings": outcome.result.findings,
            }
        if outcome.query_id:
            fields["upstream_query_id"] = outcome.query_id
        fields |= {"error_code": outcome.code, "error_text": outcome.text}
        data: dict[str, Any] = {
            "state": str(outcome.state),
            "row_count": fields.get("row_count"),
            "columns": fields.get("columns", []),
            "truncated": fields.get("truncated", False),
            "findings": fields.get("findings", []),
            "query_id": outcome.query_id or statement.upstream_query_id,
            "duration_ms": _milliseconds_since(statement.started_at),
        }
        if outcome.code or outcome.text:
            data["error"] = {"code": outcome.code, "text": outcome.text}
        recordings.append(
            session_id=statement.session_id,
            kind=EventKind.OUTCOME,
            actor=SYSTEM,
            statement_id=statement.pk,
            data=data,
            payloads={"result": payload} if payload is not None else {},
        )
        if outcome.state == StatementState.SUCCEEDED and statement.copies:
            protect_copies(connection=statement.connection, copies=statement.copies)
        move(statement, outcome.state, **fields)
    log.info("finished", state=str(outcome.state), statement_id=str(statement_id))
    return statement


def _milliseconds_since(at: datetime | None) -> int | None:
    return None if at is None else round((timezone.now() - at) / timedelta(milliseconds=1))

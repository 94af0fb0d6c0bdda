"""Running one queued statement: claim, intent, send, mask, outcome. At most once."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Self, TypeVar
from uuid import UUID

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, transaction
from django.db.models import QuerySet
from django.utils import timezone

from connections.masking.apply import scan_text
from connections.masking.detectors import Detector
from connections.services import protect_copies
from connections.sql.stages import TRANSFERS
from connections.upstream.binds import to_bindings
from connections.upstream.client import SnowflakeSession
from connections.upstream.errors import (
    OutcomeUnknown,
    SessionLost,
    UpstreamError,
    UpstreamUnreachable,
)
from connections.upstream.types import QueryHandle, QueryResult
from gateway import contexts, kept, ledger, transfers, upstream, waiting, wire_sessions
from gateway.claiming import SYSTEM, WORKER, claim
from gateway.models import Statement
from gateway.moves import Step, finish_all, lock, move
from gateway.results import MEDIA_TYPE, MaskedResult, detectors_of, masked
from gateway.states import TRANSITIONS, StatementState
from hoopweb.metrics import RECORD_SECONDS, UPSTREAM_SECONDS
from recordings import services as recordings
from recordings.kinds import EventKind
from recordings.models import Payload

log = structlog.get_logger(__name__)
_BEAT = 2.0
# How soon a running statement hears that it is to stop.
_LISTEN = 0.1
# How long a finished result is held while the recorder is away, before the worker gives up and
# leaves the question to the sweep, which asks Snowflake.
_RECORDER_PATIENCE = 120.0
# After these a session is as it was, and the next statement may have it.
_HARMLESS = frozenset({"select", "insert", "update", "delete", "merge", "show", "describe"})
_CANCELLED = "000604"
T = TypeVar("T")


def execute(statement_id: UUID) -> None:
    """Run a queued statement to its end; does nothing when another worker has it, nor for files,
    which a driver carries.
    """
    waits = Statement.objects.filter(pk=statement_id, statement_class__in=TRANSFERS)
    statement = None if waits.exists() else claim(statement_id)
    if statement is None:
        return
    with _Heartbeat(statement) as beat:
        outcome = _send(statement, beat)
        record_stubbornly(statement.pk, outcome)


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
        sqlstate: str = "",
        places: Mapping[str, Any] | None = None,
        transfer: Mapping[str, Any] | None = None,
    ) -> None:
        self.state = state
        self.result = result
        self.code = code
        self.text = text
        self.sqlstate = sqlstate[:5]
        # Where the session at Snowflake stands afterwards: role, warehouse, database, schema.
        self.places = places or {}
        # What a driver is told about files, without what opens their storage.
        self.transfer = transfer
        self.query_id = query_id or (result.query_id if result else "")


def failed(error: UpstreamError, detectors: Sequence[Detector]) -> Outcome:
    """Snowflake's own refusal; its words pass the detectors like rows do."""
    text, _ = scan_text(error.message, detectors)
    return Outcome(
        StatementState.FAILED,
        code=error.code,
        text=text,
        query_id=error.query_id or "",
        sqlstate=error.sqlstate or "",
    )


def _send(statement: Statement, beat: _Heartbeat) -> Outcome:
    started = time.perf_counter()
    try:
        detectors = detectors_of(statement)
        result = upstream.run(_run(statement, beat))
        return Outcome(
            StatementState.SUCCEEDED,
            result=masked(result, masked_outputs=statement.masked_outputs, detectors=detectors),
            places={name: getattr(result, name) for name in contexts.PLACES},
        )
    except _CancelledError:
        return Outcome(StatementState.CANCELLED, code="000604", text="The statement was cancelled.")
    except UpstreamError as error:
        return failed(error, detectors)
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
    if statement.wire_session_id is not None:
        return await _run_kept(statement, statement.wire_session_id, beat)
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
        result = await _followed(statement, warm.session, handle, beat)
    except (UpstreamError, _CancelledError):
        clean = statement.statement_class in _HARMLESS
        raise
    else:
        clean = statement.statement_class in _HARMLESS
        return result
    finally:
        if clean:
            await upstream.pool.give_back(key, warm)
        else:
            await upstream.pool.drop(warm)


async def _run_kept(statement: Statement, session_id: UUID, beat: _Heartbeat) -> QueryResult:
    """The same in the session of a driver, which has its place, variables and temporary tables."""
    async with kept.session_of(session_id) as session:
        handle = await _submit(statement, session)
        return await _followed(statement, session, handle, beat)


async def _followed(
    statement: Statement, session: SnowflakeSession, handle: QueryHandle, beat: _Heartbeat
) -> QueryResult:
    """Wait for a statement's end, and stop it when someone asks for that."""
    await asyncio.to_thread(_in_thread, note_query_id, statement.pk, handle.query_id)
    answer = asyncio.ensure_future(
        session.result(
            handle,
            max_rows=min(statement.connection.max_rows, settings.RESULT_MAX_ROWS),
            max_bytes=settings.RESULT_MAX_BYTES,
        )
    )
    aborted = False
    while not (await asyncio.wait({answer}, timeout=_LISTEN))[0]:
        if beat.cancelled.is_set() and not aborted:
            aborted = True
            await session.abort(handle)
    try:
        return answer.result()
    except UpstreamError as error:
        if aborted and error.code == _CANCELLED:
            raise _CancelledError from error
        raise


async def _submit(statement: Statement, session: SnowflakeSession) -> QueryHandle:
    return await session.submit(
        statement.sql_upstream,
        binds=to_bindings(json.loads(statement.binds or "[]")),
        request_id=str(statement.pk),
        tag=tag_of(statement),
        timeout=timeout_of(statement),
        repeatable=statement.statement_class == "select",
        describe_only=statement.describe_only,
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


def say_alive(rows: QuerySet[Statement], now: datetime) -> None:
    """Keep running statements from counting as lost."""
    rows.update(heartbeat_at=now)


def note_query_id(statement_id: UUID, query_id: str) -> None:
    Statement.objects.filter(pk=statement_id).update(upstream_query_id=query_id)


# Outcome


def record_stubbornly(statement_id: UUID, outcome: Outcome) -> Statement:
    """Commit the outcome, waiting for the recorder to come back for a while if it is away."""
    return _stubbornly(partial(record_outcome, statement_id, outcome))


def record_all_stubbornly(ended: Sequence[tuple[Statement, Outcome]]) -> list[Statement]:
    """The same for what has ended together; ``ended`` are rows as this process began them."""
    return _stubbornly(partial(record_outcomes, ended))


def _stubbornly(record: Callable[[], T]) -> T:
    until = time.monotonic() + _RECORDER_PATIENCE
    while True:
        try:
            return record()
        except (OperationalError, InterfaceError) as error:
            close_old_connections()
            if time.monotonic() > until:
                raise
            log.warning("recorder_away", error=type(error).__name__)
            time.sleep(0.5)


_Ending = tuple[Statement, Outcome, Payload | None]


def record_outcomes(ended: Sequence[tuple[Statement, Outcome]]) -> list[Statement]:
    """Commit results, outcome events and states: in one statement of the database where nothing
    but the end of a statement has to be written down, in one transaction where its session has
    moved as well, by itself where its approval, copies or fate matter.
    """
    quick: dict[UUID, _Ending] = {
        statement.pk: (statement, outcome, _sealed(statement, outcome))
        for statement, outcome in ended
        if outcome.state == StatementState.SUCCEEDED
        and statement.approval_id is None
        and not statement.copies
    }
    with RECORD_SECONDS.time():
        plain = {
            key: each
            for key, each in quick.items()
            if not wire_sessions.is_moved(each[0], each[1].places)
        }
        done = _record_quickly(plain)
        done |= _record_together({key: each for key, each in quick.items() if key not in done})
    return [
        statement if statement.pk in done else record_outcome(statement.pk, outcome)
        for statement, outcome in ended
    ]


def _record_quickly(quick: Mapping[UUID, _Ending]) -> set[UUID]:
    if not quick:
        return set()
    steps, said = _steps(quick.values())
    payloads = [payload for _, _, payload in quick.values() if payload is not None]
    return set(quick) if ledger.finish_all(steps, said, payloads) else set()


def _record_together(quick: Mapping[UUID, _Ending]) -> set[UUID]:
    if not quick:
        return set()
    with transaction.atomic():
        rows = Statement.objects.select_for_update().filter(pk__in=quick).order_by("pk")
        running = set(rows.filter(state=StatementState.RUNNING).values_list("pk", flat=True))
        found = [each for key, each in quick.items() if key in running]
        if found:
            steps, said = _steps(found)
            recordings.save_payloads([payload for _, _, payload in found])
            recordings.append_many(said)
            finish_all(steps)
        for statement, outcome, _ in found:
            if statement.wire_session_id is not None:
                wire_sessions.follow(statement, outcome.places)
    return running


def _steps(
    ended: Iterable[_Ending],
) -> tuple[list[Step], dict[UUID, list[recordings.Entry]]]:
    """Where each goes, and what its recording says of that."""
    steps: list[Step] = []
    said: dict[UUID, list[recordings.Entry]] = {}
    for statement, outcome, payload in ended:
        statement.state = StatementState.RUNNING  # an earlier try may have got further
        fields = _fields(statement, outcome, payload)
        entry = _entry(statement, outcome, payload, fields)
        said.setdefault(statement.session_id, []).append(entry)
        steps.append(Step(statement, (outcome.state,), fields))
    return steps, said


def record_outcome(statement_id: UUID, outcome: Outcome, *, reconciled: str = "") -> Statement:
    """Commit result, outcome event and state together; a statement that is final stays as it is."""
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
        payload = _sealed(statement, outcome)
        fields = _fields(statement, outcome, payload)
        if payload is not None:
            recordings.save_payloads([payload])
        entry = _entry(statement, outcome, payload, fields)
        recordings.append_all(session_id=statement.session_id, entries=[entry])
        if outcome.state == StatementState.SUCCEEDED and statement.copies:
            protect_copies(connection=statement.connection, copies=statement.copies)
        if outcome.state == StatementState.SUCCEEDED and statement.wire_session_id is not None:
            wire_sessions.follow(statement, outcome.places)
        move(statement, outcome.state, **fields)
    log.info("finished", state=str(outcome.state), statement_id=str(statement_id))
    return statement


def _sealed(statement: Statement, outcome: Outcome) -> Payload | None:
    """The rows that the recording keeps, not saved yet."""
    if outcome.result is None:
        return None
    return recordings.sealed_payload(
        session_id=statement.session_id, content=outcome.result.content, media_type=MEDIA_TYPE
    )


def _fields(statement: Statement, outcome: Outcome, payload: Payload | None) -> dict[str, Any]:
    """What the statement's row keeps of its end."""
    fields: dict[str, Any] = {
        "error_code": outcome.code,
        "error_text": outcome.text,
        "error_state": outcome.sqlstate,
        "upstream_query_id": outcome.query_id or statement.upstream_query_id,
    }
    if outcome.result is not None:
        fields |= {
            "result": payload,
            "columns": outcome.result.columns,
            "row_count": outcome.result.row_count,
            "truncated": outcome.result.truncated,
            "findings": outcome.result.findings,
        }
    return fields


def _entry(
    statement: Statement, outcome: Outcome, payload: Payload | None, fields: Mapping[str, Any]
) -> recordings.Entry:
    """The outcome event."""
    data: dict[str, Any] = {
        "state": str(outcome.state),
        "row_count": fields.get("row_count"),
        "columns": fields.get("columns", []),
        "truncated": fields.get("truncated", False),
        "findings": fields.get("findings", []),
        "query_id": fields["upstream_query_id"],
        "duration_ms": _milliseconds_since(statement.started_at),
    }
    if outcome.transfer is not None:
        data |= {"transfer": dict(outcome.transfer), **transfers.AWAITS}
    if outcome.code or outcome.text:
        data["error"] = {"code": outcome.code, "text": outcome.text}
    return recordings.Entry(
        kind=EventKind.OUTCOME,
        actor=SYSTEM,
        statement_id=statement.pk,
        data=data,
        payloads={"result": payload} if payload is not None else {},
    )


def _milliseconds_since(at: datetime | None) -> int | None:
    return None if at is None else round((timezone.now() - at) / timedelta(milliseconds=1))

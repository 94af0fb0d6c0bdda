"""Statements whose fate nobody here knows: Snowflake is asked; nothing is ever run again."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from connections.masking.detectors import Detector
from connections.models import Connection
from connections.upstream.client import SnowflakeSession
from connections.upstream.errors import OutcomeUnknown, UpstreamError, UpstreamFailure
from connections.upstream.types import FoundState, Target
from gateway import upstream
from gateway.claiming import SYSTEM
from gateway.execution import Outcome, failed, record_outcome, tag_of
from gateway.models import Statement
from gateway.moves import lock, move
from gateway.results import detectors_of, masked
from gateway.states import StatementState
from hoopweb.lib.errors import HoopwebError
from recordings import services as recordings
from recordings.kinds import EventKind

log = structlog.get_logger(__name__)
# Between two questions about the same statement.
ASK_EVERY = timedelta(seconds=5)


@transaction.atomic
def declare_lost(statement_id: UUID) -> bool:
    """Mark a running statement unknown when its worker has been silent for too long."""
    statement = lock(statement_id)
    silent = timezone.now() - timedelta(seconds=settings.WORKER_SILENCE_SECONDS)
    if statement.state != StatementState.RUNNING or (
        statement.heartbeat_at is not None and statement.heartbeat_at > silent
    ):
        return False
    recordings.append(
        session_id=statement.session_id,
        kind=EventKind.RECONCILED,
        actor=SYSTEM,
        statement_id=statement.pk,
        data={
            "state": str(StatementState.UNKNOWN),
            "how": "The worker that ran it fell silent. Snowflake is being asked what became of "
            "it; it will not be run again.",
        },
    )
    move(statement, StatementState.UNKNOWN)
    return True


def reconcile(statement_id: UUID) -> None:
    """Ask Snowflake what became of an unknown statement and record the answer."""
    now = timezone.now()
    # Several sweeps may want to ask; one does.
    asking = Statement.objects.filter(pk=statement_id, state=StatementState.UNKNOWN).exclude(
        asked_at__gt=now - ASK_EVERY
    )
    if not asking.update(asked_at=now):
        return
    statement = Statement.objects.select_related("session").get(pk=statement_id)
    statement.connection = Connection.objects.select_related("credential").get(
        pk=statement.connection_id
    )
    try:
        target = upstream.target_of(statement.connection)
        key = upstream.key_of(statement.connection)
        outcome = upstream.run(_ask(statement, key, target, detectors_of(statement)))
    except (UpstreamFailure, HoopwebError) as error:
        log.warning("not_reconciled", error=type(error).__name__)
        return
    if outcome is not None:
        record_outcome(statement_id, outcome, reconciled="Snowflake's own query history answered.")


async def _ask(
    statement: Statement, key: str, target: Target, detectors: Sequence[Detector]
) -> Outcome | None:
    """What Snowflake says; None while it is still at it, or may yet receive the statement."""
    warm = await upstream.pool.take(key, target, fresh=True)
    try:
        found = await warm.session.find(
            tag=tag_of(statement), request_id=str(statement.pk), since=statement.started_at
        )
        if found.state == FoundState.SUCCEEDED and found.query_id:
            return await _fetch(statement, warm.session, found.query_id, detectors)
        if found.state == FoundState.FAILED:
            return failed(
                UpstreamError(
                    found.error_code or "failed",
                    None,
                    found.error_message or "Snowflake says that it failed.",
                    found.query_id,
                ),
                detectors,
            )
        if found.state == FoundState.NOT_FOUND and _had_time(statement):
            return Outcome(
                StatementState.FAILED,
                code="never-arrived",
                text="The statement never reached Snowflake: its history does not know it. "
                "Nothing was changed. Send it again with a new request id.",
            )
        return None
    finally:
        await upstream.pool.drop(warm)


async def _fetch(
    statement: Statement, session: SnowflakeSession, query_id: str, detectors: Sequence[Detector]
) -> Outcome:
    """The rows of a statement that succeeded; without them when Snowflake no longer has them."""
    try:
        result = await session.result(
            session.handle(query_id, timeout=60),
            max_rows=min(statement.connection.max_rows, settings.RESULT_MAX_ROWS),
            max_bytes=settings.RESULT_MAX_BYTES,
        )
    except OutcomeUnknown:
        return Outcome(
            StatementState.SUCCEEDED,
            query_id=query_id,
            text="It succeeded, but its rows can no longer be fetched. Read them again if needed.",
        )
    return Outcome(
        StatementState.SUCCEEDED,
        result=masked(result, masked_outputs=statement.masked_outputs, detectors=detectors),
    )


def _had_time(statement: Statement) -> bool:
    """Whether a request that was still under way must have arrived by now."""
    started = statement.started_at or statement.received_at
    return timezone.now() - started > timedelta(seconds=settings.RECONCILE_GRACE_SECONDS)

"""Statements whose fate nobody here knows: Snowflake is asked; nothing is ever run again."""

from datetime import timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from connections.models import Connection
from connections.upstream.types import Found, FoundState, UpstreamError, UpstreamUnreachable
from gateway import upstream
from gateway.execution import SYSTEM, Outcome, failed, record_outcome, tag_of
from gateway.models import Statement
from gateway.moves import lock, move
from gateway.results import masked
from gateway.states import StatementState
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
        found = upstream.run(_ask(statement, upstream.key_of(statement.connection), target))
    except (UpstreamUnreachable, UpstreamError) as error:
        log.warning("not_reconciled", statement_id=str(statement_id), error=str(error))
        return
    outcome = _outcome(statement, found)
    if outcome is not None:
        record_outcome(statement_id, outcome, reconciled="Snowflake's own query history answered.")


async def _ask(statement: Statement, key: str, target: upstream.Target) -> Found:
    warm = await upstream.pool.take(key, target)
    try:
        return await warm.session.find(
            tag=tag_of(statement),
            request_id=str(statement.pk),
            query_id=statement.upstream_query_id or None,
            since=statement.started_at,
            max_rows=min(statement.connection.max_rows, settings.RESULT_MAX_ROWS),
            max_bytes=settings.RESULT_MAX_BYTES,
        )
    finally:
        await upstream.pool.drop(warm)


def _outcome(statement: Statement, found: Found) -> Outcome | None:
    """What the answer means; None while Snowflake itself is still at it, or may yet be."""
    if found.state == FoundState.SUCCEEDED and found.result is not None:
        return Outcome(
            StatementState.SUCCEEDED,
            result=masked(found.result, masked_outputs=statement.masked_outputs),
        )
    if found.state == FoundState.FAILED and found.error is not None:
        return failed(found.error)
    if found.state == FoundState.NOT_FOUND and _had_time(statement):
        return Outcome(
            StatementState.FAILED,
            code="never-arrived",
            text="The statement never reached Snowflake: its history does not know it. Nothing "
            "was changed. Send it again with a new request id.",
        )
    return None


def _had_time(statement: Statement) -> bool:
    """Whether a request that was still under way must have arrived by now."""
    started = statement.started_at or statement.received_at
    return timezone.now() - started > timedelta(seconds=settings.RECONCILE_GRACE_SECONDS)

"""What workers do. Ids in, safe to repeat; the row decides who acts."""

from datetime import timedelta
from uuid import UUID

import structlog
from celery import shared_task
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from connections.upstream.errors import UpstreamFailure
from gateway import (
    cutting,
    execution,
    kept,
    pipeline,
    reconciling,
    services,
    transfers,
    upstream,
    wire_results,
    wire_sessions,
)
from gateway.claiming import SYSTEM
from gateway.models import Statement, WireSession
from gateway.queueing import enqueue
from gateway.states import StatementState
from hoopweb.lib.errors import Conflict, IllegalTransition

log = structlog.get_logger(__name__)
_BATCH = 200
# A queued statement is offered again when it has waited for so long: its word may be lost.
_QUEUED_TOO_LONG = timedelta(seconds=3)
_OFFER_EVERY = timedelta(seconds=15)
_RECEIVED_TOO_LONG = timedelta(seconds=5)


@shared_task
def execute_statement(statement_id: str) -> None:
    """Run a queued statement, unless another worker has it."""
    structlog.contextvars.bind_contextvars(statement_id=statement_id)
    try:
        execution.execute(UUID(statement_id))
        cutting.end_after(UUID(statement_id))
    finally:
        structlog.contextvars.clear_contextvars()


@shared_task
def reconcile_statement(statement_id: str) -> None:
    """Ask Snowflake what became of a statement."""
    reconciling.reconcile(UUID(statement_id))


@shared_task(time_limit=60, soft_time_limit=50)
def cut_lost() -> int:
    """End what is open and may no longer go on, should the word of it have been lost."""
    return cutting.cut_lost()


@shared_task(time_limit=300, soft_time_limit=280)
def end_wire_sessions() -> dict[str, int]:
    """End drivers' sessions whose time is over, and what nobody waits for any more; counts."""
    over = [_end_wire_session(pk) for pk in wire_sessions.over()[:_BATCH]]
    abandoned = 0
    for pk in wire_sessions.abandoned()[:_BATCH]:
        try:
            services.stop(statement_id=pk, actor=SYSTEM, reason=wire_sessions.NOBODY_WAITS)
        except (Conflict, IllegalTransition):
            continue  # it has just moved on
        abandoned += 1
    return {
        "ended": sum(over),
        "abandoned": abandoned,
        "results": wire_results.forget_old(),
    }


def _end_wire_session(session_id: UUID) -> bool:
    place = kept.place_of(WireSession.objects.get(pk=session_id).connection)
    tokens = wire_sessions.end(session_id, actor=SYSTEM, reason="expired")
    if tokens is None:
        return False
    try:
        upstream.run(kept.close(place, tokens))
    except UpstreamFailure as error:
        # It ends at Snowflake by itself.
        log.info("upstream_not_closed", error=type(error).__name__)
    return True


@shared_task(time_limit=120, soft_time_limit=110)
def measure_transfers() -> int:
    """Look at the files that drivers carried; how many transfers were recorded."""
    return sum(transfers.measure(pk) for pk in transfers.unmeasured())


@shared_task
def sweep() -> dict[str, int]:
    """Find what a dead process left behind and set it going again; returns counts."""
    now = timezone.now()
    found = Statement.objects.order_by("received_at")

    received = found.filter(
        state=StatementState.RECEIVED, received_at__lt=now - _RECEIVED_TOO_LONG
    ).values_list("pk", flat=True)[:_BATCH]
    for pk in received:
        pipeline.decide(pk)

    queued = (
        found.filter(state=StatementState.QUEUED, received_at__lt=now - _QUEUED_TOO_LONG)
        .exclude(asked_at__gt=now - _OFFER_EVERY)
        .select_related("connection")[:_BATCH]
    )
    for statement in queued:
        with transaction.atomic():
            Statement.objects.filter(pk=statement.pk).update(asked_at=now)
            enqueue(statement)

    silent = now - timedelta(seconds=settings.WORKER_SILENCE_SECONDS)
    lost = found.filter(state=StatementState.RUNNING, heartbeat_at__lt=silent).values_list(
        "pk", flat=True
    )[:_BATCH]
    declared = sum(reconciling.declare_lost(pk) for pk in lost)

    unknown = (
        found.filter(state=StatementState.UNKNOWN)
        .exclude(asked_at__gt=now - reconciling.ASK_EVERY)
        .values_list("pk", "connection__queue")[:_BATCH]
    )
    for pk, queue in unknown:
        reconcile_statement.apply_async((str(pk),), queue=queue, retry=False)
    return {
        "received": len(received),
        "queued": len(queued),
        "lost": declared,
        "unknown": len(unknown),
    }

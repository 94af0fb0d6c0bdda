"""Work on a schedule: sealing what has gone quiet, and signing what was sealed."""

from datetime import timedelta

import structlog
from celery import shared_task
from django.conf import settings
from django.db.models import Exists, OuterRef
from django.utils import timezone

from hoopweb.lib.errors import Conflict
from recordings import checkpoints, services
from recordings.kinds import EventKind
from recordings.models import Event, Session
from recordings.sinks import delivering

log = structlog.get_logger(__name__)
_AT_ONCE = 200


@shared_task(time_limit=120, soft_time_limit=100)
def seal_idle_sessions() -> int:
    """Close and seal sessions in which nothing has happened for a while; how many."""
    before = timezone.now() - timedelta(minutes=settings.SESSION_IDLE_MINUTES)
    ended = Event.objects.filter(
        session=OuterRef("session"), statement_id=OuterRef("statement_id")
    ).final()
    waiting = Event.objects.filter(~Exists(ended), session=OuterRef("pk"), kind=EventKind.STATEMENT)
    idle = (
        Session.objects.open()
        .filter(~Exists(waiting), last_event_at__lt=before)
        .order_by("last_event_at")
        .values_list("pk", flat=True)
    )
    sealed = 0
    for session_id in idle[:_AT_ONCE]:
        try:
            services.close_session(
                session_id=session_id, actor=services.SYSTEM, reason="idle", idle_since=before
            )
        except Conflict:
            continue  # somebody was quicker: it is in use again
        sealed += 1
    return sealed


@shared_task(time_limit=120, soft_time_limit=100)
def write_checkpoint() -> int | None:
    """Sign a checkpoint if anything is new; its number."""
    made = checkpoints.write_checkpoint()
    if made is None:
        return None
    log.info("checkpoint_written", number=made.number, sessions=made.session_count)
    return made.number


@shared_task(time_limit=120, soft_time_limit=100)
def deliver_to_sinks() -> int:
    """Copy what is new to every sink that is due; how many records arrived."""
    return delivering.deliver_due()

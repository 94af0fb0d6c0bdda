"""Copying to sinks: in order, at least once. The cursor moves when the other side has it.

Audit entries are numbered under a lock, so the last number is a safe cursor. Ids of events are
given out before their transaction ends: a lower one may appear after a higher one. So events are
read up to an id below which every transaction has ended.
"""

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import connection
from django.db.models import Max, Min, Q
from django.utils import timezone

from recordings.models import AuditEntry, Event, Sink
from recordings.sinks import lines, outlets

log = structlog.get_logger(__name__)

BATCH = 200
# One turn of one sink; then the next one has its turn.
TURN_SECONDS = 20
_CLAIM = timedelta(seconds=90)
_FIRST_PAUSE, _LONGEST_PAUSE = 5, 300
_SETTLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a sink is behind: records, and seconds since the oldest of them came to be."""

    records: int
    seconds: float

    @property
    def milliseconds(self) -> float:
        return self.seconds * 1000


def deliver_due() -> int:
    """Give every sink that is due its turn; how many records arrived."""
    now = timezone.now()
    due = Sink.objects.filter(Q(retry_at=None) | Q(retry_at__lte=now), is_active=True)
    return sum(deliver(pk) for pk in due.order_by("delivered_at").values_list("pk", flat=True))


def deliver(sink_id: uuid.UUID) -> int:
    """Copy what is new to one sink, unless somebody does so already; how many arrived."""
    claim, now = uuid.uuid4(), timezone.now()
    free = Q(claimed_until=None) | Q(claimed_until__lt=now)
    mine = Sink.objects.filter(free, pk=sink_id, is_active=True)
    if not mine.update(claim=claim, claimed_until=now + _CLAIM):
        return 0
    count = 0
    try:
        until = time.monotonic() + TURN_SECONDS
        for moved, records in _batches(Sink.objects.get(pk=sink_id)):
            sink = Sink.objects.get(pk=sink_id)
            if not sink.is_active or not _hand_over(sink, records, claim, moved):
                break
            count += len(records)
            if time.monotonic() > until:
                break
    finally:
        Sink.objects.filter(pk=sink_id, claim=claim).update(claim=None, claimed_until=None)
    return count


def _batches(sink: Sink) -> Iterator[tuple[dict[str, int], list[dict[str, Any]]]]:
    """What is new, oldest first in each stream, with where the cursor stands afterwards."""
    site = settings.SITE_URL
    if sink.with_audit:
        at = sink.audit_cursor
        while found := list(AuditEntry.objects.filter(number__gt=at).order_by("number")[:BATCH]):
            at = found[-1].number
            yield {"audit_cursor": at}, [lines.of_entry(each, site=site) for each in found]
    if sink.with_events:
        at, top = sink.event_cursor, settled_events(sink.event_cursor)
        rows = Event.objects.filter(id__lte=top).select_related("session").order_by("id")
        while events := list(rows.filter(id__gt=at)[:BATCH]):
            at = events[-1].pk
            yield {"event_cursor": at}, [lines.of_event(each, site=site) for each in events]


def _hand_over(
    sink: Sink, records: list[dict[str, Any]], claim: uuid.UUID, moved: dict[str, int]
) -> bool:
    now = timezone.now()
    mine = Sink.objects.filter(pk=sink.pk, claim=claim)
    try:
        outlets.deliver(sink, records)
    except outlets.Undelivered as error:
        pause = min(_FIRST_PAUSE * 2**sink.failures, _LONGEST_PAUSE)
        mine.update(
            failures=sink.failures + 1,
            retry_at=now + timedelta(seconds=pause),
            last_error=str(error)[:300],
        )
        log.warning("sink_failed", sink=sink.name, failures=sink.failures + 1, pause=pause)
        return False
    return bool(
        mine.update(
            **moved,
            claimed_until=timezone.now() + _CLAIM,
            failures=0,
            retry_at=None,
            last_error="",
            delivered_at=now,
            delivered_count=sink.delivered_count + len(records),
        )
    )


def settled_events(after: int) -> int:
    """The highest event id up to which no other can appear any more; ``after`` if none is new.

    Whoever appends has locked the session before drawing an event's id, and so has a transaction
    number by then: once every transaction older than one begun after reading the highest id has
    ended, what is below it is all there is. Needs to run outside a transaction.
    """
    top = Event.objects.aggregate(top=Max("id"))["top"] or 0
    if top <= after:
        return after
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        fence = cursor.fetchone()[0]
        until = time.monotonic() + _SETTLE_SECONDS
        while True:
            cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
            if cursor.fetchone()[0] > fence:
                return int(top)
            if time.monotonic() > until:
                return after  # somebody takes long; the next turn tries again
            time.sleep(0.02)


def lag(sink: Sink, *, now: datetime | None = None) -> Lag:
    """How far ``sink`` is behind."""
    now = now or timezone.now()
    count, oldest = 0, []
    for wanted, rows in (
        (sink.with_audit, AuditEntry.objects.filter(number__gt=sink.audit_cursor)),
        (sink.with_events, Event.objects.filter(id__gt=sink.event_cursor)),
    ):
        if wanted:
            count += rows.count()
            oldest.append(rows.aggregate(at=Min("at"))["at"])
    since = min((at for at in oldest if at), default=now)
    return Lag(count, max((now - since).total_seconds(), 0))

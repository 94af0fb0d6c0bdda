"""Verification of one session, and of everything, against the files outside the database.

What the database says is believed nowhere: events against their hashes, the chain against the
seal, the seal against signed checkpoints, and the checkpoints against the copies outside.
"""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.db import connection, transaction

from recordings import chain, inspection, outside, services, witness
from recordings.findings import Fault, Finding, Verification
from recordings.models import AuditEntry, Event, Payload, Session
from recordings.payloads import PayloadDamagedError

# A page opens payloads up to so many bytes; ``manage.py verify`` opens all of them.
PAGE_BYTES = 16 * 1024 * 1024


def recorded(event: Event) -> inspection.Recorded:
    return inspection.Recorded(
        number=event.number,
        kind=event.kind,
        at=event.at,
        actor=event.actor,
        statement_id=event.statement_id,
        data=event.data,
        payloads=event.payloads,
        previous=event.previous,
        hash=event.hash,
    )


@contextmanager
def snapshot() -> Iterator[None]:
    """One moment of the database: a row and its events agree although others append."""
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield


def verify_session(
    session: Session,
    *,
    events: list[Event] | None = None,
    witnesses: witness.Witnesses | None = None,
    payload_bytes: int | None = None,
) -> Verification:
    """Check one session. ``events`` spares reading them again; ``witnesses`` spares the files;
    payloads are opened up to ``payload_bytes`` in all (None: every one).
    """
    result = Verification()
    stored = events if events is not None else list(session.events.order_by("number"))
    chained = [recorded(event) for event in stored]
    result.findings += inspection.inspect(
        session.pk, chained, count=session.event_count, head=session.head
    )
    result.findings += inspection.facts(
        session.pk,
        chained,
        row=services.opening_facts(session),
        ended=session.ended_at is not None,
    )
    events_word = "1 event" if len(stored) == 1 else f"{len(stored)} events"
    result.checked.append(f"{events_word}, each against its hash and the one before")
    _check_payloads(session, stored, result, payload_bytes)
    if not session.is_open:
        _check_seal(session, stored, result)
    seen = witnesses if witnesses is not None else witness.for_session(session)
    seen.testify(session, {event.number: event.hash for event in stored}, result)
    return result


def _check_payloads(
    session: Session, events: list[Event], result: Verification, limit: int | None
) -> None:
    named = [(event.number, entry) for event in events for entry in event.named]
    if not named:
        return
    rows = {
        payload.pk: payload
        for payload in Payload.objects.filter(
            pk__in=[_uuid(entry.get("id")) for _, entry in named]
        ).defer("body")
    }
    wanted = _within(rows.values(), limit)
    bad: dict[uuid.UUID, str] = {}
    for payload in Payload.objects.filter(pk__in=wanted).iterator(chunk_size=20):
        try:
            services.read_payload(payload)
        except PayloadDamagedError as error:
            bad[payload.pk] = f"cannot be read as recorded ({error})"
    for number, entry in named:
        row = rows.get(_uuid(entry.get("id")))
        name = entry.get("name", "body")
        if row is None:
            problem = "is gone"
        elif row.session_id != session.pk or any(
            getattr(row, key) != entry.get(key) for key in ("digest", "size", "media_type")
        ):
            problem = "is not the one that was recorded"
        else:
            problem = bad.get(row.pk, "")
        if problem:
            result.findings.append(
                Finding(
                    Fault.PAYLOAD, f"the {name} of event {number} {problem}", session.pk, number
                )
            )
    bodies = "1 body" if len(named) == 1 else f"{len(named)} bodies"
    how = "" if len(wanted) >= len(rows) else f", {len(wanted)} of them opened"
    result.checked.append(f"{bodies} against the recorded digest{how}")


def _within(rows: Iterable[Payload], limit: int | None) -> list[uuid.UUID]:
    """Which payloads to open so that no more than ``limit`` bytes are read."""
    wanted: list[uuid.UUID] = []
    for row in rows:
        if limit is not None:
            if row.size > limit:
                continue
            limit -= row.size
        wanted.append(row.pk)
    return wanted


def _check_seal(session: Session, events: list[Event], result: Verification) -> None:
    result.proof = "seal"
    expected = chain.seal_of(
        session_id=session.pk,
        count=len(events),
        head=events[-1].hash if events else "",
    )
    if session.seal != expected:
        result.findings.append(Finding(Fault.SEAL, "the seal does not fit its events", session.pk))
    elif events and session.ended_at != events[-1].at:
        result.findings.append(
            Finding(Fault.FACTS, "the row says another end than its last event", session.pk)
        )
    result.checked.append(f"the seal {session.seal[:10]} against all of them")


@dataclass(slots=True)
class Report:
    """What ``verify_all`` looked at, and everything that it found."""

    sessions: int = 0
    events: int = 0
    checkpoints: int = 0
    audit_entries: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.findings


def verify_all() -> Report:
    """Check every session, every checkpoint here and outside, the tree, and the audit trail."""
    # Before the snapshot: a row is committed before its file is written, so that each of these
    # files has its row.
    files = dict(outside.read_all())
    report = Report()
    with snapshot():
        seen = witness.everything(files, report.findings)
        report.checkpoints = seen.count
        there: set[uuid.UUID] = set()
        for session in Session.objects.order_by("started_at", "id").iterator(chunk_size=200):
            there.add(session.pk)
            report.sessions += 1
            report.events += session.event_count
            report.findings += verify_session(session, witnesses=seen).findings
            if _left_out(session, seen):
                report.findings.append(
                    Finding(Fault.TREE, "it is sealed, and in none of the checkpoints", session.pk)
                )
        report.findings += seen.missing(there)
        _verify_audit(report, seen)
    return report


def _left_out(session: Session, seen: witness.Witnesses) -> bool:
    """Sealed well before the last checkpoint, which had room for it, and yet in none."""
    if session.ended_at is None or session.leaf is not None or session.pk in seen.sealed:
        return False
    return seen.latest_took_all and seen.latest_at - session.ended_at > timedelta(minutes=5)


def _verify_audit(report: Report, seen: witness.Witnesses) -> None:
    previous, number = "", 0
    remembered: dict[int, set[str]] = defaultdict(set)
    for length, head in seen.audit.values():
        remembered[length].add(head)

    def say(text: str) -> None:
        report.findings.append(Finding(Fault.AUDIT, text))

    for entry in AuditEntry.objects.order_by("number").iterator(chunk_size=1000):
        report.audit_entries += 1
        if entry.number != number + 1:
            gap = (
                f"{number + 1}"
                if entry.number == number + 2
                else f"{number + 1} to {entry.number - 1}"
            )
            say(f"audit entry {gap} is missing")
        elif entry.previous != previous:
            say(
                f"audit entry {entry.number} does not follow from {number}: "
                "one of the two was replaced"
            )
        if chain.digest(services.audit_body_of(entry)) != entry.hash:
            say(f"audit entry {entry.number} ({entry.action}) is not what its hash says")
        if any(head != entry.hash for head in remembered.get(entry.number, ())):
            say(f"audit entry {entry.number} is not the one that a signed checkpoint names")
        previous, number = entry.hash, entry.number
    longest = max(remembered, default=0)
    if longest > number:
        say(f"the end of the audit trail is cut off: it had {longest} entries, {number} are there")


def _uuid(text: Any) -> uuid.UUID:
    try:
        return uuid.UUID(str(text))
    except ValueError:
        return uuid.UUID(int=0)

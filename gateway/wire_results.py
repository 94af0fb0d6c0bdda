"""Remote parts of results: kept for as long as Snowflake does, found by an id and a secret."""

import hmac
import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from gateway import ledger
from gateway.admission import Versions
from gateway.models import Statement, WireResult
from gateway.wire_sessions import digest_of
from recordings import services as recordings
from recordings.kinds import EventKind
from recordings.models import Event, Payload

# Snowflake's own links last for about six hours.
LIFE = timedelta(hours=6)


def keep(statement: Statement, parts: dict[str, Any]) -> tuple[UUID, str]:
    """Keep where the parts of a result lie; an id and the secret that opens it."""
    key = secrets.token_urlsafe(32)
    row = WireResult(
        statement=statement,
        key_digest=digest_of(key),
        parts=json.dumps(parts),
        expires_at=timezone.now() + LIFE,
    )
    row.save(force_insert=True)
    return row.pk, key


def find(result_id: UUID, key: str) -> WireResult | None:
    """The parts behind an id, for whoever has their secret; None for anyone else."""
    row = (
        WireResult.objects.select_related(
            "statement__connection", "statement__wire_session__recording"
        )
        .filter(pk=result_id, expires_at__gt=timezone.now())
        .first()
    )
    if row is None or not hmac.compare_digest(row.key_digest, digest_of(key)):
        return None
    return row


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a result as it is handed out: the event that says so, and its sealed content."""

    session_id: UUID
    payload: Payload
    entry: recordings.Entry


def sealed_part(
    statement: Statement,
    session_id: UUID,
    *,
    place: int,
    rows: int,
    content: bytes,
    zipped: bytes,
    findings: list[dict[str, Any]],
) -> Part:
    """A part, sealed and not written down yet."""
    payload = recordings.sealed_payload(
        session_id=session_id,
        content=content,
        media_type="application/vnd.snowflake.part",
        zipped=zipped,
    )
    entry = recordings.Entry(
        kind=EventKind.RESULT_PART,
        actor=recordings.SYSTEM,
        statement_id=statement.pk,
        data={"part": place, "rows": rows, "findings": findings},
        payloads={"part": payload},
    )
    return Part(session_id, payload, entry)


def record_together(parts: Sequence[Part], admitted: Sequence[Versions]) -> bool:
    """Write down parts before they are handed out, at once, to those who are still ``admitted``;
    False where nothing was written, and each may have been before.
    """
    said: dict[UUID, list[recordings.Entry]] = {}
    for part in parts:
        said.setdefault(part.session_id, []).append(part.entry)
    return ledger.add_parts(said, [part.payload for part in parts], admitted)


@transaction.atomic
def record_part(part: Part) -> None:
    """The same for one part; a repeated one has been written down."""
    said = Event.objects.filter(statement_id=part.entry.statement_id, kind=EventKind.RESULT_PART)
    if said.filter(data__part=part.entry.data["part"]).exists():
        recordings.discard_payload(part.payload)
        return
    recordings.save_payloads([part.payload])
    recordings.append_all(session_id=part.session_id, entries=[part.entry])


def forget_old() -> int:
    """Drop what Snowflake no longer keeps."""
    return WireResult.objects.filter(expires_at__lt=timezone.now()).delete()[0]

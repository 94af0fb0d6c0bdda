"""Remote parts of results: kept for as long as Snowflake does, found by an id and a secret."""

import hmac
import json
import secrets
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from gateway.models import Statement, WireResult
from gateway.wire_sessions import digest_of
from recordings import services as recordings
from recordings.kinds import EventKind
from recordings.models import Event

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


@transaction.atomic
def record_part(
    statement: Statement,
    session_id: UUID,
    *,
    place: int,
    rows: int,
    content: bytes,
    zipped: bytes,
    findings: list[dict[str, Any]],
) -> None:
    """Write down a part before it is handed out; a repeated one has been written down."""
    said = Event.objects.filter(statement_id=statement.pk, kind=EventKind.RESULT_PART)
    if said.filter(data__part=place).exists():
        return
    payload = recordings.store_payload(
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
    recordings.append_all(session_id=session_id, entries=[entry])


def forget_old() -> int:
    """Drop what Snowflake no longer keeps."""
    return WireResult.objects.filter(expires_at__lt=timezone.now()).delete()[0]

"""The audit trail: what people did, in one chain for the whole console."""

import ipaddress
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from recordings import chain
from recordings.models import AuditEntry

# One number for the trail's advisory lock, another for checkpoints.
_LOCK = 0x686F6F70_01


@transaction.atomic
def audit(
    *,
    actor: Mapping[str, Any],
    action: str,
    kind: str = "",
    object_id: str = "",
    object_name: str = "",
    before: Any = None,
    after: Any = None,
    address: str | None = None,
) -> AuditEntry:
    """Write down what somebody did, in one chain for the whole console."""
    with connection.cursor() as cursor:
        # Held to the end of the transaction: entries are numbered without gaps, so that a
        # missing one shows.
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    last = AuditEntry.objects.order_by("-number").values("number", "hash", "at").first()
    at: datetime = timezone.now()
    entry = AuditEntry(
        number=last["number"] + 1 if last else 1,
        at=max(at, last["at"]) if last else at,
        actor=chain.plain(actor),
        actor_id=uuid.UUID(str(actor["id"])) if actor.get("id") else None,
        action=action,
        object_kind=kind,
        object_id=chain.plain(object_id)[:80],
        object_name=chain.plain(object_name)[:200],
        before=chain.plain(before),
        after=chain.plain(after),
        address=plain_address(address),
        previous=last["hash"] if last else "",
    )
    entry.hash = chain.digest(audit_body_of(entry))
    entry.save(force_insert=True)
    return entry


def audit_body_of(entry: AuditEntry) -> dict[str, Any]:
    """What the hash of an audit entry covers."""
    return chain.audit_body(
        number=entry.number,
        at=entry.at,
        actor=entry.actor,
        action=entry.action,
        object_kind=entry.object_kind,
        object_id=entry.object_id,
        object_name=entry.object_name,
        before=entry.before,
        after=entry.after,
        address=entry.address,
        previous=entry.previous,
    )


def plain_address(address: str | None) -> str | None:
    """An address as Postgres gives it back; None for what is not one, such as a socket's name."""
    try:
        found = ipaddress.ip_address(address or "")
    except ValueError:
        return None
    return str(getattr(found, "ipv4_mapped", None) or found)

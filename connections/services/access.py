"""Who may send statements through a connection, and until when."""

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import Agent, Team, User
from accounts.signals import announce
from connections.models import Access, Connection
from connections.services.acting import actor_of, need_admin_of
from hoopweb.lib.errors import Conflict, InvalidRequest
from recordings.services import audit

Holder = Team | User | Agent


def grant_access(
    *,
    connection: Connection,
    holder: Holder,
    by: User | None,
    valid_from: datetime | None = None,
    valid_until: datetime | None = None,
    address: str | None = None,
) -> Access:
    """Let a team, a person or an agent send statements. Policy still judges each one.

    Raises Conflict when they may already, InvalidRequest when the time is over before it begins.
    """
    need_admin_of(by, connection, "say who may use it")
    now = timezone.now()
    begins = valid_from or now
    if valid_until is not None and valid_until <= max(begins, now):
        text = "This end is over already. Choose a later one, or leave it open."
        raise InvalidRequest(text, errors={"valid_until": text})
    kind = _kind_of(holder)
    with transaction.atomic():
        row = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
        running = Q(valid_until__isnull=True) | Q(valid_until__gt=now)
        if row.access.filter(running, **{kind: holder}).exists():
            text = f"{holder} may use {row.name} already. Take the access back first to change it."
            raise Conflict(text, errors={"holder": text})
        access = Access.objects.create(
            connection=row, valid_from=begins, valid_until=valid_until, **{kind: holder}
        )
        audit(
            actor=actor_of(by),
            action="access-granted",
            kind="connection",
            object_id=str(row.pk),
            object_name=row.name,
            after=_said(access),
            address=address,
        )
    return access


def revoke_access(*, access: Access, by: User | None, address: str | None = None) -> None:
    """Take it back now. Sessions that run keep no right to a further statement."""
    need_admin_of(by, access.connection, "say who may use it")
    with transaction.atomic():
        row = Access.objects.select_for_update().filter(pk=access.pk).first()
        if row is None:
            return
        before = _said(row)
        row.delete()
        announce(connections=[access.connection_id])
        audit(
            actor=actor_of(by),
            action="access-revoked",
            kind="connection",
            object_id=str(access.connection_id),
            object_name=access.connection.name,
            before=before,
            address=address,
        )


def _kind_of(holder: Holder) -> str:
    return {Team: "team", User: "user", Agent: "agent"}[type(holder)]


def _said(access: Access) -> dict[str, Any]:
    holder = access.team or access.user or access.agent
    return {
        "holder": str(holder),
        "kind": type(holder).__name__.lower(),
        "valid_from": access.valid_from.isoformat(),
        "valid_until": access.valid_until.isoformat() if access.valid_until else None,
    }

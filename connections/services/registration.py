"""From registered to confirmed: what is still missing, the last word, and giving up.

A connection that was registered is not active, and the database keeps it so until it is confirmed.
"""

from dataclasses import dataclass

from django.db import transaction
from django.utils import timezone

from accounts.models import User
from connections.models import Connection, Credential
from connections.services.acting import actor_of, need_admin, need_admin_of
from hoopweb.lib.errors import Conflict
from recordings.services import audit

# What a person has to have looked at, besides what has to be there.
LOOKED_AT = ("rules", "protections")
MARKED = ("snowflake", *LOOKED_AT)


@dataclass(frozen=True, slots=True)
class Missing:
    """One thing that keeps a connection from being confirmed; ``step`` is where it is done."""

    step: str
    text: str


def missing_of(connection: Connection, *, attended: bool = True) -> list[Missing]:
    """What has to be done before ``connection`` may serve agents, in the order of the steps.

    ``attended`` also wants a person to have looked at rules and protections.
    """
    found = []
    if not Credential.objects.filter(connection=connection).exists():
        found.append(Missing("method", "Say how Hoopweb logs in."))
    if not is_healthy(connection):
        text = "Test the connection" if connection.tested_at is None else "The last test failed"
        found.append(Missing("test", f"{text}; it has to pass with the settings as they are."))
    if not connection.catalogue_version:
        found.append(Missing("catalogue", "Read the catalogue: statements are judged by it."))
    if not connection.rules.filter(enabled=True).exists():
        found.append(Missing("rules", "No rule is in force, so everything would be denied."))
    elif attended and "rules" not in connection.setup_seen:
        found.append(Missing("rules", "Look at the rules, and go on from there."))
    if attended and "protections" not in connection.setup_seen:
        found.append(Missing("protections", "Look at what is protected, and go on from there."))
    return found


def is_healthy(connection: Connection) -> bool:
    """Whether the last test of the settings as they are has passed."""
    report = connection.test_report
    return connection.tested_at is not None and all(step["ok"] for step in report)


def mark_step_seen(*, connection: Connection, step: str, by: User | None) -> None:
    """Keep that a person went on from a step that has nothing else to show for it."""
    need_admin_of(by, connection, "register it")
    with transaction.atomic():
        row = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
        if row.is_confirmed or step not in MARKED or step in row.setup_seen:
            return
        row.setup_seen = [*row.setup_seen, step]
        row.save(update_fields=["setup_seen"])


def confirm_connection(
    *, connection: Connection, by: User | None, address: str | None = None
) -> Connection:
    """Let it serve those who have access. Raises Conflict with ``errors`` by step."""
    need_admin_of(by, connection, "confirm it")
    with transaction.atomic():
        row = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
        if row.is_confirmed:
            return row
        if missing := missing_of(row, attended=by is not None):
            raise Conflict(
                f"{row.name} cannot be confirmed yet. " + " ".join(m.text for m in missing),
                errors={m.step: m.text for m in missing},
            )
        row.confirmed_at, row.is_active = timezone.now(), True
        row.save(update_fields=["confirmed_at", "is_active"])
        audit(
            actor=actor_of(by),
            action="connection-confirmed",
            kind="connection",
            object_id=str(row.pk),
            object_name=row.name,
            after={
                "revision": row.revision,
                "policy_revision": row.policy_revision,
                "catalogue_version": row.catalogue_version,
                "rules": row.rules.filter(enabled=True).count(),
                "protections": row.protections.filter(enabled=True).count(),
                "access": row.access.count(),
            },
            address=address,
        )
    return row


def discard_registration(
    *, connection: Connection, by: User | None, address: str | None = None
) -> None:
    """Delete a registration that nobody confirmed, its sealed credential with it.

    Raises Conflict for a confirmed connection: what served agents is disabled, never deleted.
    """
    need_admin(by, "delete a registration")
    with transaction.atomic():
        row = Connection.objects.select_for_update().filter(pk=connection.pk).first()
        if row is None:
            return
        if row.is_confirmed:
            raise Conflict(f"{row.name} is confirmed. Disable it instead; its records stay.")
        audit(
            actor=actor_of(by),
            action="registration-discarded",
            kind="connection",
            object_id=str(row.pk),
            object_name=row.name,
            address=address,
        )
        row.delete()

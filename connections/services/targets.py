"""Registering a connection, changing it, and closing it."""

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from accounts.signals import announce
from connections.models import Connection
from connections.services import places, runs
from connections.services.acting import actor_of, need_admin, need_admin_of
from connections.services.credentials import set_credential
from connections.services.policies import install_default_policy
from hoopweb.lib.errors import Conflict, InvalidRequest
from recordings.services import audit

FIELDS = (
    "name",
    "description",
    "account",
    "host",
    "port",
    "protocol",
    "warehouse",
    "database",
    "schema",
    "role",
    "catalogue_databases",
    "max_rows",
    "timeout_seconds",
    "queue",
)
# When one of these changes, an earlier test says nothing about the connection any more.
_WHERE = ("account", "host", "port", "protocol", "warehouse", "database", "schema", "role")


def settings_of(connection: Connection) -> dict[str, Any]:
    """What the audit trail keeps: every setting, and no secret among them."""
    return {field: getattr(connection, field) for field in FIELDS}


def register_connection(
    *,
    by: User | None,
    name: str,
    account: str,
    credential: Mapping[str, Any] | None = None,
    with_default_policy: bool = True,
    address: str | None = None,
    **settings: Any,
) -> Connection:
    """A new connection, with the default rules unless the caller brings its own.

    It serves nobody until ``confirm_connection`` has said so.
    ``settings`` are the other names of ``FIELDS``; ``credential`` is what ``set_credential`` takes,
    and either both come to be or neither. Raises InvalidRequest with ``errors`` by field,
    Conflict when the name is taken.
    """
    need_admin(by, "register a connection")
    values = places.checked_place({"name": name, "account": account, **_known(settings)})
    try:
        with transaction.atomic():
            connection = Connection.objects.create(**values, registered_by=by)
            audit(
                actor=actor_of(by),
                action="connection-registered",
                kind="connection",
                object_id=str(connection.pk),
                object_name=connection.name,
                after=settings_of(connection),
                address=address,
            )
            if credential is not None:
                set_credential(connection=connection, by=by, address=address, **credential)
            if with_default_policy:
                install_default_policy(connection=connection, by=by, address=address)
    except IntegrityError as error:
        raise _taken(values["name"]) from error
    connection.refresh_from_db()
    return connection


def update_connection(
    *,
    connection: Connection,
    by: User | None,
    revision: int | None = None,
    address: str | None = None,
    **settings: Any,
) -> Connection:
    """Change what is given and leave the rest.

    ``revision`` is the one that the form was opened with: Conflict when someone saved since.
    """
    need_admin_of(by, connection, "change it")
    values = places.checked_place(_known(settings))
    try:
        with transaction.atomic():
            row = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
            if revision is not None and revision != row.revision:
                raise Conflict(
                    "Someone saved this connection while you were editing. Nothing of yours is "
                    "lost: compare with the current settings below and save again.",
                    revision=row.revision,
                )
            before = settings_of(row)
            changed = {k: v for k, v in values.items() if before[k] != v}
            if not changed:
                return row
            for key, value in changed.items():
                setattr(row, key, value)
            row.revision += 1
            if any(key in changed for key in _WHERE):
                row.tested_at, row.test_report = None, []
                runs.place_changed(row)
            row.save()
            audit(
                actor=actor_of(by),
                action="connection-changed",
                kind="connection",
                object_id=str(row.pk),
                object_name=row.name,
                before={key: before[key] for key in changed},
                after=changed,
                address=address,
            )
    except IntegrityError as error:
        raise _taken(values["name"]) from error
    return row


def disable_connection(
    *, connection: Connection, by: User | None, address: str | None = None
) -> Connection:
    """Close it: no statement passes until it is enabled again. Everything else is kept."""
    return _set_active(connection, by, address, active=False)


def enable_connection(
    *, connection: Connection, by: User | None, address: str | None = None
) -> Connection:
    """Open it again. Raises Conflict for one whose registration was never confirmed."""
    return _set_active(connection, by, address, active=True)


def record_test(
    *,
    connection: Connection,
    report: list[dict[str, Any]],
    by: User | None,
    address: str | None = None,
) -> Connection:
    """Keep what a test of the connection found."""
    need_admin_of(by, connection, "test it")
    with transaction.atomic():
        row = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
        row.tested_at, row.test_report = timezone.now(), report
        row.save(update_fields=["tested_at", "test_report"])
        failed = [step["name"] for step in report if not step["ok"]]
        audit(
            actor=actor_of(by),
            action="connection-tested",
            kind="connection",
            object_id=str(row.pk),
            object_name=row.name,
            after={"ok": not failed, "failed": failed},
            address=address,
        )
    return row


def _set_active(
    connection: Connection, by: User | None, address: str | None, *, active: bool
) -> Connection:
    need_admin_of(by, connection, "enable it" if active else "disable it")
    with transaction.atomic():
        row = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
        if row.is_active == active:
            return row
        if active and not row.is_confirmed:
            raise Conflict(
                f"The registration of {row.name} is not confirmed yet. Go through its last step "
                "first; that enables it."
            )
        row.is_active = active
        row.save(update_fields=["is_active"])
        if not active:
            announce(connections=[row.pk])
        audit(
            actor=actor_of(by),
            action="connection-enabled" if active else "connection-disabled",
            kind="connection",
            object_id=str(row.pk),
            object_name=row.name,
            before={"is_active": not active},
            after={"is_active": active},
            address=address,
        )
    return row


def _known(settings: dict[str, Any]) -> dict[str, Any]:
    if unknown := sorted(set(settings) - set(FIELDS)):
        raise InvalidRequest(f"A connection has no setting called {', '.join(unknown)}.")
    return settings


def _taken(name: str) -> Conflict:
    return Conflict(
        f"There is a connection called {name} already. Choose another name.",
        errors={"name": f"There is a connection called {name} already. Choose another name."},
    )

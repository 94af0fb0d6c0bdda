"""Protected columns and tags, and the masks that their readers see."""

from collections.abc import Iterable, Mapping
from typing import Any

from accounts.models import User
from connections.models import Connection, Protection
from connections.services.checked import checked_protection
from connections.services.revisions import (
    PLACE_FIELDS,
    PROTECTION_FIELDS,
    Change,
    changing,
    check_revision,
    gone,
    protection_row,
)
from hoopweb.lib.errors import Conflict

_DEFAULTS: dict[str, Any] = {
    "database": "*",
    "schema": "*",
    "table": "*",
    "column": "",
    "tag": "",
    "strategy": "",
    "options": {},
    "note": "",
    "enabled": True,
}


def create_protection(
    *, connection: Connection, by: User | None, address: str | None = None, **values: Any
) -> Protection:
    """Protect a column (globs allowed) or a tag; the values are the fields of Protection.

    Raises InvalidRequest with ``errors``, Conflict when it is protected already.
    """
    [protection] = create_protections(connection=connection, by=by, items=[values], address=address)
    return protection


def create_protections(
    *,
    connection: Connection,
    by: User | None,
    items: Iterable[Mapping[str, Any]],
    address: str | None = None,
) -> list[Protection]:
    """Several at once, in one revision."""
    wanted = [checked_protection(_DEFAULTS | dict(item)) for item in items]
    made = []
    with changing(connection=connection, by=by, address=address) as change:
        taken = {_place(row) for row in change.connection.protections.all()}
        for values in wanted:
            row = Protection(connection=change.connection, **values)
            if _place(row) in taken:
                raise _taken(row)
            taken.add(_place(row))
            row.save()
            change.add(
                f"Protected {row}: {row.strategy}",
                "protection-created",
                row,
                after=protection_row(row),
            )
            made.append(row)
    return made


def update_protection(
    *,
    protection: Protection,
    by: User | None,
    revision: int | None = None,
    address: str | None = None,
    **values: Any,
) -> Protection:
    """Change the given fields. ``revision`` is the one that the form was opened with."""
    with changing(connection=protection.connection, by=by, address=address) as change:
        row = _held(change, protection)
        check_revision(row, revision)
        before = protection_row(row)
        wanted = checked_protection({name: before[name] for name in PROTECTION_FIELDS} | values)
        changed = [name for name in PROTECTION_FIELDS if before[name] != wanted[name]]
        if changed:
            for name in changed:
                setattr(row, name, wanted[name])
            place = dict(zip(PLACE_FIELDS, _place(row), strict=True))
            if change.connection.protections.exclude(pk=row.pk).filter(**place).exists():
                raise _taken(row)
            row.revision += 1
            row.save()
            change.add(
                f"Changed protection of {row}: {', '.join(changed)}",
                "protection-changed",
                row,
                before={name: before[name] for name in changed},
                after={name: wanted[name] for name in changed},
            )
    return row


def set_protection_enabled(
    *,
    protection: Protection,
    enabled: bool,
    by: User | None,
    revision: int | None = None,
    address: str | None = None,
) -> Protection:
    with changing(connection=protection.connection, by=by, address=address) as change:
        row = _held(change, protection)
        check_revision(row, revision)
        if row.enabled != enabled:
            row.enabled = enabled
            row.revision += 1
            row.save(update_fields=["enabled", "revision"])
            change.add(
                f"{'Enabled' if enabled else 'Disabled'} protection of {row}",
                "protection-enabled" if enabled else "protection-disabled",
                row,
                before={"enabled": not enabled},
                after={"enabled": enabled},
            )
    return row


def delete_protection(
    *,
    protection: Protection,
    by: User | None,
    revision: int | None = None,
    address: str | None = None,
) -> None:
    with changing(connection=protection.connection, by=by, address=address) as change:
        row = _held(change, protection)
        check_revision(row, revision)
        change.add(
            f"Deleted protection of {row}",
            "protection-deleted",
            row,
            before=protection_row(row),
        )
        row.delete()


def _place(row: Protection) -> tuple[str, ...]:
    return tuple(getattr(row, name) for name in PLACE_FIELDS)


def _held(change: Change, protection: Protection) -> Protection:
    row = change.connection.protections.filter(pk=protection.pk).first()
    if row is None:
        raise gone(f"the protection of {protection}")
    return row


def _taken(row: Protection) -> Conflict:
    text = f"{row} is protected already. Change that protection instead."
    return Conflict(text, errors={"tag" if row.tag else "column": text})


def protect_copies(*, connection: Connection, copies: Iterable[Mapping[str, str]]) -> None:
    """Protect columns that a reviewed statement has just filled with protected values.

    ``copies`` name ``database``, ``schema``, ``table``, ``column`` and the ``protection`` that the
    values came from; called in the transaction of the outcome, so that no row is readable before.
    """
    with changing(connection=connection, by=None) as change:
        rows = list(change.connection.protections.all())
        sources = {str(row.pk): row for row in rows}
        taken = {_place(row) for row in rows}
        for copy in copies:
            source = sources.get(copy["protection"])
            row = Protection(
                connection=change.connection,
                **{name: copy[name] for name in ("database", "schema", "table", "column")},
                # Whose protection is gone meanwhile keeps the strictest mask rather than none.
                strategy=source.strategy if source else "null",
                options=source.options if source else {},
                note=f"Copied from {source}" if source else "Copied from a protected column",
            )
            if _place(row) in taken:
                continue
            taken.add(_place(row))
            row.save()
            change.add(
                f"Protected {row}, a copy: {row.strategy}",
                "protection-created",
                row,
                after=protection_row(row),
            )

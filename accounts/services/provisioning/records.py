"""Who acts when a directory does, and what the audit trail keeps of people and groups."""

from typing import Any

from accounts.models import Directory, DirectoryGroup, DirectoryPerson
from recordings.services import audit


def said_of(row: DirectoryPerson) -> dict[str, Any]:
    return {
        "username": row.user.username,
        "name": row.user.name,
        "email": row.user.email,
        "external_id": row.external_id,
        "active": row.active,
    }


def said_of_group(row: DirectoryGroup) -> dict[str, Any]:
    names = row.members.values_list("user__username", flat=True)
    return {"name": row.name, "external_id": row.external_id, "members": sorted(names)}


def _actor(directory: Directory) -> dict[str, str]:
    return {"kind": "directory", "id": str(directory.pk), "name": directory.name}


def record(
    action: str,
    row: DirectoryPerson,
    address: str | None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    audit(
        actor=_actor(row.directory),
        action=action,
        kind="person",
        object_id=str(row.user_id),
        object_name=str(row.user),
        before=before,
        after=after,
        address=address,
    )


def record_group(
    action: str,
    row: DirectoryGroup,
    address: str | None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    audit(
        actor=_actor(row.directory),
        action=action,
        kind="group",
        object_id=str(row.pk),
        object_name=row.name,
        before=before,
        after=after,
        address=address,
    )

"""A directory's groups: made, changed, taken away; their members are placed anew each time."""

from dataclasses import dataclass
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from accounts.models import Directory, DirectoryGroup
from accounts.services.provisioning.people import people_of, place_all
from accounts.services.provisioning.records import record_group, said_of_group
from hoopweb.lib.errors import Conflict, InvalidRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What a directory says of a group. ``members`` are ids of its own people."""

    name: str
    external_id: str = ""
    members: frozenset[UUID] = frozenset()


def groups_of(directory: Directory) -> QuerySet[DirectoryGroup]:
    return DirectoryGroup.objects.filter(directory=directory)


def create_group(
    *, directory: Directory, said: Group, address: str | None = None
) -> DirectoryGroup:
    """A group; what it gives its members, mapping rules say. Raises Conflict for a taken name."""
    try:
        with transaction.atomic():
            row = DirectoryGroup.objects.create(
                directory=directory, name=said.name, external_id=said.external_id
            )
            changed = _set_members(row, said.members)
            record_group("group-created", row, address, after=said_of_group(row))
            place_all(changed)
    except IntegrityError as error:
        raise Conflict(f"There is a group called {said.name} already.") from error
    return row


def change_group(
    *, group: DirectoryGroup, said: Group, address: str | None = None
) -> DirectoryGroup:
    """Make a group what the directory now says; everyone whom that concerns is placed anew."""
    try:
        with transaction.atomic():
            row = DirectoryGroup.objects.select_for_update().get(pk=group.pk)
            before = said_of_group(row)
            renamed = row.name != said.name
            row.name, row.external_id = said.name, said.external_id
            changed = _set_members(row, said.members)
            if renamed:
                changed |= set(row.members.values_list("pk", flat=True))
            after = said_of_group(row)
            if before != after:
                row.version += 1
                row.changed_at = timezone.now()
                row.save()
                record_group("group-changed", row, address, before=before, after=after)
            place_all(changed)
    except IntegrityError as error:
        raise Conflict(f"There is a group called {said.name} already.") from error
    return row


def delete_group(*, group: DirectoryGroup, address: str | None = None) -> None:
    """Its members lose what only it gave."""
    with transaction.atomic():
        row = DirectoryGroup.objects.select_for_update().filter(pk=group.pk).first()
        if row is None:
            return
        before = said_of_group(row)
        members = set(row.members.values_list("pk", flat=True))
        record_group("group-deleted", row, address, before=before)
        row.delete()
        place_all(members)


def _set_members(row: DirectoryGroup, wanted: frozenset[UUID]) -> set[UUID]:
    """Who came or went. Raises InvalidRequest for whoever is not this directory's."""
    known = set(people_of(row.directory).filter(pk__in=wanted).values_list("pk", flat=True))
    if strangers := wanted - known:
        raise InvalidRequest(f"There is no user {min(map(str, strangers))} to be a member.")
    held = set(row.members.values_list("pk", flat=True))
    row.members.set(people_of(row.directory).filter(pk__in=known))
    return held ^ known

"""What a directory does to its own people and groups. It sees and changes nobody else's."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from accounts.mapping import Mapped, Source
from accounts.models import (
    Directory,
    DirectoryGroup,
    DirectoryPerson,
    Identity,
    RoleGrant,
    SignIn,
    User,
)
from accounts.principal import Role
from accounts.services.mapping import mapped, place
from accounts.signals import announce
from hoopweb.lib.errors import Conflict, InvalidRequest, NotFound
from recordings.services import audit

_TAKEN = (
    "Somebody here already has this userName, e-mail address or externalId, and is not this "
    "directory's. An admin of Hoopweb decides which of the two is to stay."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What a directory says of somebody. ``details`` is kept for it and used for nothing."""

    username: str
    name: str
    email: str = ""
    active: bool = True
    external_id: str = ""
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What a directory says of a group. ``members`` are ids of its own people."""

    name: str
    external_id: str = ""
    members: frozenset[UUID] = frozenset()


def people_of(directory: Directory) -> QuerySet[DirectoryPerson]:
    """Whom a directory sees: its own, until it deletes them."""
    return DirectoryPerson.objects.filter(directory=directory, gone_at=None).select_related("user")


def groups_of(directory: Directory) -> QuerySet[DirectoryGroup]:
    return DirectoryGroup.objects.filter(directory=directory)


def create_person(
    *, directory: Directory, said: Person, address: str | None = None
) -> DirectoryPerson:
    """A person who signs in by the provider. Whom the directory deleted before comes back.

    An account that is here already is taken over only when the same provider has signed that very
    subject in, it has no password, and it administers nothing; else Conflict.
    """
    try:
        with transaction.atomic():
            row = _returning(directory, said) or _adopted(directory, said)
            if row is None:
                user = User(username=said.username, name=said.name, email=said.email)
                user.set_unusable_password()
                user.is_active = said.active
                user.save(force_insert=True)
                row = DirectoryPerson.objects.create(
                    directory=directory,
                    user=user,
                    external_id=said.external_id,
                    active=said.active,
                    details=said.details,
                )
                _record("person-created", row, address, after=_said(row))
            else:
                # Whom the directory took away, it brings back.
                _write(row, said, address, returning=row.gone_at is not None)
            _place(row)
    except IntegrityError as error:
        raise Conflict(_TAKEN) from error
    return row


def change_person(
    *, person: DirectoryPerson, said: Person, address: str | None = None
) -> DirectoryPerson:
    """Make somebody what the directory now says. Raises Conflict when a name is taken.

    Inactive, they are cut off at once.
    """
    try:
        with transaction.atomic():
            row = _locked(person)
            _write(row, said, address)
    except IntegrityError as error:
        raise Conflict(_TAKEN) from error
    return row


def delete_person(*, person: DirectoryPerson, address: str | None = None) -> None:
    """Gone for the directory: disabled here, without its groups. What they did stays recorded."""
    with transaction.atomic():
        row = _locked(person)
        row.groups.clear()
        row.gone_at = timezone.now()
        row.active = False
        row.save(update_fields=["gone_at", "active"])
        _switch(row, on=False, address=address)
        _place(row)
        _record("person-deprovisioned", row, address)


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
            _record_group("group-created", row, address, after=_said_group(row))
            _place_all(changed)
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
            before = _said_group(row)
            renamed = row.name != said.name
            row.name, row.external_id = said.name, said.external_id
            changed = _set_members(row, said.members)
            if renamed:
                changed |= set(row.members.values_list("pk", flat=True))
            after = _said_group(row)
            if before != after:
                row.version += 1
                row.changed_at = timezone.now()
                row.save()
                _record_group("group-changed", row, address, before=before, after=after)
            _place_all(changed)
    except IntegrityError as error:
        raise Conflict(f"There is a group called {said.name} already.") from error
    return row


def delete_group(*, group: DirectoryGroup, address: str | None = None) -> None:
    """Its members lose what only it gave."""
    with transaction.atomic():
        row = DirectoryGroup.objects.select_for_update().filter(pk=group.pk).first()
        if row is None:
            return
        before = _said_group(row)
        members = set(row.members.values_list("pk", flat=True))
        _record_group("group-deleted", row, address, before=before)
        row.delete()
        _place_all(members)


def place_of(row: DirectoryPerson) -> Mapped:
    """What mapping rules make of somebody, by what their directory says."""
    claims = {
        "groups": sorted(row.groups.values_list("name", flat=True)),
        "userName": row.user.username,
        "email": row.user.email,
        "directory": row.directory.name,
    }
    return mapped(Source.SCIM, claims)


def match_sign_in(
    *, issuer: str, subjects: Iterable[str], username: str, verified_email: str
) -> User | None:
    """The person whom a directory keeps and this first sign-in is of; None when that is unsure.

    Only people of a directory that names this issuer, who have never signed in by a provider. One
    of the token's ``subjects`` is their externalId; or both the user name and the e-mail address
    that the provider has verified are theirs, and they administer nothing.
    """
    rows = people_of_issuer(issuer).filter(user__identities=None)
    wanted = [each for each in subjects if each]
    found = list(rows.filter(external_id__in=wanted)[:2]) if wanted else []
    if len(found) == 1:
        return found[0].user
    if found or not verified_email or not username:
        return None
    named = rows.filter(user__email__iexact=verified_email, user__username__iexact=username)
    row = named.first()
    return None if row is None or _administers(row.user) else row.user


def link_sign_in(
    *,
    issuer: str,
    subject: str,
    also: Iterable[str],
    username: str,
    verified_email: str,
    address: str | None = None,
) -> User | None:
    """Match a first sign-in, and know the person by issuer and subject from now on."""
    user = match_sign_in(
        issuer=issuer,
        subjects=[subject, *also],
        username=username,
        verified_email=verified_email,
    )
    if user is not None:
        with transaction.atomic():
            Identity.objects.link(user, issuer=issuer, subject=subject)
            _record(
                "identity-linked",
                user.provisioned,
                address,
                after={"issuer": issuer, "subject": subject},
            )
    return user


def kept(user: User | None) -> DirectoryPerson | None:
    """The directory's row of somebody whom one keeps; None for everybody else."""
    if user is None:
        return None
    rows = DirectoryPerson.objects.select_related("user", "directory")
    return rows.filter(user=user, gone_at=None, directory__is_active=True).first()


def people_of_issuer(issuer: str) -> QuerySet[DirectoryPerson]:
    rows = DirectoryPerson.objects.filter(gone_at=None, directory__is_active=True)
    return (
        rows.filter(directory__issuer=issuer)
        .exclude(directory__issuer="")
        .select_related("user", "directory")
    )


def _returning(directory: Directory, said: Person) -> DirectoryPerson | None:
    gone = DirectoryPerson.objects.select_for_update(of=("self",)).select_related("user")
    return gone.filter(
        directory=directory, gone_at__isnull=False, user__username__iexact=said.username
    ).first()


def _adopted(directory: Directory, said: Person) -> DirectoryPerson | None:
    """The account of somebody whom this directory's own provider has signed in before."""
    if not directory.issuer or not said.external_id:
        return None
    identity = (
        Identity.objects.select_related("user")
        .filter(issuer=directory.issuer, subject=said.external_id)
        .filter(user__username__iexact=said.username, user__provisioned=None)
        .first()
    )
    if identity is None or identity.user.has_usable_password() or _administers(identity.user):
        return None
    row = DirectoryPerson.objects.create(
        directory=directory, user=identity.user, external_id=said.external_id
    )
    _record("person-taken-over", row, None)
    return row


def _administers(user: User) -> bool:
    return RoleGrant.objects.of(user).filter(role=Role.ADMIN).exists()


def _locked(person: DirectoryPerson) -> DirectoryPerson:
    row = (
        DirectoryPerson.objects.select_for_update(of=("self",))
        .select_related("user", "directory")
        .filter(pk=person.pk, gone_at=None)
        .first()
    )
    if row is None:
        raise NotFound("There is no such user.")
    return row


def _write(
    row: DirectoryPerson, said: Person, address: str | None, *, returning: bool = False
) -> None:
    before = _said(row)
    was_active, row.active = row.active and not returning, said.active
    row.external_id, row.details, row.gone_at = said.external_id, said.details, None
    user = row.user
    user.username, user.name, user.email = said.username, said.name, said.email
    user.save(update_fields=["username", "name", "email"])
    row.changed_at = timezone.now()
    row.version = F("version") + 1
    row.save()
    row.refresh_from_db(fields=["version"])
    after = _said(row)
    if before != after:
        _record("person-changed", row, address, before=before, after=after)
    # Only a change of the directory's mind: it does not let in whom an admin keeps out.
    if was_active != said.active or not said.active:
        _switch(row, on=said.active, address=address)


def _switch(row: DirectoryPerson, *, on: bool, address: str | None) -> None:
    changed = User.objects.filter(pk=row.user_id, is_active=not on).update(is_active=on)
    row.user.is_active = on
    if not on:
        SignIn.objects.end_all_of(row.user)
        announce(people=[row.user_id])
    if changed:
        _record("person-enabled" if on else "person-disabled", row, address)


def _set_members(row: DirectoryGroup, wanted: frozenset[UUID]) -> set[UUID]:
    """Who came or went. Raises InvalidRequest for whoever is not this directory's."""
    known = set(people_of(row.directory).filter(pk__in=wanted).values_list("pk", flat=True))
    if strangers := wanted - known:
        raise InvalidRequest(f"There is no user {min(map(str, strangers))} to be a member.")
    held = set(row.members.values_list("pk", flat=True))
    row.members.set(people_of(row.directory).filter(pk__in=known))
    return held ^ known


def _place_all(people: Iterable[UUID]) -> None:
    rows = DirectoryPerson.objects.select_related("user", "directory").filter(pk__in=people)
    for row in rows.order_by("pk"):
        _place(row)


def _place(row: DirectoryPerson) -> None:
    place(row.user, place_of(row))


def _said(row: DirectoryPerson) -> dict[str, Any]:
    return {
        "username": row.user.username,
        "name": row.user.name,
        "email": row.user.email,
        "external_id": row.external_id,
        "active": row.active,
    }


def _said_group(row: DirectoryGroup) -> dict[str, Any]:
    names = row.members.values_list("user__username", flat=True)
    return {"name": row.name, "external_id": row.external_id, "members": sorted(names)}


def _actor(directory: Directory) -> dict[str, str]:
    return {"kind": "directory", "id": str(directory.pk), "name": directory.name}


def _record(
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


def _record_group(
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

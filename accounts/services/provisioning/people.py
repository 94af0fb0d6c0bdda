"""A directory's people: made, changed, switched, taken away."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from accounts.mapping import Mapped, Source
from accounts.models import Directory, DirectoryPerson, Identity, SignIn, User
from accounts.services.mapping import mapped, place
from accounts.services.provisioning.matching import administers
from accounts.services.provisioning.records import record, said_of
from accounts.signals import announce
from hoopweb.lib.errors import Conflict, NotFound

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


def people_of(directory: Directory) -> QuerySet[DirectoryPerson]:
    """Whom a directory sees: its own, until it deletes them."""
    return DirectoryPerson.objects.filter(directory=directory, gone_at=None).select_related("user")


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
                record("person-created", row, address, after=said_of(row))
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
        record("person-deprovisioned", row, address)


def place_of(row: DirectoryPerson) -> Mapped:
    """What mapping rules make of somebody, by what their directory says."""
    claims = {
        "groups": sorted(row.groups.values_list("name", flat=True)),
        "userName": row.user.username,
        "email": row.user.email,
        "directory": row.directory.name,
    }
    return mapped(Source.SCIM, claims)


def place_all(people: Iterable[UUID]) -> None:
    rows = DirectoryPerson.objects.select_related("user", "directory").filter(pk__in=people)
    for row in rows.order_by("pk"):
        _place(row)


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
    if identity is None or identity.user.has_usable_password() or administers(identity.user):
        return None
    row = DirectoryPerson.objects.create(
        directory=directory, user=identity.user, external_id=said.external_id
    )
    record("person-taken-over", row, None)
    return row


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
    before = said_of(row)
    was_active, row.active = row.active and not returning, said.active
    row.external_id, row.details, row.gone_at = said.external_id, said.details, None
    user = row.user
    user.username, user.name, user.email = said.username, said.name, said.email
    user.save(update_fields=["username", "name", "email"])
    row.changed_at = timezone.now()
    row.version = F("version") + 1
    row.save()
    row.refresh_from_db(fields=["version"])
    after = said_of(row)
    if before != after:
        record("person-changed", row, address, before=before, after=after)
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
        record("person-enabled" if on else "person-disabled", row, address)


def _place(row: DirectoryPerson) -> None:
    place(row.user, place_of(row))

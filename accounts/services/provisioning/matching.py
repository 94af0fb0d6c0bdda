"""Whom a first sign-in is of, among the people whom directories keep."""

from collections.abc import Iterable

from django.db import transaction
from django.db.models import QuerySet

from accounts.models import DirectoryPerson, Identity, RoleGrant, User
from accounts.principal import Role
from accounts.services.provisioning.records import record


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
    return None if row is None or administers(row.user) else row.user


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
            record(
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


def administers(user: User) -> bool:
    return RoleGrant.objects.of(user).filter(role=Role.ADMIN).exists()

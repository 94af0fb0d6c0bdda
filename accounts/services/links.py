"""Who a person is to their provider: linked by an admin when names alone would say so."""

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from accounts.models import Identity, Newcomer, SignIn, User
from accounts.services.acting import actor_of, need_admin
from hoopweb.lib.errors import Conflict, NotAllowed
from recordings.services import audit


def await_link(*, issuer: str, subject: str, name: str, username: str, email: str) -> None:
    """Remember whom a provider signed in although an account has the name or the address already.

    Nothing is joined: an admin decides on that account's page.
    """
    same = Q(username__iexact=username)
    if email:
        same |= Q(email__iexact=email)
    # The address says more about who it is than a name does.
    found = sorted(User.objects.filter(same), key=lambda user: user.email.lower() != email.lower())
    if not found:
        return
    Newcomer.objects.update_or_create(
        issuer=issuer,
        subject=subject,
        defaults={
            "user": found[0],
            "name": name,
            "username": username,
            "email": email,
            "at": timezone.now(),
        },
    )


def link_identity(*, newcomer: Newcomer, by: User | None, address: str | None = None) -> Identity:
    """Say that a newcomer is this person: from now on the provider signs them in here."""
    person = newcomer.user
    need_admin(by, "link people to their provider")
    _not_oneself(by, person)
    try:
        with transaction.atomic():
            identity = Identity.objects.link(
                person, issuer=newcomer.issuer, subject=newcomer.subject
            )
            Newcomer.objects.filter(pk=newcomer.pk).delete()
            _record("identity-linked", person, by, address, after=_said(identity))
    except IntegrityError as error:
        raise Conflict(
            "This identity belongs to somebody already. Load the page anew to see whose it is."
        ) from error
    return identity


def dismiss_newcomer(*, newcomer: Newcomer, by: User | None, address: str | None = None) -> None:
    """Say that a newcomer is not this person. Their next try to sign in shows them again."""
    need_admin(by, "decide who somebody is")
    _not_oneself(by, newcomer.user)
    with transaction.atomic():
        if Newcomer.objects.filter(pk=newcomer.pk).delete()[0]:
            _record("identity-dismissed", newcomer.user, by, address, before=_said(newcomer))


def unlink_identity(*, identity: Identity, by: User | None, address: str | None = None) -> None:
    """The provider signs this person in no more, and what it opened in browsers ends now."""
    person = identity.user
    need_admin(by, "unlink people from their provider")
    _not_oneself(by, person)
    with transaction.atomic():
        if not Identity.objects.filter(pk=identity.pk).delete()[0]:
            return
        ended = SignIn.objects.by_provider(identity.issuer, subject=identity.subject).end()
        _record(
            "identity-unlinked",
            person,
            by,
            address,
            before=_said(identity),
            after={"console_sessions_ended": ended},
        )


def _said(found: Identity | Newcomer) -> dict[str, str]:
    return {"issuer": found.issuer, "subject": found.subject}


def _not_oneself(by: User | None, person: User) -> None:
    if by is not None and by.pk == person.pk:
        raise NotAllowed("Nobody decides by which identity they come in. Ask another admin.")


def _record(
    action: str,
    person: User,
    by: User | None,
    address: str | None,
    *,
    before: dict[str, str] | None = None,
    after: dict[str, str] | dict[str, int] | None = None,
) -> None:
    audit(
        actor=actor_of(by),
        action=action,
        kind="person",
        object_id=str(person.pk),
        object_name=str(person),
        before=before,
        after=after,
        address=address,
    )

"""From what the provider says of a person to an account here."""

from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from accounts import contact, services
from accounts.mapping import Mapped, Source, values_at
from accounts.models import Identity, SignIn, User
from accounts.oidc.refusal import SignInRefused
from accounts.services import provisioning
from accounts.services.mapping import mapped, place
from hoopweb.lib.errors import Conflict

_NO_SUBJECT = (
    "Your provider does not say who you are in a form that can be kept. Ask whoever runs Hoopweb "
    "here: the ID token's subject must be text of at most 255 characters."
)
_LONGEST_SUBJECT = 255
_DISABLED = "Your account here is disabled. Ask an admin of Hoopweb to enable it."


def groups_of(claims: dict[str, Any]) -> list[str] | None:
    """The groups in the configured claim, or None when it is not there.

    The setting is a claim's name, or a path into nested ones such as ``realm_access.roles``.
    """
    found = list(values_at(claims, settings.OIDC_GROUPS_CLAIM))
    return found or ([] if settings.OIDC_GROUPS_CLAIM in claims else None)


def admit(
    claims: dict[str, Any], *, issuer: str, source: Source, groups: list[str], address: str | None
) -> User:
    """The person behind verified claims, where the mapping rules put them.

    ``issuer`` and the claim ``sub`` name the person. Raises SignInRefused for who is disabled, has
    no place, or would take another's name.
    """
    subject = _subject(claims)
    user = _known(issuer, subject) or _expected(issuer, subject, claims, address)
    kept = provisioning.kept(user)
    # A directory that keeps somebody is right about their groups, also when a token says less.
    found = provisioning.place_of(kept) if kept else mapped(source, {**claims, "groups": groups})
    if user is not None and not user.is_active:
        raise SignInRefused("disabled", _DISABLED, user=user, subject=subject)
    if not found:
        if user is not None:
            # Whoever left the last group loses what the groups gave, in every browser.
            place(user, found, address=address)
            SignIn.objects.end_all_of(user)
        raise SignInRefused(
            "no_team", contact.no_place(), user=user, subject=subject, groups=groups
        )
    if user is not None:
        return place(user, found, address=address)
    try:
        return _create(issuer, subject, claims, found, address)
    except Conflict as error:
        services.await_link(
            issuer=issuer,
            subject=subject,
            name=_plain(claims.get("name"), 120),
            username=_username(claims, subject),
            email=_email(claims),
        )
        raise SignInRefused("name_taken", contact.name_taken(), subject=subject, status=409) from (
            error
        )


def _known(issuer: str, subject: str) -> User | None:
    found = Identity.objects.select_related("user").filter(issuer=issuer, subject=subject).first()
    return found.user if found else None


def _expected(
    issuer: str, subject: str, claims: dict[str, Any], address: str | None
) -> User | None:
    """The person whom this provider's directory has announced, at their first sign-in."""
    verified = claims.get("email_verified") in (True, "true")
    return provisioning.link_sign_in(
        issuer=issuer,
        subject=subject,
        # Entra's subject differs for each application; the object's id is the directory's.
        also=[_plain(claims.get("oid"), 255)],
        username=_plain(claims.get("preferred_username"), 150),
        verified_email=_email(claims) if verified else "",
        address=address,
    )


def _create(
    issuer: str, subject: str, claims: dict[str, Any], found: Mapped, address: str | None
) -> User:
    email = _email(claims)
    username = _username(claims, subject)
    try:
        with transaction.atomic():
            user = services.create_user(
                username=username,
                name=_plain(claims.get("name"), 120) or username[:120],
                email=email,
                by=None,
                address=address,
            )
            Identity.objects.link(user, issuer=issuer, subject=subject)
            place(user, found, address=address)
    except (Conflict, IntegrityError):
        # Two browsers of one person may come at once: the other has just made this account.
        known = _known(issuer, subject)
        if known is None:
            raise
        return known
    return user


def _username(claims: dict[str, Any], subject: str) -> str:
    name = _plain(claims.get("preferred_username"), 150)
    return name or _email(claims)[:150] or subject[:150]


def _subject(claims: dict[str, Any]) -> str:
    """Kept to the letter or not at all: a shortened one could be somebody else's."""
    subject = claims["sub"]
    if not isinstance(subject, str) or not 0 < len(subject) <= _LONGEST_SUBJECT or "\0" in subject:
        raise SignInRefused("unusable_subject", _NO_SUBJECT)
    return subject


def _email(claims: dict[str, Any]) -> str:
    """The e-mail address, unless the provider says that it did not check it."""
    email = _plain(claims.get("email"), 254)
    try:
        validate_email(email)
    except ValidationError:
        return ""
    return email if claims.get("email_verified", True) in (True, "true") else ""


def _plain(value: Any, length: int) -> str:
    """A claim as one line of text that a column can keep."""
    text = value if isinstance(value, str) else ""
    return "".join(sign for sign in text if sign.isprintable()).strip()[:length]

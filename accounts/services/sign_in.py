"""Signing in to the console, with a local account or at a provider's word, and out again."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.contrib import auth
from django.db import transaction
from django.http import HttpRequest

from accounts import attempts
from accounts.addresses import address_of
from accounts.models import SignIn, User
from accounts.services.acting import actor_of
from hoopweb.lib.errors import NotAllowed
from recordings.services import audit


class Outcome(StrEnum):
    """How a try to sign in ended."""

    WELCOME = "welcome"
    REFUSED = "refused"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class SignInResult:
    """How a try ended. ``REFUSED`` never tells a wrong name from a wrong password."""

    outcome: Outcome
    user: User | None = None


@dataclass(frozen=True, slots=True)
class Vouched:
    """A provider's word for somebody: its own names for who that is, and for its session."""

    how: str
    issuer: str
    subject: str
    session: str = ""


def sign_in(*, request: HttpRequest, name: str, password: str) -> SignInResult:
    """Try a user name or e-mail address with a password; on success the browser is signed in."""
    if not settings.LOCAL_ACCOUNTS:
        raise NotAllowed("Local accounts are off here. Sign in with your provider.")
    address = address_of(request)
    if attempts.reserve(name, address) is None:
        _refused("too_many_tries", None, address)
        return SignInResult(Outcome.WAIT)
    known = _find(name)
    # An unknown name is hashed too, so that the time taken tells nothing.
    user = auth.authenticate(request, username=known.username if known else name, password=password)
    if not isinstance(user, User):
        _refused("wrong_password" if known else "unknown_name", known, address)
        return SignInResult(Outcome.REFUSED)
    with transaction.atomic():
        auth.login(request, user)
        # The key is known only once the session is stored.
        request.session.save()
        key = request.session.session_key or ""
        SignIn.objects.create(
            user=user,
            session_key=key,
            address=address,
            client=_client_of(request),
        )
        audit(
            actor=actor_of(user),
            action="sign-in",
            kind="person",
            object_id=str(user.pk),
            object_name=str(user),
            after={"by": "local account"},
            address=address,
        )
    attempts.forgive(name, address)
    return SignInResult(Outcome.WELCOME, user)


def sign_in_by_provider(
    *, request: HttpRequest, user: User, backend: str, vouched: Vouched
) -> None:
    """Sign this browser in as who the provider says. ``backend`` finds the person from now on."""
    address = address_of(request)
    with transaction.atomic():
        auth.login(request, user, backend=backend)
        keep_sign_in(request=request, user=user, vouched=vouched)
        audit(
            actor=actor_of(user),
            action="sign-in",
            kind="person",
            object_id=str(user.pk),
            object_name=str(user),
            after={
                "by": vouched.how,
                "issuer": vouched.issuer,
                "teams": sorted(user.teams.values_list("slug", flat=True)),
            },
            address=address,
        )


def end_here(*, request: HttpRequest, why: str) -> None:
    """End this browser's session at the provider's word."""
    user = request.user
    if isinstance(user, User):
        with transaction.atomic():
            SignIn.objects.filter(session_key=request.session.session_key).end()
            audit(
                actor=actor_of(None),
                action="sign-out",
                kind="person",
                object_id=str(user.pk),
                object_name=str(user),
                after={"by": why},
                address=address_of(request),
            )
    auth.logout(request)


def record_refusal(
    *,
    why: str,
    by: str,
    user: User | None,
    subject: str = "",
    groups: list[str] | None = None,
    address: str | None = None,
) -> None:
    """Keep that somebody did not get in by a provider, and for which reason."""
    after: dict[str, Any] = {"why": why, "by": by}
    if subject:
        after["subject"] = subject
    if groups is not None:
        after["groups"] = groups[:100]
    audit(
        actor={"kind": "anonymous", "name": str(user) if user else "unknown"},
        action="sign-in-refused",
        kind="person",
        object_id=str(user.pk) if user else "",
        object_name=str(user) if user else "",
        after=after,
        address=address,
    )


def sign_out(*, request: HttpRequest) -> None:
    """End this browser's session."""
    user = request.user
    if isinstance(user, User):
        with transaction.atomic():
            SignIn.objects.filter(session_key=request.session.session_key).end()
            audit(
                actor=actor_of(user),
                action="sign-out",
                kind="person",
                object_id=str(user.pk),
                object_name=str(user),
                address=address_of(request),
            )
    auth.logout(request)


def keep_sign_in(
    *, request: HttpRequest, user: User, vouched: Vouched | None = None, former: str | None = None
) -> None:
    """Follow this browser's session to its new key, and the provider's session to its new name.

    ``former`` is the key that it had: what is known of the sign-in then goes on.
    """
    request.session.save()
    if former and former != request.session.session_key:
        SignIn.objects.filter(session_key=former, user=user).update(
            session_key=request.session.session_key
        )
    said = (
        {
            "issuer": vouched.issuer,
            "subject": vouched.subject,
            "provider_session": vouched.session[:255],
        }
        if vouched
        else {}
    )
    SignIn.objects.update_or_create(
        session_key=request.session.session_key,
        defaults=said,
        create_defaults={
            "user": user,
            "address": address_of(request),
            "client": _client_of(request),
            **said,
        },
    )


def end_sign_in(*, sign_in: SignIn, by: User, address: str | None = None) -> None:
    """Sign one's own other browser out."""
    if sign_in.user_id != by.pk:
        raise NotAllowed("This is somebody else's browser. An admin can disable that person.")
    with transaction.atomic():
        if SignIn.objects.filter(pk=sign_in.pk).end():
            audit(
                actor=actor_of(by),
                action="sign-out",
                kind="person",
                object_id=str(by.pk),
                object_name=str(by),
                after={"browser_of": sign_in.at.isoformat()},
                address=address,
            )


def _client_of(request: HttpRequest) -> str:
    return request.headers.get("User-Agent", "").replace("\x00", "")[:300]


def _find(name: str) -> User | None:
    found = User.objects.filter(username__iexact=name.strip()).first()
    if found is None and "@" in name:
        found = User.objects.filter(email__iexact=name.strip()).first()
    return found


def _refused(why: str, known: User | None, address: str | None) -> None:
    audit(
        actor={"kind": "anonymous", "name": str(known) if known else "unknown"},
        action="sign-in-refused",
        kind="person",
        object_id=str(known.pk) if known else "",
        object_name=str(known) if known else "",
        after={"why": why},
        address=address,
    )

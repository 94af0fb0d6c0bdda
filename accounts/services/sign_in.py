"""Signing in to the console with a local account, and out again."""

from dataclasses import dataclass
from enum import StrEnum

from django.conf import settings
from django.contrib import auth
from django.db import transaction
from django.http import HttpRequest

from accounts import attempts
from accounts.authentication import address_of
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


def keep_sign_in(*, request: HttpRequest, user: User) -> None:
    """Follow this browser's session to its new key, which a changed password gives it."""
    request.session.save()
    SignIn.objects.get_or_create(
        session_key=request.session.session_key,
        defaults={
            "user": user,
            "address": address_of(request),
            "client": _client_of(request),
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

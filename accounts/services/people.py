"""People: made, put in teams, cut off."""

from collections.abc import Iterable

from django.db import IntegrityError, transaction

from accounts.models import SignIn, Team, User
from accounts.services.acting import actor_of, need_admin
from accounts.signals import announce
from hoopweb.lib.errors import Conflict, InvalidRequest, NotAllowed
from recordings.services import audit


def create_user(
    *,
    username: str,
    name: str,
    by: User | None,
    email: str = "",
    password: str | None = None,
    teams: Iterable[Team] = (),
    address: str | None = None,
) -> User:
    """A person who may sign in; without ``password`` only through the provider.

    Raises Conflict when the user name or the e-mail address is taken.
    """
    need_admin(by, "add people")
    teams = list(teams)
    user = User(username=username, name=name, email=email)
    if password is None:
        user.set_unusable_password()
    else:
        user.set_password(password)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
            user.teams.set(teams)
            audit(
                actor=actor_of(by),
                action="person-created",
                kind="person",
                object_id=str(user.pk),
                object_name=str(user),
                after={
                    "username": username,
                    "email": email,
                    "teams": sorted(t.slug for t in teams),
                },
                address=address,
            )
    except IntegrityError as error:
        raise Conflict(
            "Someone already has this user name or e-mail address. Choose another, or open that "
            "person under Settings."
        ) from error
    return user


def set_teams(
    *, user: User, teams: Iterable[Team], by: User | None, address: str | None = None
) -> User:
    """Put a person into exactly these teams. Nobody changes their own."""
    need_admin(by, "change teams")
    _not_oneself(by, user, "teams")
    with transaction.atomic():
        User.objects.select_for_update().get(pk=user.pk)
        before = sorted(user.teams.values_list("slug", flat=True))
        user.teams.set(teams)
        after = sorted(user.teams.values_list("slug", flat=True))
        if before != after:
            audit(
                actor=actor_of(by),
                action="teams-changed",
                kind="person",
                object_id=str(user.pk),
                object_name=str(user),
                before={"teams": before},
                after={"teams": after},
                address=address,
            )
            announce(people=[user.pk])
    user.forget_access()
    return user


def disable_user(*, user: User, by: User | None, address: str | None = None) -> User:
    """Cut a person off: console sessions end now, and their agents' tokens open nothing."""
    need_admin(by, "disable people")
    _not_oneself(by, user, "own access")
    with transaction.atomic():
        changed = User.objects.filter(pk=user.pk, is_active=True).update(is_active=False)
        ended = SignIn.objects.end_all_of(user)
        announce(people=[user.pk])
        if changed:
            audit(
                actor=actor_of(by),
                action="person-disabled",
                kind="person",
                object_id=str(user.pk),
                object_name=str(user),
                after={"console_sessions_ended": ended},
                address=address,
            )
    user.is_active = False
    return user


def enable_user(*, user: User, by: User | None, address: str | None = None) -> User:
    """Let a disabled person in again, with the teams and roles they had."""
    need_admin(by, "enable people")
    _not_oneself(by, user, "own access")
    with transaction.atomic():
        if User.objects.filter(pk=user.pk, is_active=False).update(is_active=True):
            audit(
                actor=actor_of(by),
                action="person-enabled",
                kind="person",
                object_id=str(user.pk),
                object_name=str(user),
                address=address,
            )
    user.is_active = True
    return user


def change_password(
    *, user: User, old: str, new: str, keep: str | None = None, address: str | None = None
) -> User:
    """Set one's own password; every other console session of that person ends.

    ``keep`` is the session key of the browser in use. Raises InvalidRequest when ``old`` is wrong.
    """
    if not user.check_password(old):
        raise InvalidRequest("This is not your present password. Nothing was changed.", field="old")
    with transaction.atomic():
        user.set_password(new)
        user.save(update_fields=["password"])
        SignIn.objects.end_all_of(user, keep=keep)
        audit(
            actor=actor_of(user),
            action="password-changed",
            kind="person",
            object_id=str(user.pk),
            object_name=str(user),
            address=address,
        )
    return user


def _not_oneself(by: User | None, user: User, what: str) -> None:
    if by is not None and by.pk == user.pk:
        raise NotAllowed(f"Nobody changes their {what}. Ask another admin to do it.")

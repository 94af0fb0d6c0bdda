"""Directories and their tokens: made, rotated, revoked and switched by admins."""

from dataclasses import dataclass
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import tokens
from accounts.models import Directory, DirectoryToken, User
from accounts.services.acting import actor_of, need_admin
from hoopweb.lib.errors import Conflict, InvalidRequest
from recordings.services import audit

MAX_DAYS = 365
OVERLAP = timedelta(hours=24)
MAX_OVERLAP = timedelta(days=7)


@dataclass(frozen=True, repr=False, slots=True)
class IssuedDirectoryToken:
    """A token's row, and its text at the one moment when it is known."""

    token: DirectoryToken
    text: str


def create_directory(
    *, name: str, by: User | None, issuer: str = "", address: str | None = None
) -> Directory:
    """A directory that may then be given a token. Raises Conflict when the name is taken."""
    need_admin(by, "add directories")
    try:
        with transaction.atomic():
            made = Directory.objects.create(name=name, issuer=issuer)
            _record("directory-created", made, by, address, after={"issuer": issuer})
    except IntegrityError as error:
        raise Conflict(f"There is a directory called {name} already.", field="name") from error
    return made


def switch_directory(
    *, directory: Directory, on: bool, by: User | None, address: str | None = None
) -> Directory:
    """Off, none of its tokens opens anything; the people it keeps stay as they are. Idempotent."""
    need_admin(by, "switch directories")
    with transaction.atomic():
        if Directory.objects.filter(pk=directory.pk, is_active=not on).update(is_active=on):
            _record("directory-enabled" if on else "directory-disabled", directory, by, address)
    directory.is_active = on
    return directory


def issue_directory_token(
    *,
    directory: Directory,
    label: str,
    by: User | None,
    days: int = MAX_DAYS,
    address: str | None = None,
) -> IssuedDirectoryToken:
    """A new token for a directory. Whoever holds it makes and disables the directory's people."""
    need_admin(by, "issue a directory's tokens")
    if not 1 <= days <= MAX_DAYS:
        raise InvalidRequest(f"A directory's token lives for 1 to {MAX_DAYS} days.", field="days")
    with transaction.atomic():
        issued = _make(directory, label, timedelta(days=days))
        _record("directory-token-issued", directory, by, address, after=_said(issued.token))
    return issued


def rotate_directory_token(
    *,
    token: DirectoryToken,
    by: User | None,
    overlap: timedelta = OVERLAP,
    address: str | None = None,
) -> IssuedDirectoryToken:
    """A successor with the same lifetime; the old one ends after ``overlap``.

    Raises Conflict when the token is no longer live: then issue a new one.
    """
    need_admin(by, "rotate a directory's tokens")
    if not timedelta() <= overlap <= MAX_OVERLAP:
        raise InvalidRequest(
            f"Both tokens can work side by side for {MAX_OVERLAP.days} days at most.",
            field="overlap",
        )
    with transaction.atomic():
        old = DirectoryToken.objects.select_for_update().get(pk=token.pk)
        if not old.is_live():
            raise Conflict("This token is expired or revoked already. Issue a new one instead.")
        issued = _make(old.directory, old.label, old.expires_at - old.created_at)
        old.expires_at = min(old.expires_at, timezone.now() + overlap)
        old.save(update_fields=["expires_at"])
        _record(
            "directory-token-rotated",
            old.directory,
            by,
            address,
            before=_said(old),
            after=_said(issued.token),
        )
    return issued


def revoke_directory_token(
    *, token: DirectoryToken, by: User | None, address: str | None = None
) -> DirectoryToken:
    """From the next request on the token opens nothing. Idempotent."""
    need_admin(by, "revoke a directory's tokens")
    with transaction.atomic():
        live = DirectoryToken.objects.filter(pk=token.pk, revoked_at=None)
        if live.update(revoked_at=timezone.now()):
            _record("directory-token-revoked", token.directory, by, address, after=_said(token))
    token.refresh_from_db()
    return token


def _make(directory: Directory, label: str, lifetime: timedelta) -> IssuedDirectoryToken:
    new = tokens.make(tokens.DIRECTORY)
    now = timezone.now()
    token = DirectoryToken.objects.create(
        directory=directory,
        label=label,
        key_id=new.key_id,
        digest=new.digest,
        pepper=new.pepper,
        created_at=now,
        expires_at=now + lifetime,
    )
    return IssuedDirectoryToken(token, new.text)


def _said(token: DirectoryToken) -> dict[str, object]:
    return {
        "key_id": token.key_id,
        "label": token.label,
        "expires_at": token.expires_at.isoformat(),
    }


def _record(
    action: str,
    directory: Directory,
    by: User | None,
    address: str | None,
    *,
    before: dict[str, object] | None = None,
    after: dict[str, object] | None = None,
) -> None:
    audit(
        actor=actor_of(by),
        action=action,
        kind="directory",
        object_id=str(directory.pk),
        object_name=directory.name,
        before=before,
        after=after,
        address=address,
    )

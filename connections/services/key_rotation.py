"""A Snowflake key pair changed without a gap, by way of the user's other key slot.

Each call takes one step and writes it down, so that a page can show them as they happen and go on
after a crash. The old key works until the last step; a step that fails takes back what was done.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import User
from connections.models import Connection, Credential, KeyRotation
from connections.services.acting import actor_of, need_admin_of
from connections.services.credentials import (
    clear_key_statement,
    new_key_pair,
    set_key_statement,
    slot_name,
)
from connections.services.places import quoted_name, stored_name
from connections.services.values import target_for
from connections.upstream import users
from connections.upstream.errors import UpstreamFailure
from connections.upstream.types import Target
from hoopweb.lib.errors import Conflict, HoopwebError, InvalidRequest
from recordings.services import audit

State = KeyRotation.State
_WHAT = "rotate its key"
# A key that was just set is not always known at once.
_TRIES = 3


def start_key_rotation(
    *, connection: Connection, by: User | None, address: str | None = None
) -> KeyRotation:
    """Make the second key pair; nothing else changes. Raises InvalidRequest, Conflict."""
    need_admin_of(by, connection, _WHAT)
    try:
        with transaction.atomic():
            Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
            credential = _rotatable(connection)
            pair = new_key_pair()
            rotation = KeyRotation(
                connection=connection,
                slot=3 - credential.slot,
                secret=pair.private,
                public={"public_key": pair.public, "fingerprint": pair.fingerprint},
                old_public=credential.public,
            )
            _note(rotation, "make", f"The new key {pair.fingerprint} is made and sealed.")
            rotation.save(force_insert=True)
            _audit(rotation, "key-rotation-started", by, address)
    except IntegrityError:
        raise Conflict(f"The key of {connection.name} is being rotated already.") from None
    return rotation


def advance_key_rotation(
    *, rotation_id: UUID, by: User | None, told: bool = False, address: str | None = None
) -> KeyRotation:
    """Take the next step. ``told`` says that a person has run the statement that is shown.

    Never raises for what is wrong on Snowflake's side: the steps say it, with the cure.
    """
    seen = KeyRotation.objects.select_related("connection").get(pk=rotation_id)
    need_admin_of(by, seen.connection, _WHAT)
    if not seen.is_open:
        return seen
    if seen.state == State.TESTED:
        return _switch(seen, by, address)
    try:
        target = target_for(seen.connection)
    except HoopwebError as error:
        return _written(seen, _step("log in", error.detail, ok=False))
    if seen.state == State.SWITCHED:
        return _clear(seen, target, by, address, told=told)
    return _tell_or_test(seen, target, by, address, told=told)


def undo_key_rotation(
    *, rotation_id: UUID, by: User | None, address: str | None = None
) -> KeyRotation:
    """Give up: the old key stays, and the new one is taken out of Snowflake where we may.

    Raises Conflict once the new key is in use.
    """
    seen = KeyRotation.objects.select_related("connection").get(pk=rotation_id)
    need_admin_of(by, seen.connection, _WHAT)
    return _undo(seen, by, address)


def pending_statement(rotation: KeyRotation) -> str:
    """What Snowflake has to be told now, by us or by a person."""
    login = rotation.connection.credential.login_name
    if rotation.state == State.MADE and not is_told(rotation):
        return set_key_statement(login, rotation.slot, rotation.public)
    if rotation.state == State.SWITCHED:
        return clear_key_statement(login, 3 - rotation.slot)
    return ""


def is_told(rotation: KeyRotation) -> bool:
    """Whether the new key was set in Snowflake, as far as we know."""
    for step in reversed(rotation.steps):
        if step["step"] == "tell" and step["ok"]:
            return True
        if step["step"] == "test" and not step["ok"]:
            return False
    return False


def needs_person(rotation: KeyRotation) -> bool:
    """Whether it waits for somebody who may run the statement, or for another try."""
    return rotation.is_open and bool(rotation.steps) and not rotation.steps[-1]["ok"]


def _rotatable(connection: Connection) -> Credential:
    credential = Credential.objects.filter(connection=connection).first()
    if credential is None or credential.method != Credential.Method.KEY_PAIR:
        raise InvalidRequest("Only a key pair has two slots. Replace the credential instead.")
    if credential.source != Credential.Source.SEALED:
        raise InvalidRequest(
            "This key lies elsewhere, so it is rotated there. The gateway reads the new one within "
            "a minute, or at the first login that Snowflake refuses."
        )
    return credential


def _tell_or_test(
    seen: KeyRotation, target: Target, by: User | None, address: str | None, *, told: bool
) -> KeyRotation:
    name = slot_name(seen.slot)
    if told and not is_told(seen):
        return _written(seen, _step("tell", f"A person has set {name}."))
    if is_told(seen):
        return _test(seen, target, by, address)
    statement = set_key_statement(target.login_name, seen.slot, seen.public)
    try:
        taken = asyncio.run(
            users.set_key(
                target,
                user=quoted_name(stored_name(target.login_name)),
                slot=name,
                fingerprint=seen.public["fingerprint"],
                statement=statement,
            )
        )
    except UpstreamFailure as error:
        return _written(
            seen,
            _step(
                "tell",
                f"The role may not set {name}: {error}",
                ok=False,
                cure="Run the statement below in Snowflake as the user's owner, then go on.",
            ),
        )
    if taken:
        return _written(
            seen,
            _step(
                "tell",
                f"{name} holds another key already: {taken}",
                ok=False,
                cure=f"Find out whose it is. If nobody needs it, unset {name} and try again; or "
                "run the statement below yourself.",
            ),
        )
    return _written(seen, _step("tell", f"{name} is set in Snowflake.", by_us=True))


def _test(seen: KeyRotation, target: Target, by: User | None, address: str | None) -> KeyRotation:
    fresh = replace(target, secret=seen.secret, renewed=None)
    try:
        asyncio.run(users.try_login(fresh, tries=_TRIES))
    except UpstreamFailure as error:
        failed = _step(
            "test",
            f"Snowflake does not take the new key: {error}",
            ok=False,
            cure="Run the statement below in Snowflake, then go on; or undo.",
        )
        written = _written(seen, failed)
        # What we set ourselves and does not work is taken back; a person's doing is theirs.
        return _undo(written, by, address) if _told_by_us(seen) else written
    return _written(seen, _step("test", "A login with the new key works."), state=State.TESTED)


def _switch(seen: KeyRotation, by: User | None, address: str | None) -> KeyRotation:
    """From here on every new login uses the new key; what runs keeps its session."""
    with transaction.atomic():
        row = _locked(seen)
        if row is None:
            return KeyRotation.objects.select_related("connection").get(pk=seen.pk)
        credential = Credential.objects.select_for_update().get(connection=row.connection)
        if credential.public.get("fingerprint") == row.old_public.get("fingerprint"):
            credential.secret, credential.public = row.secret, row.public
            credential.slot, credential.changed_at = row.slot, timezone.now()
            credential.save()
            row.secret, row.state = "", State.SWITCHED
            _note(row, "switch", "New logins use the new key. What runs keeps its session.")
            row.save()
            _audit(row, "key-rotation-switched", by, address)
            return row
    return _undo(
        _written(seen, _step("switch", "The credential was replaced meanwhile.", ok=False)),
        by,
        address,
    )


def _clear(
    seen: KeyRotation, target: Target, by: User | None, address: str | None, *, told: bool
) -> KeyRotation:
    name = slot_name(3 - seen.slot)
    if not told:
        statement = clear_key_statement(target.login_name, 3 - seen.slot)
        try:
            asyncio.run(users.run(target, statement))
        except UpstreamFailure as error:
            return _written(
                seen,
                _step(
                    "clear",
                    f"The role may not clear {name}: {error}",
                    ok=False,
                    cure="The new key is in use. Run the statement below in Snowflake, then say "
                    "so: until then the old key still opens the account.",
                ),
            )
    said = f"A person has cleared {name}." if told else f"{name} is cleared in Snowflake."
    with transaction.atomic():
        row = _written(seen, _step("clear", said), state=State.DONE)
        if row.state == State.DONE:
            _audit(row, "key-rotation-done", by, address)
    return row


def _undo(seen: KeyRotation, by: User | None, address: str | None) -> KeyRotation:
    if not seen.is_open:
        return seen
    if seen.state == State.SWITCHED:
        raise Conflict("The new key is in use already. Clear the old one, or rotate once more.")
    said = "The old key stays in use."
    if _told_by_us(seen):
        said = _take_back(seen)
    with transaction.atomic():
        row = _written(seen, _step("undo", said), state=State.UNDONE)
        if row.state == State.UNDONE:
            _audit(row, "key-rotation-undone", by, address)
    return row


def _take_back(seen: KeyRotation) -> str:
    name = slot_name(seen.slot)
    try:
        target = target_for(seen.connection)
        asyncio.run(users.run(target, clear_key_statement(target.login_name, seen.slot)))
    except (UpstreamFailure, HoopwebError) as error:
        return f"The old key stays in use. {name} could not be cleared again: {error}"
    return f"The old key stays in use, and {name} is cleared again."


def _told_by_us(rotation: KeyRotation) -> bool:
    return any(step.get("by_us") for step in rotation.steps)


def _step(
    step: str, detail: str, *, ok: bool = True, cure: str = "", **more: Any
) -> dict[str, Any]:
    at = timezone.now().isoformat()
    return {"at": at, "step": step, "ok": ok, "detail": detail[:600], "cure": cure, **more}


def _note(rotation: KeyRotation, step: str, detail: str) -> None:
    rotation.steps = [*rotation.steps, _step(step, detail)]


def _written(seen: KeyRotation, step: Mapping[str, Any], state: str | None = None) -> KeyRotation:
    """Write a step down, unless somebody else has gone on since ``seen`` was read."""
    with transaction.atomic():
        row = _locked(seen)
        if row is None:
            return KeyRotation.objects.select_related("connection").get(pk=seen.pk)
        row.steps = [*row.steps, dict(step)]
        if state is not None:
            row.state = state
        if not row.is_open:
            row.secret, row.finished_at = "", timezone.now()
        row.save()
    return row


def _locked(seen: KeyRotation) -> KeyRotation | None:
    row = (
        KeyRotation.objects.select_for_update(of=("self",))
        .select_related("connection")
        .get(pk=seen.pk)
    )
    same = row.state == seen.state and len(row.steps) == len(seen.steps)
    return row if same else None


def _audit(rotation: KeyRotation, action: str, by: User | None, address: str | None) -> None:
    audit(
        actor=actor_of(by),
        action=action,
        kind="connection",
        object_id=str(rotation.connection_id),
        object_name=rotation.connection.name,
        before={"fingerprint": rotation.old_public.get("fingerprint"), "slot": 3 - rotation.slot},
        after={"fingerprint": rotation.public.get("fingerprint"), "slot": rotation.slot},
        address=address,
    )

"""A Snowflake key pair changes by way of the second slot; nothing breaks, and each step is seen."""

import asyncio
import json
from dataclasses import replace

import pytest
from django.db import connection as database

from accounts.principal import Role
from connections import services
from connections.models import Credential, KeyRotation
from connections.services import key_rotation
from connections.services.credentials import new_key_pair
from connections.upstream.client import connect
from connections.upstream.errors import LoginRefused
from connections.upstream.login import log_in
from hoopweb.lib.errors import Conflict, InvalidRequest, NotAllowed
from recordings.models import AuditEntry
from tests import factories
from tests.connections.upstream.emulators import running

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def _first_key():
    return new_key_pair()


@pytest.fixture(scope="module")
def _snowflake():
    """The role GATEWAY may set keys, ANALYST not."""
    with running("--key-admin", "GATEWAY") as found:
        yield found


@pytest.fixture
def snowflake(_snowflake, _first_key):
    """A Snowflake whose user has our first key, and a free second slot."""
    _as_owner(
        _snowflake,
        f"ALTER USER HOOPWEB SET RSA_PUBLIC_KEY = '{_first_key.public}'",
        "ALTER USER HOOPWEB UNSET RSA_PUBLIC_KEY_2",
    )
    return _snowflake


@pytest.fixture
def row(snowflake, _first_key):
    row = factories.connection("prod")
    row.host, row.port, row.role = "127.0.0.1", snowflake.port, "GATEWAY"
    row.database = row.schema = ""
    row.save()
    services.set_credential(
        connection=row,
        by=None,
        method="key_pair",
        login_name="HOOPWEB",
        secret=_first_key.private,
    )
    return row


def _on(rotation, **more):
    return services.advance_key_rotation(rotation_id=rotation.pk, by=None, **more)


def _through(rotation):
    states = [rotation.state]
    while rotation.is_open and not key_rotation.needs_person(rotation):
        rotation = _on(rotation)
        states.append(rotation.state)
    return rotation, states


def _fetch(target):
    async def one():
        async with connect(target) as session:
            return (await session.fetch("SELECT 1 AS ONE")).num_rows

    return asyncio.run(one())


def test_one_click_goes_through_and_the_old_key_is_worth_nothing(row, snowflake, _first_key):
    before = services.target_for(row)
    rotation, states = _through(services.start_key_rotation(connection=row, by=None))
    assert states == ["made", "made", "tested", "switched", "done"]
    assert [s["step"] for s in rotation.steps] == ["make", "tell", "test", "switch", "clear"]
    assert all(s["ok"] for s in rotation.steps)
    credential = Credential.objects.get(connection=row)
    assert credential.slot == 2
    assert credential.public["fingerprint"] != _first_key.fingerprint
    assert rotation.secret == ""
    assert _fetch(services.target_for(row)) == 1
    with pytest.raises(LoginRefused):
        asyncio.run(log_in(replace(before, renewed=None)))
    # And back into the first slot.
    rotation, _ = _through(services.start_key_rotation(connection=row, by=None))
    assert rotation.state == "done"
    assert Credential.objects.get(connection=row).slot == 1
    assert AuditEntry.objects.filter(action="key-rotation-switched").count() == 2
    assert AuditEntry.objects.filter(action="key-rotation-done").count() == 2


def test_what_runs_and_what_was_about_to_log_in_goes_on(row):
    late = services.target_for(row)

    assert asyncio.run(_keeps(row)) == [{"N": 7}]
    # This one read the old key before the switch, and comes after it was cleared.
    assert _fetch(late) == 1


async def _keeps(row):
    async with connect(await asyncio.to_thread(_target, row)) as session:
        await asyncio.to_thread(_rotate, row)
        return (await session.fetch("SELECT 7 AS N")).to_pylist()


def _in_thread(work):
    try:
        return work()
    finally:
        database.close()


def _target(row):
    return _in_thread(lambda: services.target_for(row))


def _rotate(row):
    def work():
        rotation, _ = _through(services.start_key_rotation(connection=row, by=None))
        assert rotation.state == "done"

    _in_thread(work)


def test_where_the_role_may_not_a_person_runs_the_statements(row, snowflake):
    row.role = "ANALYST"
    row.save()
    rotation, _ = _through(services.start_key_rotation(connection=row, by=None))
    assert rotation.state == "made"
    assert key_rotation.needs_person(rotation)
    statement = key_rotation.pending_statement(rotation)
    assert statement == (
        f"ALTER USER HOOPWEB SET RSA_PUBLIC_KEY_2 = '{rotation.public['public_key']}';"
    )
    # Said too early: the test finds out, and the statement is shown again.
    rotation = _on(_on(rotation, told=True))
    assert (rotation.state, rotation.steps[-1]["step"]) == ("made", "test")
    assert key_rotation.pending_statement(rotation) == statement
    _as_owner(snowflake, statement)
    rotation, _ = _through(_on(rotation, told=True))
    assert rotation.state == "switched"
    assert key_rotation.pending_statement(rotation) == "ALTER USER HOOPWEB UNSET RSA_PUBLIC_KEY;"
    assert _fetch(services.target_for(row)) == 1
    rotation = _on(rotation, told=True)
    assert rotation.state == "done"


def _as_owner(snowflake, *statements):
    async def work():
        async with connect(snowflake.target(database="", schema="")) as session:
            for statement in statements:
                handle = await session.submit(statement, asynchronous=False)
                await session.result(handle)

    asyncio.run(work())


def test_a_slot_that_somebody_else_uses_is_left_alone(row, snowflake):
    theirs = new_key_pair()
    _as_owner(snowflake, f"ALTER USER HOOPWEB SET RSA_PUBLIC_KEY_2 = '{theirs.public}'")
    rotation, _ = _through(services.start_key_rotation(connection=row, by=None))
    assert theirs.fingerprint in rotation.steps[-1]["detail"]
    undone = services.undo_key_rotation(rotation_id=rotation.pk, by=None)
    assert (undone.state, undone.secret) == ("undone", "")
    assert _fetch(services.target_for(row)) == 1


def test_a_key_that_does_not_work_is_taken_back(row, snowflake, monkeypatch):
    rotation = _on(services.start_key_rotation(connection=row, by=None))
    # Somebody overwrites the slot between the telling and the test.
    other = new_key_pair().public
    _as_owner(snowflake, f"ALTER USER HOOPWEB SET RSA_PUBLIC_KEY_2 = '{other}'")
    monkeypatch.setattr(key_rotation, "_TRIES", 1)
    rotation = _on(rotation)
    assert rotation.state == "undone"
    assert "cleared again" in rotation.steps[-1]["detail"]
    assert Credential.objects.get(connection=row).slot == 1
    assert _fetch(services.target_for(row)) == 1


def test_once_switched_there_is_no_undoing(row):
    rotation = services.start_key_rotation(connection=row, by=None)
    for _ in range(3):
        rotation = _on(rotation)
    assert rotation.state == "switched"
    with pytest.raises(Conflict, match="in use already"):
        services.undo_key_rotation(rotation_id=rotation.pk, by=None)


def test_one_at_a_time_and_a_second_click_changes_nothing(row):
    rotation = services.start_key_rotation(connection=row, by=None)
    with pytest.raises(Conflict, match="already"):
        services.start_key_rotation(connection=row, by=None)
    stale = KeyRotation.objects.get(pk=rotation.pk)
    _on(rotation)
    # The other window read the row before this step.
    assert len(key_rotation._written(stale, {"step": "x", "ok": True}).steps) == 2


def test_a_new_credential_ends_a_rotation(row):
    rotation = services.start_key_rotation(connection=row, by=None)
    services.set_credential(connection=row, by=None, method="key_pair", login_name="HOOPWEB")
    rotation.refresh_from_db()
    assert (rotation.state, rotation.secret) == ("undone", "")


def test_who_may_and_what_may(row):
    for person in (factories.person("sam"), factories.person("aud", Role.AUDITOR)):
        with pytest.raises(NotAllowed):
            services.start_key_rotation(connection=row, by=person)
    rotation = services.start_key_rotation(connection=row, by=None)
    with pytest.raises(NotAllowed):
        services.advance_key_rotation(rotation_id=rotation.pk, by=factories.person())
    with pytest.raises(NotAllowed):
        services.undo_key_rotation(rotation_id=rotation.pk, by=factories.person())
    other = factories.connection()
    with pytest.raises(InvalidRequest, match="Only a key pair"):
        services.start_key_rotation(connection=other, by=None)


def test_no_private_key_in_steps_or_trail(row):
    rotation, _ = _through(services.start_key_rotation(connection=row, by=None))
    secret = Credential.objects.get(connection=row).secret
    told = json.dumps(rotation.steps) + json.dumps(
        [[e.before, e.after] for e in AuditEntry.objects.all()]
    )
    for line in secret.splitlines()[1:-1]:
        assert line not in told

"""The database itself refuses to change what was recorded."""

import pytest
from django.db import IntegrityError, connection, transaction

from recordings import checkpoints, services
from recordings.models import AuditEntry, Checkpoint, Event, Payload, Session
from tests.recordings.conftest import ACTOR, stretch

pytestmark = pytest.mark.django_db


def refused(sql: str, match: str) -> None:
    with (
        pytest.raises(IntegrityError, match=match),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(sql)


@pytest.fixture(autouse=True)
def _something_of_each():
    stretch()
    services.audit(actor=ACTOR, action="x")
    checkpoints.write_checkpoint()
    for model in (Event, Payload, Checkpoint, AuditEntry):
        assert model.objects.exists()


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("recordings_event", "data = '{}'"),
        ("recordings_event", "hash = hash"),
        ("recordings_payload", "digest = ''"),
        ("recordings_checkpoint", "root = ''"),
        ("recordings_auditentry", "action = ''"),
    ],
)
def test_rows_are_neither_changed_nor_deleted(table, column):
    refused(f"UPDATE {table} SET {column}", "append-only")
    refused(f"DELETE FROM {table}", "append-only")


@pytest.mark.parametrize(
    "change",
    [
        "title = 'x'",
        "seal = ''",
        "ended_at = NULL, seal = ''",
        "event_count = 1",
        "leaf = NULL",
        "leaf = 5",
        "principal_name = 'x'",
    ],
)
def test_a_sealed_session_never_changes(change):
    refused(f"UPDATE recordings_session SET {change}", "sealed")


def test_no_session_is_deleted():
    refused("DELETE FROM recordings_session", "never deleted")


@pytest.mark.parametrize(
    "change",
    [
        "principal_name = 'x'",
        "connection_id = gen_random_uuid()",
        "started_at = now()",
        "owner_id = NULL",
        "event_count = 0",
        "leaf = 1",
        "ended_at = now()",
        "seal = 'x'",
    ],
)
def test_an_open_session_only_moves_forward(change):
    session = stretch(close=False)
    refused(f"UPDATE recordings_session SET {change} WHERE id = '{session.pk}'", "moves forward")


def test_a_sealed_session_receives_its_place_in_the_tree_once():
    session = stretch()
    checkpoints.write_checkpoint()
    assert Session.objects.get(pk=session.pk).leaf == 1

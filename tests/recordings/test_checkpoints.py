"""Signed tree heads, in the database and outside it."""

import base64
import json
from itertools import pairwise

import pytest
from django.db import transaction

from hoopweb.lib.crypto import new_key
from hoopweb.lib.errors import Conflict
from recordings import chain, checkpoints, merkle, services, signing
from recordings import outside as files
from recordings.models import Checkpoint, Session
from recordings.tasks import write_checkpoint
from tests.recordings.conftest import ACTOR, stretch

pytestmark = pytest.mark.django_db


def test_a_checkpoint_covers_sealed_open_and_audit_and_is_signed(outside):
    sealed, still_open = stretch(), stretch(close=False)
    entry = services.audit(actor=ACTOR, action="x")
    row = checkpoints.write_checkpoint()
    assert row is not None
    sealed.refresh_from_db()
    assert (row.number, row.session_count, sealed.leaf) == (1, 1, 0)
    assert row.root == merkle.leaf_hash(sealed.pk, sealed.seal).hex()
    assert row.body["open"] == [
        {
            "session": str(still_open.pk),
            "events": still_open.event_count,
            "head": still_open.head,
        }
    ]
    assert row.body["audit"] == {"number": entry.number, "hash": entry.hash}
    assert signing.is_signed(chain.canonical(row.body), signature=row.signature, key=row.key_id)
    stored = json.loads((outside / "checkpoint-0000000001.json").read_text())
    assert stored == {"body": row.body, "signature": row.signature}


def test_checkpoints_follow_one_another_and_the_tree_only_grows():
    roots = []
    for _ in range(5):
        stretch()
        row = checkpoints.write_checkpoint()
        assert row is not None
        roots.append(row.root)
    leaves = [
        merkle.leaf_hash(session.pk, session.seal) for session in Session.objects.order_by("leaf")
    ]
    for size, root in enumerate(roots, 1):
        assert merkle.root_of(merkle.grow([], 0, leaves[:size])[0]).hex() == root
    rows = list(Checkpoint.objects.order_by("number"))
    for before, after in pairwise(rows):
        assert after.previous == chain.digest(before.body)


def test_nothing_new_makes_no_checkpoint():
    stretch()
    assert write_checkpoint() == 1
    assert write_checkpoint() is None
    services.audit(actor=ACTOR, action="x")
    assert write_checkpoint() == 2


def test_a_file_that_a_crash_left_unwritten_is_made_up_for(outside):
    stretch()
    checkpoints.write_checkpoint()
    with transaction.atomic():
        stretch()
        checkpoints._next()
    assert files.numbers() == [1]
    stretch()
    checkpoints.write_checkpoint()
    assert files.numbers() == [1, 2, 3]
    assert all(files.read(number).is_genuine() for number in (1, 2, 3))


def test_a_gap_among_older_files_is_not_mended_quietly(outside):
    for _ in range(3):
        stretch()
        checkpoints.write_checkpoint()
    (outside / files.name_of(2)).unlink()
    stretch()
    checkpoints.write_checkpoint()
    assert files.numbers() == [1, 3, 4]


def test_a_file_is_never_written_over(outside):
    stretch()
    row = checkpoints.write_checkpoint()
    assert row is not None
    path = outside / files.name_of(1)
    before = path.read_bytes()
    files.write(files.Signed({**row.body, "at": "later"}, "other"))
    assert path.read_bytes() == before
    assert [p.name for p in outside.iterdir()] == [path.name]


def test_a_database_that_lost_checkpoints_signs_no_shorter_history(owning):
    for _ in range(2):
        stretch()
        checkpoints.write_checkpoint()
    with owning() as cursor:
        cursor.execute("DELETE FROM recordings_checkpoint WHERE number = 2")
    stretch()
    with pytest.raises(Conflict, match="lost it"):
        checkpoints.write_checkpoint()


def test_a_forged_checkpoint_is_not_built_upon(owning):
    stretch()
    checkpoints.write_checkpoint()
    with owning() as cursor:
        cursor.execute('UPDATE recordings_checkpoint SET body = body || \'{"at": "x"}\'')
    stretch()
    with pytest.raises(Conflict, match="not signed"):
        checkpoints.write_checkpoint()


def test_a_retired_key_is_trusted_when_it_is_named_and_only_then(settings):
    stretch()
    row = checkpoints.write_checkpoint()
    assert row is not None
    old = signing.public_key()
    settings.CHECKPOINT_KEY = new_key()
    assert not checkpoints.signed(row).is_genuine()
    settings.CHECKPOINT_RETIRED_KEYS = base64.b64encode(old).decode()
    assert checkpoints.signed(row).is_genuine()
    stretch()
    assert checkpoints.write_checkpoint().number == 2

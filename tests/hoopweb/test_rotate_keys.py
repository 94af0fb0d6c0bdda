"""A new key takes over while everything stays readable, and the old one can be thrown away."""

import io
import os
import uuid

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from connections.models import Connection, Credential
from hoopweb.lib import crypto, resealing
from recordings import payloads, services
from recordings.models import Payload
from recordings.verify import verify_all
from tests import factories
from tests.recordings.conftest import opened

pytestmark = pytest.mark.django_db(transaction=True)

LARGE = os.urandom(20_000)  # which compression leaves large


@pytest.fixture
def ring(settings):
    """``ring("new", "old")`` is the ring from then on."""
    keys = {name: crypto.new_key() for name in ("old", "new")}

    def given(*names):
        settings.HOOPWEB_KEYS = ",".join(f"{name}:{keys[name]}" for name in names)

    given("old")
    return given


@pytest.fixture
def sealed(ring, settings, tmp_path, monkeypatch):
    """A credential, and a small and a large body, under the old key."""
    monkeypatch.setattr(payloads, "IN_ROW", 1024)
    row = factories.connection()
    session = opened()
    stored = [
        services.store_payload(session_id=session.pk, content=content, media_type=payloads.TEXT)
        for content in (b"a small body", LARGE)
    ]
    return row, stored


def _rotate(*arguments):
    out = io.StringIO()
    call_command("rotate_keys", *arguments, stdout=out, stderr=out)
    return out.getvalue()


def _bodies(stored):
    rows = Payload.objects.filter(pk__in=[s.pk for s in stored]).order_by("size")
    return [services.read_payload(row) for row in rows]


def test_everything_moves_and_the_old_key_is_not_needed_any_more(sealed, ring):
    row, stored = sealed
    old_names = set(Payload.objects.exclude(stored="").values_list("stored", flat=True))
    ring("new", "old")
    with pytest.raises(CommandError, match="not under new"):
        _rotate("--report")
    said = _rotate()
    assert "connections.credential.secret: 1 sealed again" in said
    assert "recorded bodies: 2 sealed again" in said
    assert "These seal nothing here any more: old" in said
    ring("new")
    assert Credential.objects.get(connection=row).secret == "upstream-secret"
    assert Connection.objects.get(pk=row.pk).mask_salt == "salt"
    assert _bodies(stored) == [b"a small body", LARGE]
    assert verify_all().findings == []
    # Who had read the row before the body moved finds it all the same.
    assert services.read_payload(stored[1]) == LARGE
    # Nothing of the old one is left.
    assert old_names
    for name in old_names:
        with pytest.raises(payloads.PayloadDamagedError):
            payloads.read_outside(name)
    assert "sealed again" not in _rotate()


def test_it_goes_on_where_it_stopped(sealed, ring, monkeypatch):
    ring("new", "old")
    real, done = crypto.seal, []

    def stops(content, *, context):
        if len(done) == 1:
            raise KeyboardInterrupt
        done.append(context)
        return real(content, context=context)

    monkeypatch.setattr(resealing.crypto, "seal", stops)
    with pytest.raises(KeyboardInterrupt):
        _rotate()
    monkeypatch.setattr(resealing.crypto, "seal", real)
    assert "Everything is under new" in _rotate()


def test_a_value_that_was_saved_meanwhile_is_kept(sealed, ring, monkeypatch):
    row, _ = sealed
    ring("new", "old")
    real = crypto.unseal

    def somebody_saves(given, *, context):
        if context.startswith("connections.credential.secret"):
            monkeypatch.setattr(resealing.crypto, "unseal", real)
            credential = Credential.objects.get(connection=row)
            credential.secret = "newer"
            credential.save()
        return real(given, context=context)

    monkeypatch.setattr(resealing.crypto, "unseal", somebody_saves)
    _rotate()
    assert Credential.objects.get(connection=row).secret == "newer"


def test_what_no_key_opens_is_named_and_left_as_it_is(sealed, ring):
    row, _ = sealed
    credential = Credential.objects.get(connection=row)
    ring("new")
    with pytest.raises(CommandError, match="not under new") as caught:
        _rotate()
    assert "upstream-secret" not in str(caught.value)
    out = io.StringIO()
    with pytest.raises(CommandError):
        call_command("rotate_keys", stdout=out, stderr=out)
    assert f"connections.credential.secret {credential.pk}" in out.getvalue()
    assert "under old, which this ring does not have" in out.getvalue()
    ring("old")
    assert Credential.objects.get(connection=row).secret == "upstream-secret"


def test_the_database_lets_a_body_be_sealed_again_and_nothing_else(sealed, ring):
    _, stored = sealed
    small = Payload.objects.get(pk=stored[0].pk)
    ring("new", "old")
    again = crypto.seal(b"x", context=payloads.context_of(small.pk))
    for change in (
        {"digest": "0" * 64},
        {"size": 1},
        {"body": None},
        {"body": b"in clear"},
        {"body": bytes(small.body)[:-4] + b"AAAA"},
        {"body": again, "media_type": "text/html"},
        {"stored": "elsewhere"},
    ):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            Payload.objects.filter(pk=small.pk).update(**change)
    with pytest.raises(DatabaseError, match="append-only"), connection.cursor() as cursor:
        cursor.execute("DELETE FROM recordings_payload WHERE id = %s", [small.pk])


def test_the_key_and_the_place_are_bound():
    sealed = crypto.seal(b"secret", context="connections.credential.secret:1")
    assert sealed.startswith(f"hw1.{crypto.ring().primary}.".encode())
    for context in ("connections.credential.secret:2", "connections.connection.mask_salt:1", ""):
        with pytest.raises(crypto.CryptoError):
            crypto.unseal(sealed, context=context)
    for broken in (sealed[:-4] + b"AAA=", b"secret", b"", b"hw0" + sealed[3:], uuid.uuid4().bytes):
        with pytest.raises(crypto.CryptoError):
            crypto.unseal(broken, context="connections.credential.secret:1")

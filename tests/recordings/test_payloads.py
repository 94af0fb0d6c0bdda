"""Bodies at rest: sealed, named by a digest that tells nothing, refused once changed."""

import hashlib
import os
import uuid
from pathlib import Path

import pytest
from django.core.files.storage import default_storage

from hoopweb.lib import crypto
from recordings import payloads, services
from recordings.models import Payload
from tests.recordings.conftest import opened

pytestmark = pytest.mark.django_db
SECRET = b"maria@hoopweb.example" * 20


def store(content=SECRET, session=None):
    session = session or opened()
    return services.store_payload(session_id=session.pk, content=content, media_type="text/plain")


def test_what_is_stored_comes_back():
    assert services.read_payload(Payload.objects.get(pk=store().pk)) == SECRET
    assert services.read_payload(store(b"")) == b""


def test_the_database_never_sees_the_content():
    payload = Payload.objects.get(pk=store().pk)
    body = bytes(payload.body)
    assert b"maria" not in body
    assert crypto.key_of(body) == crypto.ring().primary


def test_a_digest_cannot_be_tried_against_guesses():
    first, second = store(b"F"), store(b"F")
    assert first.digest != second.digest
    assert first.digest != hashlib.sha256(b"F").hexdigest()


def test_a_large_body_goes_to_the_payload_storage_sealed():
    content = SECRET + os.urandom(payloads.IN_ROW)
    payload = Payload.objects.get(pk=store(content).pk)
    assert payload.body is None
    with default_storage.open(payload.stored) as handle:
        assert b"maria" not in handle.read()
    assert services.read_payload(payload) == content


def changed(body: bytes) -> bytes:
    at = len(body) - 20
    return body[:at] + (b"A" if body[at : at + 1] != b"A" else b"B") + body[at + 1 :]


def test_a_changed_body_is_refused():
    payload = store()
    payload.body = changed(bytes(payload.body))
    with pytest.raises(payloads.PayloadDamagedError):
        services.read_payload(payload)


def test_a_body_of_another_payload_is_refused():
    session = opened()
    first, second = store(b"one", session), store(b"two", session)
    first.body = second.body
    with pytest.raises(payloads.PayloadDamagedError):
        services.read_payload(first)


def test_another_content_under_the_same_key_is_refused():
    payload = store(b"one")
    _, payload.body = payloads.pack(payload.pk, b"two")
    with pytest.raises(payloads.PayloadDamagedError, match="not what was recorded"):
        services.read_payload(payload)


def test_a_lost_or_changed_file_is_refused():
    payload = store(os.urandom(payloads.IN_ROW * 2))
    path = Path(default_storage.path(payload.stored))
    path.write_bytes(changed(path.read_bytes()))
    with pytest.raises(payloads.PayloadDamagedError):
        services.read_payload(payload)
    path.unlink()
    with pytest.raises(payloads.PayloadDamagedError, match="missing"):
        services.read_payload(payload)


def test_a_body_that_unpacks_to_more_than_was_said_is_cut_short():
    payload = store(b"0" * 10_000_000)
    payload.size = 10
    with pytest.raises(payloads.PayloadDamagedError):
        services.read_payload(payload)


def test_bodies_open_after_the_keys_were_turned_over(settings):
    payload = store()
    settings.HOOPWEB_KEYS = f"new:{crypto.new_key()},{settings.HOOPWEB_KEYS}"
    assert services.read_payload(payload) == SECRET
    settings.HOOPWEB_KEYS = f"new:{crypto.new_key()}"
    with pytest.raises(payloads.PayloadDamagedError, match="cannot be opened"):
        services.read_payload(payload)


@pytest.mark.parametrize("size", [10, payloads.IN_ROW + 1])
def test_a_body_opens_under_its_key_and_place_alone(size):
    clear = os.urandom(size)
    place = uuid.uuid4()
    sealed = payloads.seal(place, clear)
    assert crypto.key_of(sealed) == crypto.ring().primary
    assert crypto.unseal(sealed, context=payloads.context_of(place)) == clear
    assert clear not in sealed
    for other in (
        lambda: crypto.unseal(sealed, context=payloads.context_of(uuid.uuid4())),
        lambda: crypto.unseal(
            sealed[:-1] + bytes([sealed[-1] ^ 1]), context=payloads.context_of(place)
        ),
        lambda: crypto.unseal(sealed.replace(b"hw", b"hx", 1), context=payloads.context_of(place)),
    ):
        with pytest.raises(crypto.CryptoError):
            other()


def test_large_bodies_are_kept_as_bytes():
    large = payloads.seal(uuid.uuid4(), bytes(payloads.IN_ROW + 1))
    assert len(large) < payloads.IN_ROW + 100

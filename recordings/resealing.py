"""Recorded bodies brought under the ring's first key. What they say, and its digest, stay."""

from collections import Counter
from collections.abc import Iterator

from django.core.files.storage import default_storage
from django.db import transaction

from hoopweb.lib import crypto
from hoopweb.lib.resealing import BATCH, Result
from recordings.models import Payload
from recordings.payloads import (
    PayloadDamagedError,
    context_of,
    read_outside,
    seal,
    write_outside,
)


def count_bodies_by_key() -> Counter[str]:
    """How many bodies each key has sealed. Bodies outside the database are looked into."""
    found: Counter[str] = Counter()
    for payload in Payload.objects.only("id", "body", "stored").iterator(chunk_size=BATCH):
        try:
            found[crypto.key_of(_sealed(payload))] += 1
        except (PayloadDamagedError, IndexError, ValueError):
            found["(unreadable)"] += 1
    return found


def reseal_bodies() -> Result:
    """Seal again what another key has sealed."""
    result = Result()
    primary = crypto.ring().primary
    for payload in _all():
        try:
            sealed = _sealed(payload)
            if crypto.key_of(sealed) == primary:
                continue
            clear = crypto.unseal(sealed, context=context_of(payload.pk))
        except (PayloadDamagedError, crypto.CryptoError, IndexError, ValueError) as error:
            result.closed.append(f"recordings.payload {payload.pk}: {error}")
            continue
        _replace(payload, seal(payload.pk, clear))
        result.resealed += 1
    return result


def _all() -> Iterator[Payload]:
    after = None
    while True:
        rows = Payload.objects.order_by("pk").only("id", "session_id", "body", "stored")
        batch = list((rows.filter(pk__gt=after) if after else rows)[:BATCH])
        if not batch:
            return
        yield from batch
        after = batch[-1].pk


def _sealed(payload: Payload) -> bytes:
    return bytes(payload.body) if payload.body is not None else read_outside(payload.stored)


def _replace(payload: Payload, sealed: bytes) -> None:
    rows = Payload.objects.filter(pk=payload.pk, stored=payload.stored)
    if payload.body is not None:
        rows.update(body=sealed)
        return
    # The new body is on the disk before the row names it, and the old one goes once it does.
    name = write_outside(payload.session_id, payload.pk, sealed)
    with transaction.atomic():
        moved = rows.update(stored=name)
        # Somebody else was quicker: theirs is named, ours is not needed.
        gone = payload.stored if moved else name
        transaction.on_commit(lambda: default_storage.delete(gone))

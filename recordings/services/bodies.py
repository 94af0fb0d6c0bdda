"""Large bodies, sealed."""

import uuid
from collections.abc import Iterable

from django.core.files.storage import default_storage
from django.db import transaction

from recordings import payloads
from recordings.models import Payload


@transaction.atomic
def store_payload(
    *, session_id: uuid.UUID, content: bytes, media_type: str, zipped: bytes | None = None
) -> Payload:
    """Seal a large body, whose zipped form may be at hand. An event names it by passing it to
    ``append``.
    """
    payload = sealed_payload(
        session_id=session_id, content=content, media_type=media_type, zipped=zipped
    )
    payload.save(force_insert=True)
    return payload


def sealed_payload(
    *, session_id: uuid.UUID, content: bytes, media_type: str, zipped: bytes | None = None
) -> Payload:
    """The same, not saved yet: to be made before a transaction begins."""
    payload = Payload(session_id=session_id, media_type=media_type, size=len(content))
    payload.digest, sealed = payloads.pack(payload.pk, content, zipped)
    if len(sealed) <= payloads.IN_ROW:
        payload.body = sealed
    else:
        payload.stored = payloads.write_outside(session_id, payload.pk, sealed)
    return payload


def save_payloads(made: Iterable[Payload | None]) -> None:
    """Save what ``sealed_payload`` made, in the transaction of the events that name it."""
    Payload.objects.bulk_create([payload for payload in made if payload is not None])


def discard_payload(payload: Payload) -> None:
    """Remove the outside body of what ``sealed_payload`` made and nobody saves."""
    if payload.stored:
        default_storage.delete(payload.stored)


def read_payload(payload: Payload) -> bytes:
    """The clear content. Raises PayloadDamagedError on any change of it."""
    return open_payload(payload)[0]


def open_payload(payload: Payload) -> tuple[bytes, bytes]:
    """The clear content, and the key under which its digest can be checked by anyone."""
    if payload.stored:
        sealed = _outside(payload)
    elif payload.body is not None:
        sealed = bytes(payload.body)
    else:
        raise payloads.PayloadDamagedError(f"payload {payload.pk} has no body")
    return payloads.unpack(payload.pk, sealed, digest=payload.digest, size=payload.size)


def _outside(payload: Payload) -> bytes:
    name = payload.stored
    try:
        return payloads.read_outside(name)
    except payloads.PayloadDamagedError:
        # It may have been sealed again, and moved, since the row was read.
        payload.refresh_from_db(fields=["stored"])
        if payload.stored == name:
            raise
        return payloads.read_outside(payload.stored)

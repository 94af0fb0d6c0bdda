"""How a large body is kept: compressed, sealed, and named by a digest that tells nothing.

The digest is an HMAC under a random key of the payload's own, which is sealed together with the
content. So a digest in an event cannot be tried against guesses ("one row, F or M?"), it survives
the rotation of the key ring, and an export can give the key away with the content it proves.
"""

import hmac
import os
import secrets
import zlib
from hashlib import sha256
from uuid import UUID

from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from hoopweb.lib import crypto

ARROW = "application/vnd.apache.arrow.stream"
TEXT = "text/plain; charset=utf-8"
# Larger bodies go to the payload storage: rows of megabytes make every backup slow.
IN_ROW = 256 * 1024
_KEY = 32
# Window bits that read what zlib wrote, and gzip as well.
_ANY_FORM = 47


class PayloadDamagedError(Exception):
    """A payload is gone, or is not what was recorded."""


def digest_of(content: bytes, key: bytes) -> str:
    """Hex HMAC-SHA-256 of the clear content under the payload's own key."""
    return hmac.new(key, content, sha256).hexdigest()


def context_of(payload_id: UUID) -> str:
    return f"recordings.payload:{payload_id}"


def pack(payload_id: UUID, content: bytes, zipped: bytes | None = None) -> tuple[str, bytes]:
    """The digest of ``content``, and its sealed form, bound to this payload.

    ``zipped`` is the same content as gzip or zlib has it, where that is at hand already.
    """
    key = secrets.token_bytes(_KEY)
    packed = zlib.compress(content, 6) if zipped is None else zipped
    return digest_of(content, key), seal(payload_id, key + packed)


def seal(payload_id: UUID, clear: bytes) -> bytes:
    """The sealed form of a body; a large one, for which a file is kept, as it is."""
    return crypto.seal(clear, context=context_of(payload_id), binary=len(clear) > IN_ROW)


def unpack(payload_id: UUID, sealed: bytes, *, digest: str, size: int) -> tuple[bytes, bytes]:
    """The clear content and the payload's own key.

    Raises PayloadDamagedError when the body was changed, moved from another payload, or does not
    have the digest and size that were recorded.
    """
    try:
        clear = crypto.unseal(sealed, context=context_of(payload_id))
        # One byte more than promised is enough to know, whatever a bomb would unpack to.
        content = zlib.decompressobj(_ANY_FORM).decompress(clear[_KEY:], size + 1)
    except crypto.CryptoError as error:
        raise PayloadDamagedError(f"payload {payload_id} cannot be opened: {error}") from error
    except zlib.error as error:
        raise PayloadDamagedError(f"payload {payload_id} cannot be unpacked") from error
    key = clear[:_KEY]
    if len(content) != size or not hmac.compare_digest(digest_of(content, key), digest):
        raise PayloadDamagedError(f"payload {payload_id} is not what was recorded")
    return content, key


def write_outside(session_id: UUID, payload_id: UUID, sealed: bytes) -> str:
    """Put a sealed body into the payload storage, on the disk for good; returns its name there."""
    name = default_storage.save(f"{session_id}/{payload_id}", ContentFile(sealed))
    try:
        path = default_storage.path(name)
    except NotImplementedError:
        return name  # object storage has acknowledged it
    # The event that names this body is about to be committed: the body must not be the one to
    # get lost when the power fails.
    for place, flags in ((path, os.O_RDONLY), (os.path.dirname(path), os.O_RDONLY)):  # noqa: PTH120
        handle = os.open(place, flags)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    return name


def read_outside(name: str) -> bytes:
    """A sealed body from the payload storage. Raises PayloadDamagedError when it is gone."""
    try:
        with default_storage.open(name) as handle:
            return bytes(handle.read())
    except OSError as error:
        raise PayloadDamagedError(f"the stored body {name} is missing") from error

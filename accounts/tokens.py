"""The form of a token: ``hwa_<key id>_<secret><checksum>``, an agent's; ``hws_…`` a directory's.

The prefix and the checksum let secret scanners find one without asking us; the key id finds the
row; the secret is proved by HMAC under a numbered pepper and stored nowhere.
"""

import hmac
import secrets
import string
import zlib
from dataclasses import dataclass

from django.conf import settings

from hoopweb.lib import crypto

PREFIX = "hwa"
DIRECTORY = "hws"
_ALPHABET = string.ascii_letters + string.digits
KEY_ID = 12
_SECRET = 36
_CHECKSUM = 6


@dataclass(frozen=True, repr=False)
class NewToken:
    """A token at the one moment when it is known in full."""

    text: str
    key_id: str
    digest: str
    pepper: str


def _random(length: int) -> str:
    return "".join(secrets.choice(_ALPHABET) for _ in range(length))


def _checksum(text: str) -> str:
    value = zlib.crc32(text.encode())
    out = ""
    while len(out) < _CHECKSUM:
        value, rest = divmod(value, len(_ALPHABET))
        out = _ALPHABET[rest] + out
    return out


def make(prefix: str = PREFIX) -> NewToken:
    """A fresh token with its digest under the first pepper."""
    key_id, secret = _random(KEY_ID), _random(_SECRET)
    body = f"{prefix}_{key_id}_{secret}"
    text = body + _checksum(body)
    peppers = crypto.KeyRing.parse(settings.TOKEN_PEPPERS)
    return NewToken(
        text,
        key_id,
        crypto.keyed_digest(text.encode(), pepper=peppers.keys[peppers.primary]),
        peppers.primary,
    )


def key_id_of(text: str, prefix: str = PREFIX) -> str | None:
    """The key id of a well-formed token, or None: a mistyped one costs no look-up."""
    parts = text.split("_")
    if len(parts) != 3 or parts[0] != prefix or len(parts[1]) != KEY_ID:  # noqa: PLR2004
        return None
    if len(parts[2]) != _SECRET + _CHECKSUM or _checksum(text[:-_CHECKSUM]) != text[-_CHECKSUM:]:
        return None
    return parts[1]


def proves(text: str, *, digest: str, pepper: str) -> bool:
    """Whether ``text`` is the token behind ``digest``; false when its pepper is gone."""
    key = crypto.KeyRing.parse(settings.TOKEN_PEPPERS).keys.get(pepper)
    if key is None:
        return False
    return hmac.compare_digest(crypto.keyed_digest(text.encode(), pepper=key), digest)

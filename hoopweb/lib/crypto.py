"""Keys and sealed values. Ciphertext names its key, is bound to its place, and never falls back.

Form of a sealed value: ``hw1.<key id>.<base64url(nonce 12 B | AES-256-GCM ciphertext | tag)>``, or
``hw2.<key id>.<the same bytes as they are>`` for large bodies in files.
"""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_TEXT, _BINARY = b"hw1", b"hw2"
_NONCE = 12
_KEY_BYTES = 32


class CryptoError(Exception):
    """A value cannot be opened: unknown key, wrong place, or changed bytes."""


@dataclass(frozen=True)
class KeyRing:
    """Named 256-bit keys; the first one seals, all of them open."""

    keys: Mapping[str, bytes]
    primary: str

    def __repr__(self) -> str:
        return f"KeyRing(primary={self.primary!r}, ids={sorted(self.keys)!r})"

    @classmethod
    def parse(cls, text: str) -> "KeyRing":
        """Read ``id:base64,id:base64``. Raises CryptoError when a key is not 32 bytes."""
        keys: dict[str, bytes] = {}
        for entry in filter(None, (part.strip() for part in text.split(","))):
            name, _, encoded = entry.partition(":")
            try:
                key = base64.urlsafe_b64decode(encoded)
            except (binascii.Error, ValueError) as error:
                raise CryptoError(f"key {name!r} is not base64") from error
            if len(key) != _KEY_BYTES or not name or "." in name:
                raise CryptoError(f"key {name!r} must be named and 32 bytes long")
            keys[name] = key
        if not keys:
            raise CryptoError("the key ring is empty")
        return cls(keys, next(iter(keys)))


def new_key() -> str:
    """A fresh 256-bit key as base64url."""
    return base64.urlsafe_b64encode(os.urandom(_KEY_BYTES)).decode()


@lru_cache(maxsize=4)
def _ring(text: str) -> KeyRing:
    return KeyRing.parse(text)


def ring() -> KeyRing:
    """The key ring of this process."""
    from django.conf import settings

    return _ring(settings.HOOPWEB_KEYS)


def seal(content: bytes, *, context: str, binary: bool = False) -> bytes:
    """Encrypt ``content`` so that it opens only under the same ``context``. ``binary`` is for large
    bodies: a third less to write, and not a text.
    """
    keys = ring()
    nonce = os.urandom(_NONCE)
    body = nonce + AESGCM(keys.keys[keys.primary]).encrypt(nonce, content, context.encode())
    if binary:
        return b".".join((_BINARY, keys.primary.encode(), body))
    return b".".join((_TEXT, keys.primary.encode(), base64.urlsafe_b64encode(body)))


def unseal(sealed: bytes, *, context: str) -> bytes:
    """Decrypt what ``seal`` made. Raises CryptoError rather than return anything doubtful."""
    try:
        version, key_id, encoded = bytes(sealed).split(b".", 2)
        key = ring().keys[key_id.decode()]
        body = encoded if version == _BINARY else base64.urlsafe_b64decode(encoded)
    except (ValueError, KeyError) as error:
        raise CryptoError("the value was not sealed with a key of this ring") from error
    if version not in {_TEXT, _BINARY}:
        raise CryptoError("the value has an unknown form")
    try:
        return AESGCM(key).decrypt(body[:_NONCE], body[_NONCE:], context.encode())
    except InvalidTag as error:
        raise CryptoError("the value was changed, or belongs elsewhere") from error


def key_of(sealed: bytes) -> str:
    """The id of the key that sealed a value."""
    return bytes(sealed).split(b".", 2)[1].decode()


def keyed_digest(content: bytes, *, pepper: bytes) -> str:
    """Hex HMAC-SHA-256: for tokens, which are looked up and never opened."""
    return hmac.new(pepper, content, hashlib.sha256).hexdigest()

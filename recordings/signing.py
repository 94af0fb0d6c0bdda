"""The key that signs checkpoints and exports. It never enters the database."""

import base64
import binascii
import hashlib
from functools import lru_cache

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

from hoopweb.lib.crypto import CryptoError

_BYTES = 32


def _decode(text: str, what: str) -> bytes:
    try:
        raw = base64.b64decode(text.strip().replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise CryptoError(f"{what} is not base64") from error
    if len(raw) != _BYTES:
        raise CryptoError(f"{what} must be {_BYTES} bytes long")
    return raw


@lru_cache(maxsize=4)
def _private(seed: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(_decode(seed, "HOOPWEB_CHECKPOINT_KEY"))


@lru_cache(maxsize=4)
def _trusted(seed: str, retired: str) -> dict[str, bytes]:
    keys = [_private(seed).public_key().public_bytes_raw()]
    keys += [
        _decode(key, "HOOPWEB_CHECKPOINT_RETIRED_KEYS") for key in retired.split(",") if key.strip()
    ]
    return {key_id(key): key for key in keys}


def key_id(public: bytes) -> str:
    """What a signature calls the public key that checks it."""
    return hashlib.sha256(public).hexdigest()[:16]


def public_key() -> bytes:
    """The 32 bytes with which anyone checks what this installation signs."""
    return _private(settings.CHECKPOINT_KEY).public_key().public_bytes_raw()


def public_pem() -> str:
    """The same in the form that OpenSSL reads."""
    # The fixed head of an Ed25519 SubjectPublicKeyInfo (RFC 8410).
    der = bytes.fromhex("302a300506032b6570032100") + public_key()
    return (
        f"-----BEGIN PUBLIC KEY-----\n{base64.b64encode(der).decode()}\n-----END PUBLIC KEY-----\n"
    )


def sign(message: bytes) -> str:
    """Base64 of the Ed25519 signature."""
    return base64.b64encode(_private(settings.CHECKPOINT_KEY).sign(message)).decode()


def is_signed(message: bytes, *, signature: str, key: str) -> bool:
    """Whether a key that this installation trusts made ``signature``.

    Trusted are the present key and the public keys of retired ones; what a checkpoint itself says
    about its key is only a name.
    """
    retired = settings.CHECKPOINT_RETIRED_KEYS
    public = _trusted(settings.CHECKPOINT_KEY, retired).get(key)
    if public is None:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(base64.b64decode(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True

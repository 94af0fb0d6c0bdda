"""The user's two public keys, as ``ALTER USER`` sets and ``DESCRIBE USER`` shows them."""

import base64
import hashlib
import re

import pyarrow as pa
from cryptography.hazmat.primitives import serialization

from connections.upstream.emulator.values import SqlError

SLOTS = ("RSA_PUBLIC_KEY", "RSA_PUBLIC_KEY_2")
_CHANGE = re.compile(
    r"""\s*ALTER\s+USER\s+(?P<user>"[^"]+"|[\w$]+)\s+
    (?:SET\s+(?P<set>RSA_PUBLIC_KEY(?:_2)?)\s*=\s*'(?P<key>[^']*)'
      |UNSET\s+(?P<unset>RSA_PUBLIC_KEY(?:_2)?))\s*;?\s*""",
    re.IGNORECASE | re.VERBOSE,
)
_DESCRIBE = re.compile(r'\s*DESC(?:RIBE)?\s+USER\s+(?P<user>"[^"]+"|[\w$]+)\s*;?\s*', re.IGNORECASE)


class Keys:
    """One user's public keys by slot. Roles in ``admins`` may change them."""

    def __init__(self, user: str, pem: bytes = b"", admins: frozenset[str] = frozenset()) -> None:
        self.user = user.upper()
        self.admins = admins
        self._der: dict[str, bytes] = {}
        if pem:
            self._der[SLOTS[0]] = serialization.load_pem_public_key(pem).public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            )

    def by_fingerprint(self) -> dict[str, bytes]:
        """Keys as DER, by the fingerprint that a login names."""
        return {_fingerprint(der): der for der in self._der.values()}

    def run(self, sql: str, role: str) -> pa.Table | None:
        """The result when ``sql`` is about users; None when it is about something else."""
        if found := _CHANGE.fullmatch(sql):
            self._look(found["user"], role)
            slot = (found["set"] or found["unset"]).upper()
            if found["set"]:
                self._der[slot] = _der_of(found["key"])
            else:
                self._der.pop(slot, None)
            return pa.table({"status": ["Statement executed successfully."]})
        if found := _DESCRIBE.fullmatch(sql):
            self._look(found["user"], role)
            rows = {"NAME": self.user}
            for slot in SLOTS:
                der = self._der.get(slot)
                rows[f"{slot}_FP"] = f"SHA256:{_fingerprint(der)}" if der else "null"
            return pa.table({"property": list(rows), "value": list(rows.values())})
        return None

    def _look(self, user: str, role: str) -> None:
        if user.strip('"').upper() != self.user:
            raise SqlError("002003", f"User '{user}' does not exist or not authorized.", "02000")
        if role not in self.admins:
            raise SqlError(
                "003001",
                f"SQL access control error:\nInsufficient privileges to operate on user "
                f"'{self.user}'.",
                "42501",
            )


def _der_of(text: str) -> bytes:
    try:
        der = base64.b64decode(text, validate=True)
        serialization.load_der_public_key(der)
    except ValueError as error:
        raise SqlError("390144", "New public key rejected by current policy.", "22023") from error
    return der


def _fingerprint(der: bytes) -> str:
    return base64.b64encode(hashlib.sha256(der).digest()).decode()

"""How we log in to Snowflake: set, never read back."""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from connections.models import Connection, Credential, KeyRotation
from connections.services import runs
from connections.services.acting import actor_of, need_admin_of
from connections.services.given import Given, read_reference, refuse_what_cannot_work
from connections.services.places import quoted_name, stored_name
from hoopweb.lib.errors import InvalidRequest
from recordings.services import audit

Method = Credential.Method
Source = Credential.Source
_KEY_BITS = 2048  # what Snowflake asks for


@dataclass(frozen=True)
class KeyPair:
    """A fresh key pair; ``private`` is PEM and goes nowhere but into a sealed field."""

    private: str = field(repr=False)
    public: str
    fingerprint: str


def new_key_pair() -> KeyPair:
    return _pair(rsa.generate_private_key(public_exponent=65_537, key_size=_KEY_BITS))


def _pair(key: rsa.RSAPrivateKey) -> KeyPair:
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    der = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    # As DESCRIBE USER shows it, so that both sides can be compared by eye.
    fingerprint = "SHA256:" + base64.b64encode(hashlib.sha256(der).digest()).decode()
    return KeyPair(private.decode(), base64.b64encode(der).decode(), fingerprint)


def key_statement(credential: Credential) -> str:
    """What an administrator of Snowflake runs so that it accepts our key."""
    return set_key_statement(credential.login_name, credential.slot, credential.public)


def set_key_statement(login_name: str, slot: int, public: Mapping[str, Any]) -> str:
    """The statement that puts a public key into one of the user's two slots."""
    user = quoted_name(stored_name(login_name))
    return f"ALTER USER {user} SET {slot_name(slot)} = '{public['public_key']}';"


def clear_key_statement(login_name: str, slot: int) -> str:
    return f"ALTER USER {quoted_name(stored_name(login_name))} UNSET {slot_name(slot)};"


def slot_name(slot: int) -> str:
    return "RSA_PUBLIC_KEY" if slot == 1 else "RSA_PUBLIC_KEY_2"


def set_credential(
    *,
    connection: Connection,
    by: User | None,
    method: str,
    login_name: str,
    secret: str = "",
    token_url: str = "",
    client_id: str = "",
    scope: str = "",
    provider: str = "",
    source: str = Source.SEALED,
    reference: Mapping[str, str] | None = None,
    address: str | None = None,
) -> Credential:
    """Set a new credential over the old one: sealed here, or the name of where it lies.

    For a key pair without ``secret`` a pair is made here; with it, ``secret`` is the PEM to use.
    ``reference`` has ``name`` and maybe ``field``; it is read once now, to see that it works.
    Raises InvalidRequest with ``errors`` by field.
    """
    need_admin_of(by, connection, "set its credential")
    given = Given(
        method=method,
        login_name=login_name.strip(),
        secret=secret,
        token_url=token_url.strip(),
        client_id=client_id.strip(),
        scope=scope.strip(),
        provider=provider.strip().upper(),
        source=source,
        reference={k: v.strip() for k, v in (reference or {}).items() if v.strip()},
    )
    refuse_what_cannot_work(given)
    secret, public = _secret_and_public(given)
    with transaction.atomic():
        row = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
        found = Credential.objects.filter(connection=row).first()
        before = _said(found) if found else None
        credential = found or Credential(connection=row)
        credential.method, credential.login_name = given.method, given.login_name
        credential.source, credential.reference = given.source, given.reference
        credential.secret, credential.public = secret, public
        credential.slot = 1
        credential.changed_at = timezone.now()
        credential.save()
        # What rotates a key that is no longer ours is over.
        KeyRotation.objects.filter(connection=row, state__in=["made", "tested", "switched"]).update(
            state=KeyRotation.State.UNDONE, secret="", finished_at=timezone.now()
        )
        # A test of the old credential says nothing about this one.
        row.tested_at, row.test_report = None, []
        runs.place_changed(row)
        row.save(update_fields=["tested_at", "test_report"])
        audit(
            actor=actor_of(by),
            action="credential-set",
            kind="connection",
            object_id=str(row.pk),
            object_name=row.name,
            before=before,
            after=_said(credential),
            address=address,
        )
    return credential


def _said(credential: Credential) -> dict[str, Any]:
    """What may be told of a credential."""
    return {
        "method": credential.method,
        "login_name": credential.login_name,
        "source": credential.source,
        **({"reference": credential.reference} if credential.reference else {}),
        **{k: v for k, v in credential.public.items() if k != "public_key"},
    }


def _secret_and_public(given: Given) -> tuple[str, dict[str, str]]:
    """What is sealed, and what may be told."""
    elsewhere = given.source != Source.SEALED
    found = read_reference(given) if elsewhere else given.secret
    public: dict[str, str] = {}
    match given.method:
        case Method.KEY_PAIR:
            pair = _pair_of(found) if found.strip() else new_key_pair()
            found = pair.private
            public = {"public_key": pair.public, "fingerprint": pair.fingerprint}
        case Method.OAUTH:
            public = {"token_url": given.token_url, "client_id": given.client_id}
            if given.scope:
                public["scope"] = given.scope
        case Method.WORKLOAD:
            public = {"provider": given.provider}
    return "" if elsewhere else found, public


def _pair_of(pem: str) -> KeyPair:
    problem = (
        "This is not an unencrypted RSA private key in PEM form of at least 2048 bits. Paste one, "
        "or leave the field empty and a pair is made for you."
    )
    try:
        key = serialization.load_pem_private_key(pem.strip().encode(), password=None)
    except (ValueError, TypeError):
        raise InvalidRequest(problem, errors={"secret": problem}) from None
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < _KEY_BITS:
        raise InvalidRequest(problem, errors={"secret": problem})
    return _pair(key)

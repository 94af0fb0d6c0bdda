"""How we log in to Snowflake: set, never read back."""

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from connections.models import Connection, Credential
from connections.services.acting import actor_of, need_admin_of
from connections.services.places import quoted_name, stored_name
from hoopweb.lib import outgoing
from hoopweb.lib.errors import InvalidRequest
from recordings.services import audit

Method = Credential.Method
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
    user = quoted_name(stored_name(credential.login_name))
    return f"ALTER USER {user} SET RSA_PUBLIC_KEY = '{credential.public['public_key']}';"


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
    address: str | None = None,
) -> Credential:
    """Seal a new credential over the old one.

    For a key pair without ``secret`` a pair is made here; with it, ``secret`` is the PEM to use.
    Raises InvalidRequest with ``errors`` by field.
    """
    need_admin_of(by, connection, "set its credential")
    login_name = login_name.strip()
    public = _checked(method, login_name, secret, token_url.strip(), client_id.strip())
    if method == Method.OAUTH and scope.strip():
        public["scope"] = scope.strip()
    if method == Method.KEY_PAIR:
        pair = _pair_of(secret) if secret.strip() else new_key_pair()
        secret = pair.private
        public = {"public_key": pair.public, "fingerprint": pair.fingerprint}
    with transaction.atomic():
        row = Connection.objects.select_for_update(no_key=True).get(pk=connection.pk)
        found = Credential.objects.filter(connection=row).first()
        before = _said(found) if found else None
        credential = found or Credential(connection=row)
        credential.method, credential.login_name = method, login_name
        credential.secret, credential.public = secret, public
        credential.changed_at = timezone.now()
        credential.save()
        # A test of the old credential says nothing about this one.
        row.tested_at, row.test_report = None, []
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
        **{k: v for k, v in credential.public.items() if k != "public_key"},
    }


def _checked(
    method: str, login_name: str, secret: str, token_url: str, client_id: str
) -> dict[str, str]:
    errors: dict[str, str] = {}
    if method not in Method.values:
        errors["method"] = "Choose one of: " + ", ".join(map(str, Method.labels)) + "."
    if not login_name or len(login_name) > 120:  # noqa: PLR2004  the column's width
        errors["login_name"] = "Write the Snowflake user that Hoopweb logs in as."
    if method == Method.PASSWORD and not settings.LOCAL:
        errors["method"] = (
            "A password works only in local mode: Snowflake itself is ending password sign-in for "
            "services. Choose a key pair."
        )
    if method in {Method.PAT, Method.PASSWORD, Method.OAUTH} and not secret.strip():
        errors |= {"secret": "This method needs its secret. It is sealed and never shown again."}
    if method == Method.OAUTH:
        errors |= _oauth_errors(token_url, client_id)
    if errors:
        raise InvalidRequest("The credential cannot be used like this.", errors=errors)
    return {"token_url": token_url, "client_id": client_id} if method == Method.OAUTH else {}


def _oauth_errors(token_url: str, client_id: str) -> dict[str, str]:
    errors: dict[str, str] = {}
    try:
        outgoing.checked_url(token_url)
    except outgoing.AddressRefused as error:
        errors["token_url"] = str(error)
    if not client_id:
        errors["client_id"] = "Write the client id that the provider gave to Hoopweb."
    return errors


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

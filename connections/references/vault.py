"""HashiCorp Vault, key-value engine version 2, below paths that the operator opens.

Address and login are the operator's settings; nobody writes them in the console.
"""

import re
from pathlib import Path

import hvac
import requests
from django.conf import settings
from hvac import exceptions

from connections.references.errors import ReferenceRefused, ReferenceUnavailable
from connections.references.resolving import Reference

_SEGMENT = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9_.@=-]{1,120}")
_SECONDS = 5


def allowed(reference: Reference) -> None:
    segments = reference.name.split("/")
    opened = [path.strip("/").split("/") for path in settings.REFERENCE_VAULT]
    shaped = len(segments) > 1 and all(_SEGMENT.fullmatch(part) for part in segments)
    if not shaped or not any(segments[: len(path)] == path for path in opened):
        names = ", ".join(settings.REFERENCE_VAULT)
        raise ReferenceRefused(
            f"This path of Vault may not be read. The operator has opened {names or 'none'}: "
            "HOOPWEB_REFERENCE_VAULT lists paths such as secret/hoopweb, the mount first."
        )


def read(reference: Reference) -> str:
    if not settings.VAULT_ADDR:
        raise ReferenceUnavailable("The gateway knows no Vault: the operator sets VAULT_ADDR.")
    mount, _, path = reference.name.partition("/")
    field = reference.field or "value"
    try:
        client = _client()
        try:
            answer = client.secrets.kv.v2.read_secret_version(
                path=path, mount_point=mount, raise_on_deleted_version=True
            )
        finally:
            client.adapter.close()
    except exceptions.InvalidPath:
        raise ReferenceUnavailable(f"Vault has nothing at {reference.name}.") from None
    except exceptions.Forbidden:
        raise ReferenceUnavailable(
            f"Vault does not let the gateway read {reference.name}. Check the policy of its token "
            "or role."
        ) from None
    except (exceptions.VaultError, requests.RequestException, ValueError) as error:
        raise ReferenceUnavailable(f"Vault does not answer: {type(error).__name__}.") from None
    try:
        found = answer["data"]["data"]
    except (KeyError, TypeError):
        # A redirect, for one: it would carry the token elsewhere.
        raise ReferenceUnavailable("Vault gave another answer than the secret.") from None
    if not isinstance(found, dict) or not isinstance(found.get(field), str):
        raise ReferenceUnavailable(f"The secret {reference.name} has no text called {field}.")
    return str(found[field])


def _client() -> hvac.Client:
    client = hvac.Client(
        url=settings.VAULT_ADDR,
        # Never from the surroundings: which login is used is decided below.
        token="",
        namespace=settings.VAULT_NAMESPACE or None,
        verify=settings.VAULT_CACERT or True,
        timeout=_SECONDS,
        allow_redirects=False,
    )
    if settings.VAULT_TOKEN_FILE:
        client.token = _text(settings.VAULT_TOKEN_FILE)
    elif settings.VAULT_ROLE_ID:
        client.auth.approle.login(
            role_id=settings.VAULT_ROLE_ID,
            secret_id=_text(settings.VAULT_SECRET_ID_FILE)
            if settings.VAULT_SECRET_ID_FILE
            else None,
            mount_point=settings.VAULT_AUTH_MOUNT or "approle",
        )
    elif settings.VAULT_KUBERNETES_ROLE:
        client.auth.kubernetes.login(
            role=settings.VAULT_KUBERNETES_ROLE,
            jwt=_text(settings.VAULT_KUBERNETES_TOKEN_FILE),
            mount_point=settings.VAULT_AUTH_MOUNT or "kubernetes",
        )
    else:
        raise ReferenceUnavailable(
            "The gateway has no login for Vault: the operator sets VAULT_TOKEN_FILE, "
            "VAULT_ROLE_ID or VAULT_KUBERNETES_ROLE."
        )
    return client


def _text(path: str) -> str:
    """A file's text, read each time because such files are renewed from outside."""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise ReferenceUnavailable(
            f"The gateway's login for Vault cannot be read: {path}."
        ) from None

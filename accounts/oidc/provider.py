"""The provider as it describes itself, and its keys. Asked when first needed, then remembered."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import requests
from django.conf import settings

from accounts.oidc.refusal import ProviderUnreachable

# Seconds to connect, and to answer: somebody looks at an empty page meanwhile.
TIMEOUT = (3, 5)
_KEEP_SECONDS = 3600
_lock = threading.Lock()
_kept: dict[str, tuple[float, Any]] = {}


@dataclass(frozen=True, slots=True)
class Provider:
    """What the discovery document says, as far as it is used here."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str
    end_session_endpoint: str
    takes_basic: bool


def discovered() -> Provider:
    """The configured provider. Raises ProviderUnreachable when it does not answer."""
    issuer: str = settings.OIDC_ISSUER
    found: Provider = _remembered(f"provider {issuer}", lambda: _discover(issuer))
    return found


def keys(*, fresh: bool = False) -> list[dict[str, Any]]:
    """The provider's public keys, as JWKs; ``fresh`` asks for them again."""
    url = discovered().jwks_uri
    found: list[dict[str, Any]] = _remembered(f"keys {url}", lambda: _keys(url), fresh=fresh)
    return found


def forget() -> None:
    """Ask again for everything."""
    with _lock:
        _kept.clear()


def ask(method: str, url: str, **options: Any) -> requests.Response:
    """Send a request to the provider. Raises ProviderUnreachable when no answer comes.

    Redirects are not followed: they would carry the secret elsewhere.
    """
    try:
        return requests.request(method, url, timeout=TIMEOUT, allow_redirects=False, **options)
    except requests.RequestException as error:
        raise ProviderUnreachable(f"{url} does not answer: {type(error).__name__}.") from error


def json_of(answer: requests.Response) -> dict[str, Any]:
    """The object in an answer. Raises ProviderUnreachable when there is none."""
    try:
        body = answer.json()
    except requests.RequestException:
        body = None
    if answer.status_code != requests.codes.ok or not isinstance(body, dict):
        raise ProviderUnreachable(
            f"{answer.url} answered {answer.status_code} without what was asked for."
        )
    return body


def _remembered(name: str, ask_for: Callable[[], Any], *, fresh: bool = False) -> Any:
    with _lock:
        until, value = _kept.get(name, (0.0, None))
    if fresh or time.monotonic() >= until:
        # Not under the lock: a slow provider would hold up who needs nothing from it.
        value = ask_for()
        with _lock:
            _kept[name] = (time.monotonic() + _KEEP_SECONDS, value)
    return value


def _discover(issuer: str) -> Provider:
    document = json_of(ask("GET", f"{issuer.rstrip('/')}/.well-known/openid-configuration"))
    if document.get("issuer") != issuer:
        raise ProviderUnreachable(
            f"The provider calls itself {document.get('issuer')!r}, OIDC_ISSUER says {issuer!r}. "
            "They have to be the same to the letter."
        )
    methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
    return Provider(
        issuer=issuer,
        authorization_endpoint=_address(document, "authorization_endpoint", issuer),
        token_endpoint=_address(document, "token_endpoint", issuer),
        jwks_uri=_address(document, "jwks_uri", issuer),
        userinfo_endpoint=_address(document, "userinfo_endpoint", issuer, optional=True),
        end_session_endpoint=_address(document, "end_session_endpoint", issuer, optional=True),
        takes_basic="client_secret_basic" in methods,
    )


def _address(document: dict[str, Any], name: str, issuer: str, *, optional: bool = False) -> str:
    address = document.get(name) or ""
    if optional and not address:
        return ""
    # A provider behind TLS must not lead out of it.
    allowed = {"https"} if urlsplit(issuer).scheme == "https" else {"https", "http"}
    if not isinstance(address, str) or urlsplit(address).scheme not in allowed:
        raise ProviderUnreachable(f"The provider's description has no usable {name}.")
    return address


def _keys(url: str) -> list[dict[str, Any]]:
    found = json_of(ask("GET", url)).get("keys")
    if not isinstance(found, list):
        raise ProviderUnreachable(f"{url} answered without keys.")
    return [key for key in found if isinstance(key, dict)]

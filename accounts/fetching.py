"""An issuer's public keys, from where it publishes them."""

import contextlib
import json
import tempfile
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import requests

from accounts.models import Issuer
from hoopweb.lib import outgoing

# Seconds to connect, and to answer: somebody's statement waits meanwhile.
TIMEOUT = (3, 5)
_LONGEST = 1024 * 1024
_MOST_KEYS = 100
# What a public key consists of. Whatever else stands there is not kept.
_PUBLIC = {"kty", "use", "key_ops", "alg", "kid", "n", "e", "crv", "x", "y"}
_KINDS = {"RSA", "EC", "OKP"}


class FetchFailed(Exception):
    """No keys came. The text is for the admin."""


def fetch(issuer: Issuer) -> list[dict[str, Any]]:
    """Its keys as JWKs. Raises FetchFailed."""
    with _trusting(issuer.authority) as verify:
        url = issuer.jwks_url or _discovered(issuer.issuer, verify=verify)
        return public_keys(_get(url, verify=verify), of=url)


def public_keys(document: Any, *, of: str) -> list[dict[str, Any]]:
    """The usable public keys of a JWK set. Raises FetchFailed when there are none."""
    found = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(found, list):
        raise FetchFailed(f'{of} has no list "keys". A JWK set looks like {{"keys": […]}}.')
    kept = [
        {name: value for name, value in key.items() if name in _PUBLIC}
        for key in found[:_MOST_KEYS]
        if isinstance(key, dict) and key.get("kty") in _KINDS
    ]
    if not kept:
        raise FetchFailed(f"{of} has no public key of the kinds RSA, EC or OKP.")
    return kept


def _discovered(issuer: str, *, verify: str | bool) -> str:
    url = f"{issuer.rstrip('/')}/.well-known/openid-configuration"
    document = _get(url, verify=verify)
    if document.get("issuer") != issuer:
        raise FetchFailed(
            f"{url} calls itself {str(document.get('issuer'))[:200]!r}. The issuer has to be "
            "written the same, to the letter."
        )
    found = document.get("jwks_uri")
    # A provider behind TLS must not lead out of it.
    allowed = {"https"} if urlsplit(issuer).scheme == "https" else {"https", "http"}
    if not isinstance(found, str) or urlsplit(found).scheme not in allowed:
        raise FetchFailed(f"{url} names no usable jwks_uri.")
    return found


def _get(url: str, *, verify: str | bool) -> dict[str, Any]:
    try:
        with (
            outgoing.Session() as session,
            session.get(url, timeout=TIMEOUT, verify=verify, stream=True) as answer,
        ):
            if answer.status_code != requests.codes.ok:
                raise FetchFailed(f"{url} answered {answer.status_code}.")
            body = answer.raw.read(_LONGEST + 1, decode_content=True)
    except (requests.RequestException, OSError) as error:
        # Its text names the address and, where the guard refused it, the cure.
        reason = str(error) if isinstance(error, outgoing.AddressRefused) else type(error).__name__
        raise FetchFailed(f"{url} does not answer: {reason}") from error
    if len(body) > _LONGEST:
        raise FetchFailed(f"{url} answered with more than {_LONGEST} bytes.")
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise FetchFailed(f"{url} did not answer with JSON.") from error
    if not isinstance(found, dict):
        raise FetchFailed(f"{url} did not answer with a JSON object.")
    return found


@contextlib.contextmanager
def _trusting(authority: str) -> Iterator[str | bool]:
    """A file with the authority's certificate for as long as it is needed."""
    if not authority:
        yield True
        return
    with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
        file.write(authority)
        file.flush()
        yield file.name

"""From what a SAML provider says of a person to the claims that the rest of sign-in knows."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings

from accounts.saml.assertion import Assertion

# As Okta, Entra and the directories' schemas call them.
_NAMES = {
    "email": (
        "email",
        "mail",
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
        "urn:oid:0.9.2342.19200300.100.1.3",
    ),
    "name": (
        "name",
        "displayName",
        "http://schemas.microsoft.com/identity/claims/displayname",
        "urn:oid:2.16.840.1.113730.3.1.241",
    ),
    "preferred_username": (
        "username",
        "uid",
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
        "urn:oid:0.9.2342.19200300.100.1.1",
    ),
}


def claims_of(assertion: Assertion) -> dict[str, Any]:
    """``sub``, ``email``, ``name``, ``preferred_username``, ``groups``, and attributes as said."""
    attributes = assertion.attributes
    claims: dict[str, Any] = {name: list(values) for name, values in attributes.items()}
    # Under their own names only what is meant by them: what a provider calls "sub" is no subject.
    for name in ("sub", "email_verified", *_NAMES):
        claims.pop(name, None)
    for name, candidates in _NAMES.items():
        if found := _first(attributes, candidates):
            claims[name] = found
    claims["groups"] = list(attributes.get(settings.SAML_GROUPS_ATTRIBUTE, ()))
    claims["sub"] = assertion.subject
    return claims


def _first(attributes: Mapping[str, Sequence[str]], names: Sequence[str]) -> str:
    return next((value for name in names for value in attributes.get(name, ()) if value), "")

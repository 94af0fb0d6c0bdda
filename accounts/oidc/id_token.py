"""Whether an ID token is the provider's word, for us, now, and about this very sign-in."""

import hmac
from collections.abc import Callable
from typing import Any

import jwt

from accounts.oidc.refusal import SignInRefused

# Algorithm to the type of key that it takes. A shared secret proves nothing here, "none" less.
ALGORITHMS = {"RS256": "RSA", "PS256": "RSA", "ES256": "EC"}
# Clocks differ a little.
LEEWAY_SECONDS = 30
_REQUIRED = ["iss", "aud", "exp", "iat", "sub"]

Keys = Callable[[bool], list[dict[str, Any]]]

_WHY: tuple[tuple[type[jwt.PyJWTError], str], ...] = (
    (jwt.InvalidAudienceError, "wrong_audience"),
    (jwt.InvalidIssuerError, "wrong_issuer"),
    (jwt.ExpiredSignatureError, "expired_token"),
    (jwt.ImmatureSignatureError, "token_not_yet_valid"),
    (jwt.InvalidSignatureError, "wrong_signature"),
    (jwt.MissingRequiredClaimError, "incomplete_token"),
)
_DETAIL = (
    "Your provider's answer does not hold: it is not for this sign-in, or not signed as it should "
    "be. Nobody was signed in. Try again; when it stays so, ask whoever runs Hoopweb here."
)


def verify(token: str, *, keys: Keys, issuer: str, client_id: str, nonce: str) -> dict[str, Any]:
    """The claims of a token that holds. Raises SignInRefused for any other.

    ``keys(False)`` are the keys as remembered, ``keys(True)`` as the provider has them now.
    """
    try:
        header = jwt.get_unverified_header(token)
    except jwt.PyJWTError as error:
        raise _refused("unreadable_token") from error
    algorithm = header.get("alg")
    if algorithm not in ALGORITHMS:
        raise _refused("wrong_algorithm")
    kid = header.get("kid")
    key = _matching(keys(False), kid, algorithm) or _matching(keys(True), kid, algorithm)
    if key is None:
        raise _refused("unknown_key")
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            jwt.PyJWK(key, algorithm=algorithm),
            algorithms=[algorithm],
            audience=client_id,
            issuer=issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": _REQUIRED},
        )
    except jwt.PyJWTError as error:
        why = next((why for kind, why in _WHY if isinstance(error, kind)), "unreadable_token")
        raise _refused(why) from error
    _ours(claims, client_id)
    if not nonce or not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise _refused("wrong_nonce")
    return claims


def _matching(keys: list[dict[str, Any]], kid: str | None, algorithm: str) -> dict[str, Any] | None:
    """The one key that can have signed; without a key id only if there is no choice."""
    found = [
        key
        for key in keys
        if key.get("kty") == ALGORITHMS[algorithm]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and (kid is None or key.get("kid") == kid)
    ]
    return found[0] if len(found) == 1 else None


def _ours(claims: dict[str, Any], client_id: str) -> None:
    """A token for several clients must say that it was issued to this one."""
    shared = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if (shared or "azp" in claims) and claims.get("azp") != client_id:
        raise _refused("wrong_audience")


def _refused(why: str) -> SignInRefused:
    return SignInRefused(why, _DETAIL)

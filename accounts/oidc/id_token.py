"""Whether an ID token is the provider's word, for us, now, and about this very sign-in."""

import hmac
from collections.abc import Callable, Collection, Sequence
from typing import Any

from accounts import signed
from accounts.oidc.refusal import SignInRefused

ALGORITHMS = ("RS256", "PS256", "ES256")

Keys = Callable[[bool], list[dict[str, Any]]]

_DETAIL = (
    "Your provider's answer does not hold: it is not for this sign-in, or not signed as it should "
    "be. Nobody was signed in. Try again; when it stays so, ask whoever runs Hoopweb here."
)


def verify(token: str, *, keys: Keys, issuer: str, client_id: str, nonce: str) -> dict[str, Any]:
    """The claims of a token that holds. Raises SignInRefused for any other.

    ``keys(False)`` are the keys as remembered, ``keys(True)`` as the provider has them now.
    """
    claims = signed_claims(token, keys=keys, issuer=issuer, client_id=client_id)
    if not nonce or not hmac.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()):
        raise _refused("wrong_nonce")
    return claims


def signed_claims(
    token: str,
    *,
    keys: Keys,
    issuer: str,
    client_id: str,
    types: Collection[str] = signed.TYPES,
    required: Sequence[str] = signed.REQUIRED,
) -> dict[str, Any]:
    """What the provider signed for this client and for now. Raises SignInRefused otherwise."""
    try:
        found = signed.read(token, types=types)
        key = found.key_among(keys(False), ALGORITHMS) or found.key_among(keys(True), ALGORITHMS)
        if key is None:
            raise _refused("unknown_key")
        claims = signed.claims_of(
            token,
            key,
            algorithm=found.algorithm,
            issuer=issuer,
            audiences=[client_id],
            required=required,
        )
    except signed.NotSigned as error:
        raise _refused(error.why) from error
    _ours(claims, client_id)
    return claims


def _ours(claims: dict[str, Any], client_id: str) -> None:
    """A token for several clients must say that it was issued to this one."""
    shared = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if (shared or "azp" in claims) and claims.get("azp") != client_id:
        raise _refused("wrong_audience")


def _refused(why: str) -> SignInRefused:
    return SignInRefused(why, _DETAIL)

"""Whether a token is what its issuer signed. Pure: text and keys in, claims or a reason out."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jwt

# Algorithm to the type of key that it takes. A shared secret proves nothing here, "none" less.
ALGORITHMS = {
    "RS256": "RSA",
    "RS384": "RSA",
    "RS512": "RSA",
    "PS256": "RSA",
    "PS384": "RSA",
    "PS512": "RSA",
    "ES256": "EC",
    "ES384": "EC",
    "ES512": "EC",
    "EdDSA": "OKP",
}
# Clocks differ a little.
LEEWAY_SECONDS = 30
LONGEST = 16 * 1024
_RSA_BITS = 2048
# What a token may call itself. An ID token has no other name than "JWT": its audience tells it.
TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
REQUIRED = ("iss", "aud", "exp", "iat", "sub")

Key = Mapping[str, Any]

_WHY: tuple[tuple[type[jwt.PyJWTError], str], ...] = (
    (jwt.InvalidAudienceError, "wrong_audience"),
    (jwt.InvalidIssuerError, "wrong_issuer"),
    (jwt.ExpiredSignatureError, "expired_token"),
    (jwt.ImmatureSignatureError, "token_not_yet_valid"),
    (jwt.InvalidSignatureError, "wrong_signature"),
    (jwt.MissingRequiredClaimError, "incomplete_token"),
)


class NotSigned(Exception):
    """The token does not hold. ``why`` is a word for the trail."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True)
class Unverified:
    """What a token says of itself before anything is proved: only good for finding keys."""

    algorithm: str
    kid: str | None
    issuer: str
    claims: Mapping[str, Any]

    def key_among(self, keys: Sequence[Key], allowed: Collection[str]) -> Key | None:
        """The one key that can have signed; without a key id only if there is no choice.

        Raises NotSigned for an algorithm that is not ``allowed``.
        """
        if self.algorithm not in allowed or self.algorithm not in ALGORITHMS:
            raise NotSigned("wrong_algorithm")
        found = [
            key
            for key in keys
            if key.get("kty") == ALGORITHMS[self.algorithm]
            and key.get("use", "sig") == "sig"
            and key.get("alg", self.algorithm) == self.algorithm
            and (self.kid is None or key.get("kid") == self.kid)
        ]
        return found[0] if len(found) == 1 else None


def read(text: str, *, types: Collection[str] = TYPES) -> Unverified:
    """Take a token apart. Raises NotSigned for what cannot be one of those accepted here."""
    if len(text) > LONGEST:
        raise NotSigned("too_large")
    try:
        whole = jwt.decode_complete(text, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise NotSigned("unreadable_token") from error
    header, claims = whole["header"], whole["payload"]
    kind = header.get("typ", "JWT")
    # Extensions that must be understood are not; keys and addresses in the header are not read.
    if not isinstance(kind, str) or kind.lower() not in types or "crit" in header:
        raise NotSigned("wrong_type")
    kid = header.get("kid")
    if kid is not None and not isinstance(kid, str):
        raise NotSigned("unreadable_token")
    return Unverified(str(header.get("alg")), kid, str(claims.get("iss", "")), claims)


def claims_of(
    text: str,
    key: Key,
    *,
    algorithm: str,
    issuer: str,
    audiences: Sequence[str],
    required: Sequence[str] = REQUIRED,
) -> dict[str, Any]:
    """The claims of a token that ``key`` signed, for us, now. Raises NotSigned for any other."""
    try:
        signer = jwt.PyJWK(dict(key), algorithm=algorithm)
        if ALGORITHMS[algorithm] == "RSA" and signer.key.key_size < _RSA_BITS:
            raise NotSigned("weak_key")
        claims: dict[str, Any] = jwt.decode(
            text,
            signer,
            algorithms=[algorithm],
            audience=list(audiences),
            issuer=issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": list(required)},
        )
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
        why = next((why for kind, why in _WHY if isinstance(error, kind)), "unreadable_token")
        raise NotSigned(why) from error
    return claims

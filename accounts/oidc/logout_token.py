"""The provider's word that a session is over, sent past the browser (Back-Channel Logout 1.0)."""

from datetime import UTC, datetime, timedelta
from typing import Any

from accounts.oidc.id_token import Keys, signed_claims
from accounts.oidc.refusal import SignInRefused
from accounts.services import Ended
from accounts.signed import LEEWAY_SECONDS

_EVENT = "http://schemas.openid.net/event/backchannel-logout"
_REQUIRED = ["iss", "aud", "exp", "iat", "jti", "events"]
_TYPES = {"jwt", "logout+jwt", "application/logout+jwt"}
# Its name is remembered for so long at most; a provider gives it minutes.
_LONGEST_SECONDS = 3600


def verify(token: str, *, keys: Keys, issuer: str, client_id: str) -> Ended:
    """What a logout token says, when it holds. Raises SignInRefused for any other."""
    claims = signed_claims(
        token,
        keys=keys,
        issuer=issuer,
        client_id=client_id,
        types=_TYPES,
        required=_REQUIRED,
    )
    # An ID token must not pass for one: it has a nonce and no such event.
    if "nonce" in claims:
        raise _refused("unexpected_nonce")
    events = claims["events"]
    if not isinstance(events, dict) or not isinstance(events.get(_EVENT), dict):
        raise _refused("wrong_event")
    if claims["exp"] - claims["iat"] > _LONGEST_SECONDS:
        raise _refused("lives_too_long")
    subject, session = _text(claims, "sub"), _text(claims, "sid")
    if not subject and not session:
        raise _refused("nobody_named")
    return Ended(
        how="logout token",
        issuer=issuer,
        name=_text(claims, "jti") or _missing(),
        until=datetime.fromtimestamp(claims["exp"], UTC) + timedelta(seconds=2 * LEEWAY_SECONDS),
        subject=subject,
        session=session,
    )


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name, "")
    if not isinstance(value, str) or "\0" in value:
        raise _refused("incomplete_token")
    return value


def _missing() -> str:
    raise _refused("incomplete_token")


def _refused(why: str) -> SignInRefused:
    return SignInRefused(why, "This logout token does not hold. Nobody was signed out.", status=400)

"""Who may speak SCIM: a directory, by its token, so and so often."""

from datetime import timedelta

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from accounts import tokens
from accounts.addresses import address_of
from accounts.models import Directory, DirectoryToken
from accounts.scim.answers import Refused
from hoopweb.lib import rate
from recordings.services import audit
from recordings.services.trail import plain_address

_LAST_USED_EVERY = timedelta(minutes=1)
# Of one address, within a minute, before it is only told to wait.
REFUSALS_PER_MINUTE = 60
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="hoopweb"'}


def directory_of(request: HttpRequest) -> Directory:
    """The directory whose token the request carries. Raises Refused, never saying why."""
    address = address_of(request)
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    token = _live(text.strip()) if scheme.lower() == "bearer" else None
    if token is None:
        _note_refusal(address, given=bool(text))
        raise Refused(
            401,
            "This token is unknown, expired or revoked, or its directory is switched off. An "
            "admin of Hoopweb issues one under Settings, Directories.",
            headers=_CHALLENGE,
        )
    if rate.count(f"scim:{token.directory_id}") > settings.SCIM_REQUESTS_PER_MINUTE:
        raise Refused(429, "Too many requests in this minute.", headers=_later())
    _note_use(token, address)
    return token.directory


def _live(text: str) -> DirectoryToken | None:
    key_id = tokens.key_id_of(text, tokens.DIRECTORY)
    if key_id is None:
        return None
    token = DirectoryToken.objects.select_related("directory").filter(key_id=key_id).first()
    if token is None or not tokens.proves(text, digest=token.digest, pepper=token.pepper):
        return None
    return token if token.is_live() and token.directory.is_active else None


def _note_use(token: DirectoryToken, address: str | None) -> None:
    now, place = timezone.now(), plain_address(address)
    recent = token.last_used_at is not None and now - token.last_used_at <= _LAST_USED_EVERY
    if not recent or token.last_used_address != place:
        DirectoryToken.objects.filter(pk=token.pk).update(last_used_at=now, last_used_address=place)


def _note_refusal(address: str | None, *, given: bool) -> None:
    """Written down once a minute for each address, and answered with a wait beyond the limit."""
    count = rate.count(f"scim-refused:{address or 'nowhere'}")
    if count > REFUSALS_PER_MINUTE:
        raise Refused(429, "Too many refused tokens from this address.", headers=_later())
    if count == 1:
        audit(
            actor={"kind": "anonymous", "name": "unknown"},
            action="directory-token-refused",
            kind="directory",
            after={"why": "no live token" if given else "no token"},
            address=address,
        )


def _later() -> dict[str, str]:
    return {"Retry-After": str(int(rate.wait()) + 1)}

"""An issuer's keys as they are kept: how old they may be, and who asks for new ones, how often."""

import time
from datetime import timedelta
from typing import Any

import structlog
from django.db.models import Q
from django.utils import timezone

from accounts import fetching
from accounts.models import Issuer
from accounts.signed import NotSigned, Unverified

log = structlog.get_logger(__name__)

# Younger keys are used without asking; older ones while the issuer does not answer, up to the end.
FRESH = timedelta(minutes=10)
END = timedelta(hours=1)
# Between two requests for keys, whoever asks, in whatever process.
PAUSE = timedelta(seconds=30)
# For the keys that another request has just asked for.
_PATIENCE_SECONDS = 3.0
_LOOK_EVERY_SECONDS = 0.1


class KeysUnavailable(Exception):
    """The issuer's keys are older than they may be, and it does not answer."""


def key_for(issuer: Issuer, token: Unverified) -> dict[str, Any]:
    """The key that can have signed ``token``. Raises NotSigned and KeysUnavailable.

    An unknown key id asks the issuer once, and then for a while no more.
    """
    key = token.key_among(_keys(issuer), issuer.allowed)
    if key is None and not issuer.given_keys and _may_ask(issuer, "asked_for_unknown_at"):
        refresh(issuer)
        key = token.key_among(issuer.fetched_keys, issuer.allowed)
    if key is None:
        raise NotSigned("unknown_key")
    return dict(key)


def refresh(issuer: Issuer) -> bool:
    """Ask for the keys now. What went wrong is kept for the admin; the keys stay as they are."""
    try:
        keys = fetching.fetch(issuer)
    except fetching.FetchFailed as error:
        log.warning("issuer_keys_not_fetched", issuer=issuer.name, error=str(error))
        issuer.fetch_error = str(error)[:300]
        issuer.save(update_fields=["fetch_error"])
        return False
    issuer.fetched_keys, issuer.fetched_at, issuer.fetch_error = keys, timezone.now(), ""
    issuer.save(update_fields=["fetched_keys", "fetched_at", "fetch_error"])
    return True


def _keys(issuer: Issuer) -> list[dict[str, Any]]:
    if issuer.given_keys:
        return list(issuer.given_keys)
    age = _age(issuer)
    if age > FRESH and not (_may_ask(issuer, "asked_at") and refresh(issuer)) and age > END:
        _wait_for_another(issuer)
    return list(issuer.fetched_keys)


def _age(issuer: Issuer) -> timedelta:
    return timezone.now() - issuer.fetched_at if issuer.fetched_at else timedelta.max


def _may_ask(issuer: Issuer, when: str) -> bool:
    """Whether it is this request's turn; then the next has to wait."""
    now = timezone.now()
    due = Q(**{when: None}) | Q(**{f"{when}__lt": now - PAUSE})
    return bool(Issuer.objects.filter(due, pk=issuer.pk).update(**{when: now}))


def _wait_for_another(issuer: Issuer) -> None:
    """Until the request whose turn it is has got the keys. Raises KeysUnavailable."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        issuer.refresh_from_db(fields=["fetched_keys", "fetched_at", "fetch_error"])
        if _age(issuer) <= END:
            return
        if issuer.fetch_error or time.monotonic() > until:
            raise KeysUnavailable
        time.sleep(_LOOK_EVERY_SECONDS)

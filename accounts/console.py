"""How long a browser stays signed in: from the sign-in at most, and from what its person last did.

What a page does by itself, its socket and the parts that it refetches, is nobody's doing: a screen
that is left alone ends, however much happens on it.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.contrib.sessions.models import Session
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from accounts.models import SignIn
from accounts.services.sign_in import end_here

# In seconds since 1970, in the browser's session.
ACTIVE_AT = "active_at"
# What a script of ours says of a request that somebody's hand began (static/js/hand.js).
BY_HAND = "X-By-Hand"
# The session is written at most so often.
_WRITE_EVERY = 60
# These begin or end a session, or ask for none.
_EXEMPT = ("/oidc/", "/saml/", "/sign-in/", "/sign-out/", "/static/", "/healthz", "/readyz")


def begin(request: HttpRequest, **_: Any) -> None:
    """The times of a session are counted from its sign-in; renewing it at the provider moves
    neither.
    """
    session = request.session
    session.setdefault(ACTIVE_AT, int(time.time()))
    if "_session_expiry" not in session:
        session.set_expiry(timezone.now() + timedelta(seconds=settings.SESSION_COOKIE_AGE))


def end_by(request: HttpRequest, at: Any) -> None:
    """End this browser's session at a moment, unless it ends before."""
    request.session.set_expiry(min(at, request.session.get_expiry_date()))


def is_signed_in(session_key: str) -> bool:
    """Whether the console session with this key still opens anything."""
    now = timezone.now()
    if not Session.objects.filter(session_key=session_key, expire_date__gt=now).exists():
        return False
    return not SignIn.objects.filter(session_key=session_key).idle().exists()


class Inactivity:
    """Ends a session that nobody used, and has the browser forget what an ended one left."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.user.is_authenticated:
            return self.get_response(request)
        response = self._ended(request) or self.get_response(request)
        if not request.user.is_authenticated:
            response["Clear-Site-Data"] = '"cache"'
        return response

    def _ended(self, request: HttpRequest) -> HttpResponse | None:
        if not settings.CONSOLE_IDLE_MINUTES or request.path.startswith(_EXEMPT):
            return None
        now = int(time.time())
        if ACTIVE_AT not in request.session:
            # Signed in before this was counted: it is counted from here.
            _note(request, now)
        idle = now - request.session[ACTIVE_AT]
        if idle < settings.CONSOLE_IDLE_MINUTES * 60:
            if idle >= _WRITE_EVERY and _by_hand(request):
                _note(request, now)
            return None
        end_here(request=request, why="inactivity")
        # These answer for themselves, now to nobody.
        return None if request.path.startswith(("/api/", "/scim/")) else _to_sign_in(request)


def _note(request: HttpRequest, now: int) -> None:
    request.session[ACTIVE_AT] = now
    rows = SignIn.objects.filter(session_key=request.session.session_key)
    rows.update(active_at=timezone.now())


def _by_hand(request: HttpRequest) -> bool:
    """Whether a person began this: an opened page, a form, a part that they asked for."""
    if request.method not in {"GET", "HEAD"}:
        return True
    if request.headers.get("HX-Request"):
        return BY_HAND in request.headers
    if mode := request.headers.get("Sec-Fetch-Mode"):
        # A page that loads itself anew does not have the second.
        return mode == "navigate" and request.headers.get("Sec-Fetch-User") == "?1"
    return "text/html" in request.headers.get("Accept", "")


def _to_sign_in(request: HttpRequest) -> HttpResponse:
    """Nothing was done; signed in again, the person is where they were."""
    page = request.get_full_path() if request.method == "GET" else ""
    by_htmx = request.headers.get("HX-Request")
    if by_htmx:
        shown = urlsplit(request.headers.get("HX-Current-URL", ""))
        page = f"{shown.path}?{shown.query}" if shown.query else shown.path
    asked = {"ended": "idle"} | ({"next": page} if page else {})
    url = f"{reverse('accounts:sign-in')}?{urlencode(asked)}"
    if by_htmx:
        return HttpResponse(status=HTTPStatus.UNAUTHORIZED, headers={"HX-Redirect": url})
    return HttpResponseRedirect(url, status=HTTPStatus.SEE_OTHER)

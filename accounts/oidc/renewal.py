"""Asks the provider again, now and then, whether its session still lasts (prompt=none).

A page that is opened goes there and back. What a page fetches by itself, sends or posts cannot:
it is served for a little longer, and then told to load the page anew.
"""

import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import structlog
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from mozilla_django_oidc.middleware import SessionRefresh

from accounts.oidc import provider
from accounts.oidc.backend import BACKEND, library_setting
from accounts.oidc.refusal import ProviderUnreachable
from accounts.views import provider as shown
from hoopweb.lib.errors import ErrorCode

log = structlog.get_logger(__name__)

# When the provider last vouched for this browser, in seconds since 1970.
RENEWED_AT = "oidc_renewed_at"
# What is not a page goes on for so long, that a poll or a click meets no wall first.
GRACE_SECONDS = 300
# These end or begin a session, or ask for none.
_EXEMPT = ("/oidc/", "/saml/", "/sign-in/", "/sign-out/", "/static/", "/healthz", "/readyz")
_AGAIN = (
    "Hoopweb asks your provider now and then whether you are still signed in there, and it is time "
    "to. Nothing was done. Load the page anew: if your provider still knows you, you notice "
    "nothing."
)


class Renewal(SessionRefresh):  # type: ignore[misc]
    """The library's middleware, with our answers to what cannot follow it to the provider."""

    get_settings = staticmethod(library_setting)
    # The library's names. It reads them at the start, when the provider may be away.
    OIDC_AUTHENTICATION_CALLBACK_URL = "oidc_authentication_callback"
    exempt_urls = frozenset[str]()
    exempt_url_patterns = frozenset[Any]()
    OIDC_STATE_SIZE = OIDC_NONCE_SIZE = 32
    OIDC_USE_NONCE = True
    OIDC_OP_AUTHORIZATION_ENDPOINT = property(
        lambda _: provider.discovered().authorization_endpoint
    )
    OIDC_RP_CLIENT_ID = property(lambda _: settings.OIDC_CLIENT_ID)
    OIDC_RP_SCOPES = property(lambda _: " ".join(settings.OIDC_SCOPES))

    def __init__(self, get_response: Any) -> None:
        super(SessionRefresh, self).__init__(get_response)

    def process_request(self, request: HttpRequest) -> HttpResponse | None:
        over = self._seconds_over(request)
        if over is None or over < 0:
            return None
        if _opens_a_page(request):
            return self._ask(request)
        return _load_anew(request) if over > GRACE_SECONDS else None

    def _seconds_over(self, request: HttpRequest) -> float | None:
        """How long ago the provider should have been asked; None when it need not be."""
        if (
            not settings.OIDC_ISSUER
            or not settings.OIDC_RENEW_MINUTES
            or request.path.startswith(_EXEMPT)
            or not request.user.is_authenticated
            or request.session.get(BACKEND_SESSION_KEY) != BACKEND
        ):
            return None
        renewed_at: float = request.session.get(RENEWED_AT, 0)
        return time.time() - renewed_at - settings.OIDC_RENEW_MINUTES * 60

    def _ask(self, request: HttpRequest) -> HttpResponse:
        try:
            answer: HttpResponse = super().process_request(request)
        except ProviderUnreachable as error:
            log.warning("oidc_provider_unreachable", detail=error.detail)
            return shown.unreachable(request)
        # Kept with this question: several tabs may ask at once, and each goes back to its own.
        state = parse_qs(urlsplit(answer["Location"]).query)["state"][0]
        request.session["oidc_states"][state]["page"] = request.get_full_path()
        request.session.modified = True
        return answer


def _opens_a_page(request: HttpRequest) -> bool:
    """Whether a redirect to the provider reaches the person."""
    if request.method != "GET" or request.headers.get("HX-Request"):
        return False
    if mode := request.headers.get("Sec-Fetch-Mode"):
        return mode == "navigate"
    return "text/html" in request.headers.get("Accept", "")


def _load_anew(request: HttpRequest) -> HttpResponse:
    """Nothing was done, and how to go on: for htmx, for a program, for a form."""
    if request.headers.get("HX-Request"):
        return HttpResponse(status=401, headers={"HX-Refresh": "true"})
    if request.path.startswith("/api/") or "text/html" not in request.headers.get("Accept", ""):
        return JsonResponse(
            {
                "type": f"/api/problems/{ErrorCode.NOT_AUTHENTICATED}",
                "title": "The sign-in has to be renewed",
                "status": 401,
                "code": ErrorCode.NOT_AUTHENTICATED,
                "detail": _AGAIN,
            },
            status=401,
            content_type="application/problem+json",
            headers={"WWW-Authenticate": 'Bearer realm="hoopweb"'},
        )
    return shown.page(
        request,
        401,
        title="Your sign-in is checked first",
        text=_AGAIN,
        url=_page_before(request),
        action="Load the page anew",
    )


def _page_before(request: HttpRequest) -> str:
    """Where the form was, as long as that is here."""
    before = request.headers.get("Referer", "")
    here = url_has_allowed_host_and_scheme(
        before, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return before if here else reverse("overview")

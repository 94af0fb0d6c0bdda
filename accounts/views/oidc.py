"""To the provider, back from it, and out there too."""

from typing import Any
from urllib.parse import urlencode

import structlog
from django.conf import settings
from django.contrib import auth
from django.core.exceptions import SuspiciousOperation
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from mozilla_django_oidc.views import (
    OIDCAuthenticationCallbackView,
    OIDCAuthenticationRequestView,
)

from accounts import contact, services
from accounts.authentication import address_of
from accounts.middleware import public
from accounts.models import User
from accounts.oidc import provider
from accounts.oidc.backend import library_setting
from accounts.oidc.refusal import ProviderUnreachable, SignInRefused
from accounts.services.acting import actor_of
from accounts.views import sign_in
from hoopweb.lib import crypto
from recordings.services import audit

log = structlog.get_logger(__name__)

_SESSION_KEY = "oidc_id_token"
_START_AGAIN = (
    "This sign-in was not started in this browser, or it took too long. Start it again from the "
    "sign-in page."
)


class _ByProvider:
    """Not there unless a provider is set; what goes wrong becomes one page that says so."""

    get_settings = staticmethod(library_setting)

    @classmethod
    def as_view(cls, **options: Any) -> Any:
        inner = super().as_view(**options)  # type: ignore[misc]

        def view(request: HttpRequest) -> HttpResponse:
            if not settings.OIDC_ISSUER:
                raise Http404
            try:
                answer: HttpResponse = inner(request)
            except ProviderUnreachable as error:
                log.warning("oidc_provider_unreachable", detail=error.detail)
                return _unreachable(request)
            except SignInRefused as refusal:
                return _refused(request, refusal)
            return answer

        return public(never_cache(view))


class Start(_ByProvider, OIDCAuthenticationRequestView):  # type: ignore[misc]
    """Sends the browser to the provider."""


class Callback(_ByProvider, OIDCAuthenticationCallbackView):  # type: ignore[misc]
    """Takes the browser back from the provider."""

    def get(self, request: HttpRequest) -> HttpResponse:
        states = request.session.get("oidc_states")
        if not isinstance(states, dict) or request.GET.get("state") not in states:
            raise SignInRefused("wrong_state", _START_AGAIN, status=400)
        # Another provider's answer must not be taken to this one.
        if request.GET.get("iss", settings.OIDC_ISSUER) != settings.OIDC_ISSUER:
            raise SignInRefused("wrong_issuer", _START_AGAIN, status=400)
        try:
            answer: HttpResponse = super().get(request)
        except SuspiciousOperation as error:
            raise SignInRefused("wrong_state", _START_AGAIN, status=400) from error
        return answer

    def login_success(self) -> HttpResponse:
        request, user = self.request, self.user
        # Read first: signing in empties the session of whoever was here before.
        target = self.success_url
        address = address_of(request)
        with transaction.atomic():
            auth.login(request, user)
            token = crypto.seal(request.oidc_id_token.encode(), context=_context(user))
            request.session[_SESSION_KEY] = token.decode()
            services.keep_sign_in(request=request, user=user)
            audit(
                actor=actor_of(user),
                action="sign-in",
                kind="person",
                object_id=str(user.pk),
                object_name=str(user),
                after={
                    "by": "provider",
                    "issuer": settings.OIDC_ISSUER,
                    "teams": sorted(user.teams.values_list("slug", flat=True)),
                },
                address=address,
            )
        return HttpResponseRedirect(target)

    def login_failure(self) -> HttpResponse:
        said = self.request.GET.get("error", "no code")[:80]
        raise SignInRefused(
            "refused_by_provider",
            f"Your provider did not sign you in. It says: {said}. Try again, or ask whoever runs "
            "your provider.",
        )


@public
@never_cache
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Out of the console, and of the provider when it let this browser in."""
    url = _end_session_url(request)
    if not url:
        local: HttpResponse = sign_in.sign_out(request)
        return local
    services.sign_out(request=request)
    # A page in between: a form may lead nowhere but here (form-action), its redirects neither.
    answer = _page(
        request,
        200,
        title="You are signed out here",
        text="Next your provider signs you out, too.",
        url=url,
        action="Sign out at your provider",
    )
    answer["Refresh"] = f"0; url={url}"
    return answer


def _end_session_url(request: HttpRequest) -> str:
    sealed = request.session.get(_SESSION_KEY)
    if not sealed or not settings.OIDC_ISSUER or not isinstance(request.user, User):
        return ""
    try:
        endpoint = provider.discovered().end_session_endpoint
        token = crypto.unseal(sealed.encode(), context=_context(request.user)).decode()
    except (ProviderUnreachable, crypto.CryptoError) as error:
        # Signing out here must work even when the provider does not.
        log.warning("oidc_sign_out_only_here", error=type(error).__name__)
        return ""
    if not endpoint:
        return ""
    query = urlencode(
        {
            "id_token_hint": token,
            "client_id": settings.OIDC_CLIENT_ID,
            "post_logout_redirect_uri": request.build_absolute_uri(
                f"{reverse('accounts:sign-in')}?signed-out=1"
            ),
        }
    )
    return f"{endpoint}{'&' if '?' in endpoint else '?'}{query}"


def _context(user: User) -> str:
    return f"oidc id token of {user.pk}"


def _refused(request: HttpRequest, refusal: SignInRefused) -> HttpResponse:
    user = refusal.user
    after: dict[str, Any] = {"why": refusal.why, "by": "provider"}
    if refusal.subject:
        after["subject"] = refusal.subject
    if refusal.groups is not None:
        after["groups"] = refusal.groups[:100]
    with transaction.atomic():
        audit(
            actor={"kind": "anonymous", "name": str(user) if user else "unknown"},
            action="sign-in-refused",
            kind="person",
            object_id=str(user.pk) if user else "",
            object_name=str(user) if user else "",
            after=after,
            address=address_of(request),
        )
    return _page(
        request,
        refusal.status,
        title="You are not signed in",
        text=refusal.detail,
        groups=refusal.groups,
        contact=contact.whom_to_ask() if refusal.groups is not None else "",
        contact_url=contact.link(),
        url=reverse("accounts:sign-in"),
        action="Go to the sign-in page",
    )


def _unreachable(request: HttpRequest) -> HttpResponse:
    answer = _page(
        request,
        503,
        title="Your provider does not answer",
        text="Hoopweb asks it who you are and got no usable answer, so nobody is signed in. Try "
        "again in a minute; when it stays so, tell whoever runs Hoopweb here. The log says what "
        "went wrong.",
        url=reverse("accounts:sign-in"),
        action="Go to the sign-in page",
    )
    answer["Retry-After"] = "60"
    return answer


def _page(request: HttpRequest, status: int, **context: Any) -> HttpResponse:
    shown = {"code": status if status >= 400 else "", **context}  # noqa: PLR2004
    return render(request, "accounts/no_access.html", shown, status=status)

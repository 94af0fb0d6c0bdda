"""To the provider and back from it; and to it again, to ask whether its session still lasts."""

import time
from typing import Any

import structlog
from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from mozilla_django_oidc.views import (
    OIDCAuthenticationCallbackView,
    OIDCAuthenticationRequestView,
)

from accounts import attempts, services
from accounts.addresses import address_of
from accounts.middleware import public
from accounts.oidc.backend import BACKEND, library_setting
from accounts.oidc.refusal import ProviderUnreachable, SignInRefused
from accounts.oidc.renewal import RENEWED_AT
from accounts.services import Vouched
from accounts.views import provider as shown
from accounts.views.oidc_sign_out import ID_TOKEN, id_token_context
from hoopweb.lib import crypto

log = structlog.get_logger(__name__)

_START_AGAIN = (
    "This sign-in was not started in this browser, or it took too long. Start it again from the "
    "sign-in page."
)
# What a provider answers when it would have to ask the person something (OpenID Connect Core).
_ASKS = {
    "login_required",
    "interaction_required",
    "account_selection_required",
    "consent_required",
}


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
                return shown.unreachable(request)
            except SignInRefused as refusal:
                return shown.refused(request, refusal)
            return answer

        view.__doc__ = cls.__doc__
        return public(never_cache(require_GET(view)))


class Start(_ByProvider, OIDCAuthenticationRequestView):  # type: ignore[misc]
    """Sends the browser to the provider."""


class Callback(_ByProvider, OIDCAuthenticationCallbackView):  # type: ignore[misc]
    """Takes the browser back from the provider."""

    def get(self, request: HttpRequest) -> HttpResponse:
        attempt = attempts.reserve_answer(address_of(request))
        if attempt is None:
            return shown.too_many(request)
        try:
            answer = self._answer(request)
        except ProviderUnreachable:
            attempts.forgive_answer(attempt)
            raise
        attempts.forgive_answer(attempt)
        return answer

    def _answer(self, request: HttpRequest) -> HttpResponse:
        states = request.session.get("oidc_states")
        state = request.GET.get("state", "")
        if not isinstance(states, dict) or state not in states:
            raise SignInRefused("wrong_state", _START_AGAIN, status=400)
        # Another provider's answer must not be taken to this one.
        if request.GET.get("iss", settings.OIDC_ISSUER) != settings.OIDC_ISSUER:
            raise SignInRefused("wrong_issuer", _START_AGAIN, status=400)
        # Each renewal goes back to its own page, however many tabs renew at once.
        self.renewed_page = str(states[state].get("page") or "")
        if self.renewed_page and request.GET.get("error") in _ASKS:
            return self._over(request, states, state)
        try:
            answer: HttpResponse = super().get(request)
        except SuspiciousOperation as error:
            raise SignInRefused("wrong_state", _START_AGAIN, status=400) from error
        return answer

    def login_success(self) -> HttpResponse:
        request, user = self.request, self.user
        # Read first: signing in empties the session of whoever was here before.
        target = self.renewed_page or self.success_url
        claims = request.oidc_claims
        vouched = Vouched(
            "provider", settings.OIDC_ISSUER, str(claims["sub"]), str(claims.get("sid") or "")
        )
        if request.user == user:
            # No new session: forms that are open in other tabs stay good.
            services.keep_sign_in(request=request, user=user, vouched=vouched)
        else:
            services.sign_in_by_provider(
                request=request, user=user, backend=BACKEND, vouched=vouched
            )
        token = crypto.seal(request.oidc_id_token.encode(), context=id_token_context(user))
        request.session[ID_TOKEN] = token.decode()
        request.session[RENEWED_AT] = int(time.time())
        return HttpResponseRedirect(target)

    def login_failure(self) -> HttpResponse:
        said = self.request.GET.get("error", "no code")[:80]
        raise SignInRefused(
            "refused_by_provider",
            f"Your provider did not sign you in. It says: {said}. Try again, or ask whoever runs "
            "your provider.",
        )

    def _over(self, request: HttpRequest, states: dict[str, Any], state: str) -> HttpResponse:
        """The provider's session has ended, so this one does."""
        del states[state]
        services.end_here(request=request, why="provider's session over")
        query = urlencode({"ended": "1", "next": self.renewed_page})
        return HttpResponseRedirect(f"{reverse('accounts:sign-in')}?{query}")

"""Out of the console: and of the provider, or because the provider says so."""

from urllib.parse import urlencode

import structlog
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from accounts import attempts, services
from accounts.addresses import address_of
from accounts.middleware import public, there_if
from accounts.models import User
from accounts.oidc import logout_token, provider
from accounts.oidc.refusal import ProviderUnreachable, SignInRefused
from accounts.views import saml, sign_in
from accounts.views.provider import page
from hoopweb.lib import crypto

log = structlog.get_logger(__name__)

# Where this browser's session keeps the sealed ID token.
ID_TOKEN = "oidc_id_token"  # noqa: S105 - a name, not a secret


@public
@never_cache
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Out of the console, and of the provider when it let this browser in."""
    url = _end_session_url(request) or saml.logout_url(request)
    if not url:
        local: HttpResponse = sign_in.sign_out(request)
        return local
    services.sign_out(request=request)
    # A page in between: a form may lead nowhere but here (form-action), its redirects neither.
    answer = page(
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
    sealed = request.session.get(ID_TOKEN)
    if not sealed or not settings.OIDC_ISSUER or not isinstance(request.user, User):
        return ""
    try:
        endpoint = provider.discovered().end_session_endpoint
        token = crypto.unseal(sealed.encode(), context=id_token_context(request.user)).decode()
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


@public
@csrf_exempt
@there_if("OIDC_ISSUER")
@never_cache
@sensitive_post_parameters("logout_token")
@require_POST
def back_channel(request: HttpRequest) -> HttpResponse:
    """The provider itself says that a session is over; no browser of that person is involved.

    Not protected against forged forms: the token's signature is what counts.
    """
    address = address_of(request)
    attempt = attempts.reserve_answer(address)
    if attempt is None:
        return _said(429, "slow_down", "Too many tokens from this address did not hold.")
    try:
        told = logout_token.verify(
            request.POST.get("logout_token", ""),
            keys=lambda fresh: provider.keys(fresh=fresh),
            issuer=settings.OIDC_ISSUER,
            client_id=settings.OIDC_CLIENT_ID,
        )
    except ProviderUnreachable as error:
        attempts.forgive_answer(attempt)
        log.warning("oidc_provider_unreachable", detail=error.detail)
        return _said(503, "temporarily_unavailable", "The provider's keys are out of reach.")
    except SignInRefused as refusal:
        services.record_refusal(why=refusal.why, by="logout token", user=None, address=address)
        return _said(400, "invalid_request", refusal.detail)
    if services.end_by_provider(message=told, address=address) is None:
        services.record_refusal(why="replayed", by="logout token", user=None, address=address)
        return _said(400, "invalid_request", "This logout token was taken already.")
    attempts.forgive_answer(attempt)
    return HttpResponse()


def _said(status: int, error: str, detail: str) -> JsonResponse:
    return JsonResponse({"error": error, "error_description": detail}, status=status)


def id_token_context(user: User) -> str:
    return f"oidc id token of {user.pk}"

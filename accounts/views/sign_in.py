"""Into the console and out of it."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.shortcuts import redirect, render, resolve_url
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts import services
from accounts.forms import SignInForm
from accounts.middleware import public, there_if
from accounts.services.sign_in import Outcome

_REFUSED = (
    "This name and this password do not belong together. Check both; after five tries you "
    "have to wait for 15 minutes."
)
_WAIT = (
    "There were too many tries with this name or from this address. Wait for 15 minutes, then "
    "try again, or ask an admin."
)


@public
@never_cache
@sensitive_post_parameters("password")
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in(request: HttpRequest) -> HttpResponse:
    """The local account's form, where local accounts are on, and the way to the provider."""
    target = next_page(request)
    if request.user.is_authenticated:
        return redirect(target)
    local = settings.LOCAL_ACCOUNTS
    if request.method == "POST" and not local:
        # There is nothing here to send anything to.
        return HttpResponseNotAllowed(["GET", "HEAD"])
    form = SignInForm(request.POST if request.method == "POST" else None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            result = services.sign_in(
                request=request,
                name=form.cleaned_data["name"],
                password=form.cleaned_data["password"],
            )
            if result.outcome is Outcome.WELCOME:
                return HttpResponseRedirect(target, status=303)
            status = 429 if result.outcome is Outcome.WAIT else 422
            form.add_error(None, _WAIT if result.outcome is Outcome.WAIT else _REFUSED)
    context = {
        "form": form,
        "local": local,
        "next": target,
        "ways": _ways(),
        "signed_out": request.GET.get("signed-out") == "1",
        "ended": request.GET.get("ended"),
    }
    response = render(request, "accounts/sign_in.html", context, status=status)
    if status == 429:  # noqa: PLR2004
        response["Retry-After"] = "900"
    return response


@public
@there_if("LOCAL_ACCOUNTS")
@require_safe
def local_accounts(request: HttpRequest) -> HttpResponse:
    """Why production should not use local accounts, and what to do instead."""
    return render(request, "accounts/local_accounts.html", {"ways": _ways()})


@public
@never_cache
@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    services.sign_out(request=request)
    return HttpResponseRedirect(f"{reverse('accounts:sign-in')}?signed-out=1", status=303)


def next_page(request: HttpRequest) -> str:
    """Where the person was going, as long as that is here."""
    wanted = request.POST.get("next") or request.GET.get("next") or ""
    safe = url_has_allowed_host_and_scheme(
        wanted, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return wanted if safe else resolve_url(settings.LOGIN_REDIRECT_URL)


def _ways() -> list[dict[str, str]]:
    """The providers that are set up: where each begins, and what its button says."""
    ways = []
    if settings.OIDC_ISSUER:
        ways.append((reverse("oidc_authentication_init"), "OpenID Connect"))
    if settings.SAML_IDP_METADATA or settings.SAML_IDP_ENTITY_ID:
        ways.append((reverse("accounts:saml-start"), "SAML"))
    alone = len(ways) == 1
    return [
        {"url": url, "label": "Sign in with your provider" if alone else f"Sign in with {name}"}
        for url, name in ways
    ]

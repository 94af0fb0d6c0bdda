"""To the SAML provider, back from it in two steps, and out there too.

The provider's answer is a form that another site posts, so the browser sends no cookie with it. The
answer is proved and kept; then the browser comes once more by itself, with its cookie, and only the
one that began is let in.
"""

import uuid
from datetime import UTC, datetime
from functools import wraps
from typing import Any
from uuid import UUID

import structlog
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_POST
from onelogin.saml2.auth import OneLogin_Saml2_Auth

from accounts import attempts, console, services
from accounts.addresses import address_of
from accounts.mapping import Source
from accounts.middleware import public
from accounts.models import SamlSignIn
from accounts.oidc import people
from accounts.oidc.refusal import SignInRefused
from accounts.saml import assertion, configuration, logout
from accounts.saml.people import claims_of
from accounts.services import Vouched
from accounts.views import provider as shown
from accounts.views.sign_in import next_page
from hoopweb.lib import rate

log = structlog.get_logger(__name__)

BACKEND = "django.contrib.auth.backends.ModelBackend"
# In the browser's session: sign-ins that it began, and what the provider calls it.
_BEGUN = "saml_sign_ins"
NAMED = "saml_name"
_MOST_BEGUN = 5
# From one address, behind which a whole office may sit.
STARTS_PER_MINUTE = 120
_START_AGAIN = (
    "This sign-in was not started in this browser, or it took too long. Start it again from the "
    "sign-in page."
)


def _by_saml(view: Any) -> Any:
    """Not there unless SAML is set up; what goes wrong becomes one page that says so."""

    @wraps(view)
    def inner(request: HttpRequest, **named: Any) -> HttpResponse:
        if not configuration.is_set():
            raise Http404
        try:
            answer: HttpResponse = view(request, **named)
        except configuration.Misconfigured as error:
            log.warning("saml_misconfigured", detail=str(error))
            return shown.unreachable(request)
        except SignInRefused as refusal:
            return shown.refused(request, refusal, by="saml")
        return answer

    return public(never_cache(inner))


@_by_saml
@require_GET
def metadata(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """What the provider has to know of this installation."""
    made = configuration.library_settings().get_sp_metadata()
    return HttpResponse(made, content_type="application/samlmetadata+xml")


@_by_saml
@require_GET
def start(request: HttpRequest) -> HttpResponse:
    """Send the browser to the provider."""
    # Each start keeps a row, and anybody may knock.
    if rate.count(f"saml-start:{address_of(request) or 'nowhere'}") > STARTS_PER_MINUTE:
        return shown.too_fast(request)
    sign_in_id = uuid.uuid4()
    auth = OneLogin_Saml2_Auth(
        configuration.request_data("/saml/start/"), configuration.library_settings()
    )
    url = auth.login(return_to=str(sign_in_id))
    services.begin_saml(
        sign_in_id=sign_in_id, request_id=auth.get_last_request_id(), target=next_page(request)
    )
    begun = request.session.get(_BEGUN, [])
    request.session[_BEGUN] = [*begun, str(sign_in_id)][-_MOST_BEGUN:]
    return HttpResponseRedirect(url)


@csrf_exempt
@_by_saml
@sensitive_post_parameters("SAMLResponse")
@require_POST
def acs(request: HttpRequest) -> HttpResponse:
    """Prove what the provider answered, and keep it for the browser that began.

    No token guards this form: it comes from the provider. The signature, the request that it
    answers, and the next step do.
    """
    attempt = attempts.reserve_answer(address_of(request))
    if attempt is None:
        return shown.too_many(request)
    sign_in = _pending(request.POST.get("RelayState", ""))
    found = assertion.verify(request.POST.get("SAMLResponse", ""), request_id=sign_in.request_id)
    taken = services.answer_saml(
        sign_in=sign_in,
        issuer=configuration.provider().entity_id,
        assertion_id=found.id,
        until=found.until,
        answer={
            "claims": claims_of(found),
            "name_format": found.name_format,
            "session": found.session,
            "session_until": found.session_until.timestamp() if found.session_until else None,
        },
    )
    if not taken:
        raise assertion.refused("replayed")
    attempts.forgive_answer(attempt)
    # See Other: the browser comes by GET now, and from here, so that its cookie comes along.
    target = reverse("accounts:saml-finish", args=[sign_in.pk])
    return HttpResponseRedirect(target, status=303)


def _pending(relay_state: str) -> SamlSignIn:
    """The sign-in that an answer belongs to. One that nobody asked for belongs to none."""
    try:
        sign_in_id = UUID(relay_state)
    except ValueError:
        raise SignInRefused("not_asked_for", _START_AGAIN, status=400) from None
    found = SamlSignIn.objects.filter(pk=sign_in_id).first()
    if found is None:
        raise SignInRefused("not_asked_for", _START_AGAIN, status=400)
    if not SamlSignIn.objects.pending().filter(pk=sign_in_id).exists():
        raise assertion.refused("replayed")
    return found


@_by_saml
@require_GET
def finish(request: HttpRequest, sign_in_id: UUID) -> HttpResponse:
    """Let the browser in that began this sign-in."""
    begun = request.session.get(_BEGUN, [])
    if str(sign_in_id) not in begun:
        # Somebody sends this address to a colleague, to have them work under another's name.
        raise SignInRefused("another_browser", _START_AGAIN, status=400)
    request.session[_BEGUN] = [each for each in begun if each != str(sign_in_id)]
    found = services.finish_saml(sign_in_id=sign_in_id)
    if found is None:
        raise SignInRefused("too_late", _START_AGAIN, status=400)
    answer, issuer = found.answer, configuration.provider().entity_id
    claims = answer["claims"]
    user = people.admit(
        claims,
        issuer=issuer,
        source=Source.SAML,
        groups=claims["groups"],
        address=address_of(request),
    )
    services.sign_in_by_provider(
        request=request,
        user=user,
        backend=BACKEND,
        vouched=Vouched("saml", issuer, claims["sub"], answer["session"]),
    )
    request.session[NAMED] = {
        "subject": claims["sub"],
        "name_format": answer["name_format"],
        "session": answer["session"],
    }
    if until := answer["session_until"]:
        # The provider says how long its word holds; never longer than a console session may.
        console.end_by(request, datetime.fromtimestamp(until, UTC))
    return HttpResponseRedirect(found.target)


@_by_saml
@require_GET
def single_logout(request: HttpRequest) -> HttpResponse:
    """The provider ends a session, or says that it has ended ours."""
    if "SAMLRequest" not in request.GET:
        # Its answer: whatever it says, this browser is signed out here already.
        return HttpResponseRedirect(f"{reverse('accounts:sign-in')}?signed-out=1")
    address = address_of(request)
    attempt = attempts.reserve_answer(address)
    if attempt is None:
        return shown.too_many(request)
    if not logout.can_answer():
        raise Http404
    message, answer = logout.verify(request.META["QUERY_STRING"])
    if services.end_by_provider(message=message, address=address) is None:
        raise SignInRefused("replayed", "This logout request was taken already.", status=400)
    attempts.forgive_answer(attempt)
    return HttpResponseRedirect(answer)


def logout_url(request: HttpRequest) -> str:
    """Where this browser has to go to be signed out at the provider too; empty when nowhere."""
    named = request.session.get(NAMED)
    if not named or not configuration.is_set():
        return ""
    try:
        return logout.request_url(**named) if logout.can_answer() else ""
    except configuration.Misconfigured as error:
        log.warning("saml_sign_out_only_here", detail=str(error))
        return ""

"""Every console page needs a signed-in person, unless it says otherwise."""

from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone

from accounts.addresses import address_of
from recordings.models import AuditEntry
from recordings.services import audit


def public(view: Any) -> Any:
    """Mark a view that anyone may open."""
    view.public = True
    return view


def there_if(setting: str) -> Callable[[Any], Any]:
    """A view that is not there, whatever the method, unless ``setting`` is set."""

    def decorate(view: Any) -> Any:
        @wraps(view)
        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if not getattr(settings, setting):
                raise Http404
            answer: HttpResponse = view(request, *args, **kwargs)
            return answer

        return inner

    return decorate


class SignInRequired:
    """Closed by default: a new page is private without anyone remembering to say so."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_view(
        self, request: HttpRequest, view: Any, _args: object, _kwargs: object
    ) -> HttpResponse | None:
        # These answer for themselves, in a form of their own; the API's guide is a page like any.
        own = request.path.startswith(("/api/", "/scim/", "/static/"))
        itself = own and request.path != "/api/docs/"
        if itself or getattr(view, "public", False):
            return None
        if request.user.is_authenticated:
            return None
        return redirect_to_login(request.get_full_path())


# Asking for the same forbidden thing again so soon is the same refusal.
_ONE_REFUSAL = timedelta(minutes=10)


class RefusalsRecorded:
    """What somebody known was refused stands in the audit trail, once per address in a while.

    Only 403s: a 404 says that there is nothing, and whoever is unknown is no one to write down.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        # An API view has put the bearer of its token here.
        who: Any = getattr(request, "user", None)
        if response.status_code == HTTPStatus.FORBIDDEN and getattr(who, "is_authenticated", False):
            self._note(request, who)
        return response

    def _note(self, request: HttpRequest, who: Any) -> None:
        route = request.resolver_match.route if request.resolver_match else ""
        place = f"{request.method} {route}"[:80]
        if AuditEntry.objects.filter(
            actor_id=who.pk,
            action="access-refused",
            object_id=place,
            at__gt=timezone.now() - _ONE_REFUSAL,
        ).exists():
            return
        audit(
            actor=who.as_principal().as_actor(),
            action="access-refused",
            kind="address",
            object_id=place,
            object_name=request.path,
            address=address_of(request),
        )

"""Every console page needs a signed-in person, unless it says otherwise."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.http import Http404, HttpRequest, HttpResponse


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
        # The API answers for itself, in its own form; its guide is a page like any other.
        itself = request.path.startswith(("/api/", "/static/")) and request.path != "/api/docs/"
        if itself or getattr(view, "public", False):
            return None
        if request.user.is_authenticated:
            return None
        return redirect_to_login(request.get_full_path())

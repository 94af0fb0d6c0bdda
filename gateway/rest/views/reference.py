"""The OpenAPI document, the page to try it, and what each problem code means."""

from typing import Any, ClassVar

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.middleware import public
from gateway.rest.door import Door, Scopes
from gateway.rest.meanings import MEANINGS
from gateway.rest.problems import TITLES
from gateway.rest.schema import SETTINGS
from hoopweb.lib.errors import ErrorCode, NotFound


class Document(SpectacularAPIView):
    """The OpenAPI document of this API."""


schema = Document.as_view(custom_settings=SETTINGS)


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """Swagger UI from the sidecar wheel, started by a file of ours: nothing inline."""
    return render(request, "api/docs.html")


@public
@require_safe
def problem_page(request: HttpRequest, code: str) -> HttpResponse:
    """What a code means and what to do; JSON for programs."""
    try:
        known = ErrorCode(code)
    except ValueError:
        raise Http404 from None
    meaning = MEANINGS[known]
    if request.accepts("text/html"):
        context = {"code": code, "title": TITLES[known], "meaning": meaning, "codes": TITLES}
        return render(request, "api/problem.html", context)
    return JsonResponse(
        {
            "code": code,
            "title": TITLES[known],
            "status": meaning.status,
            "happened": meaning.happened,
            "next": meaning.then,
        }
    )


class Nowhere(Door):
    """Any other address below the API."""

    schema: Any = None
    scopes: ClassVar[Scopes] = dict.fromkeys(("GET", "POST", "PUT", "PATCH", "DELETE"))

    @extend_schema(exclude=True)
    def get(self, _request: Request, **_: Any) -> Response:
        raise NotFound(
            "There is no such endpoint. Paths have no trailing slash; /api/schema/ lists them all."
        )

    post = put = patch = delete = get

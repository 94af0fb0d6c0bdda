"""What holds for every answer: a lost store is a 503, and headers are strict."""

from collections.abc import Callable

import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from hoopweb.lib.errors import ErrorCode

log = structlog.get_logger(__name__)
Handler = Callable[[HttpRequest], HttpResponse]


def store_unavailable(request: HttpRequest) -> HttpResponse:
    """The answer when nothing can be recorded: so nothing may run either."""
    if request.path.startswith("/api/"):
        return JsonResponse(
            {
                "type": f"/api/problems/{ErrorCode.STORE_UNAVAILABLE}",
                "title": "The recorder is not available",
                "status": 503,
                "code": ErrorCode.STORE_UNAVAILABLE,
                "detail": "Nothing can be recorded, so nothing runs. Try again in a few seconds "
                "with the same Idempotency-Key.",
            },
            status=503,
            content_type="application/problem+json",
            headers={"Retry-After": "2"},
        )
    return render(None, "errors/503.html", status=503)


class StoreFailure:
    """Turns a failure of Postgres anywhere below into a 503 that says so."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            return self.get_response(request)
        except (OperationalError, InterfaceError) as error:
            # Once a second for as long as the store is away: a line, not a trace.
            log.error("store_unavailable", error=type(error).__name__)  # noqa: TRY400
            return store_unavailable(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, OperationalError | InterfaceError):
            log.error("store_unavailable", error=type(exception).__name__)
            return store_unavailable(request)
        return None


class SecurityHeaders:
    """Headers that Django has no setting for."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.setdefault(
            "Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
        )
        response.setdefault("Cache-Control", "no-store")
        response.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        return response


class RequestName:
    """Gives the answer the id that the logs carry: error pages and toasts quote it."""

    def __init__(self, get_response: Handler) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        # Read before the answer is made: the log's context ends with the request.
        request_id = structlog.contextvars.get_contextvars().get("request_id")
        response = self.get_response(request)
        if request_id:
            response.setdefault("X-Request-ID", str(request_id))
        return response

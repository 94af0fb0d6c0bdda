"""Errors as ``application/problem+json`` (RFC 9457), each with a stable code."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import set_rollback

from hoopweb.lib.errors import ErrorCode, HoopwebError

TITLES = {
    ErrorCode.INVALID_REQUEST: "The request is not valid",
    ErrorCode.NOT_AUTHENTICATED: "Sign-in is needed",
    ErrorCode.NOT_ALLOWED: "Not allowed",
    ErrorCode.NOT_FOUND: "Not found",
    ErrorCode.METHOD_NOT_ALLOWED: "Method not allowed",
    ErrorCode.NOT_ACCEPTABLE: "No such format",
    ErrorCode.UNSUPPORTED_MEDIA_TYPE: "Unsupported media type",
    ErrorCode.CONFLICT: "Conflict",
    ErrorCode.ILLEGAL_TRANSITION: "Too late for that",
    ErrorCode.IDEMPOTENCY_MISMATCH: "The key was used for another request",
    ErrorCode.RESULT_NOT_READY: "No result yet",
    ErrorCode.TOO_LARGE: "Too large",
    ErrorCode.TOO_MANY_REQUESTS: "Too many requests",
    ErrorCode.SELF_APPROVAL: "Nobody approves their own request",
    ErrorCode.STATEMENT_DENIED: "The statement was denied",
    ErrorCode.UPSTREAM_FAILED: "Snowflake refused the statement",
    ErrorCode.STORE_UNAVAILABLE: "The recorder is not available",
    ErrorCode.INTERNAL: "Something failed on our side",
}
_CODES = {
    400: ErrorCode.INVALID_REQUEST,
    401: ErrorCode.NOT_AUTHENTICATED,
    403: ErrorCode.NOT_ALLOWED,
    404: ErrorCode.NOT_FOUND,
    405: ErrorCode.METHOD_NOT_ALLOWED,
    406: ErrorCode.NOT_ACCEPTABLE,
    413: ErrorCode.TOO_LARGE,
    415: ErrorCode.UNSUPPORTED_MEDIA_TYPE,
    429: ErrorCode.TOO_MANY_REQUESTS,
}


class ProblemRenderer(JSONRenderer):
    media_type = "application/problem+json"


def problem(code: ErrorCode, status: int, detail: str, **fields: Any) -> Response:
    """One error body: type, title, status, code, detail, then its own fields."""
    body = {
        "type": f"/api/problems/{code}",
        "title": TITLES[code],
        "status": status,
        "code": str(code),
        "detail": detail,
        **fields,
    }
    return Response(body, status=status, content_type="application/problem+json")


def _details(value: Any, path: str = "") -> list[dict[str, str]]:
    """DRF's nested error lists, flattened to ``[{"field", "detail"}]``."""
    if isinstance(value, dict):
        return [e for k, v in value.items() for e in _details(v, f"{path}.{k}" if path else str(k))]
    if isinstance(value, list):
        return [e for v in value for e in _details(v, path)]
    return [{"field": path, "detail": str(value)}]


def handle(exc: Exception, context: dict[str, Any]) -> Response | None:  # noqa: ARG001
    """DRF's exception handler for every API view."""
    if isinstance(exc, OperationalError | InterfaceError):
        set_rollback()
        answer = problem(
            ErrorCode.STORE_UNAVAILABLE,
            503,
            "Nothing can be recorded, so nothing runs. Try again in a few seconds with the same "
            "Idempotency-Key.",
        )
        answer["Retry-After"] = "2"
        return answer
    if isinstance(exc, HoopwebError):
        set_rollback()
        return problem(exc.code, exc.status, exc.detail, **exc.fields)
    if isinstance(exc, Http404):
        exc = exceptions.NotFound("There is no such thing here, or you may not see it.")
    elif isinstance(exc, PermissionDenied):
        exc = exceptions.PermissionDenied()
    if not isinstance(exc, exceptions.APIException):
        return None
    set_rollback()
    code = _CODES.get(exc.status_code, ErrorCode.INTERNAL)
    if isinstance(exc, exceptions.ValidationError):
        errors = _details(exc.detail)
        first = errors[0] if errors else {"field": "", "detail": "unknown"}
        detail = f"{first['field']}: {first['detail']}" if first["field"] else first["detail"]
        return problem(code, exc.status_code, detail, errors=errors)
    answer = problem(code, exc.status_code, str(exc.detail))
    if isinstance(exc, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        answer["WWW-Authenticate"] = 'Bearer realm="hoopweb"'
    if isinstance(exc, exceptions.Throttled) and exc.wait is not None:
        answer["Retry-After"] = str(int(exc.wait) + 1)
    return answer

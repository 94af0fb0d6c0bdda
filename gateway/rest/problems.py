"""Errors as ``application/problem+json`` (RFC 9457), each with a stable code."""

import traceback
import uuid
from http import HTTPStatus
from typing import Any

import structlog
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, UnreadablePostError
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import set_rollback

from hoopweb.lib.errors import ErrorCode, HoopwebError, StoreUnavailable

log = structlog.get_logger(__name__)

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
    ErrorCode.PROVIDER_UNAVAILABLE: "The identity provider is not available",
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


# Seconds after which the same request may do.
_RETRY_AFTER = {
    ErrorCode.STORE_UNAVAILABLE: "2",
    ErrorCode.PROVIDER_UNAVAILABLE: "30",
    ErrorCode.TOO_MANY_REQUESTS: "60",
}
PROBLEM = "application/problem+json"


class ProblemRenderer(JSONRenderer):
    """JSON under the name that RFC 9457 gives it."""

    media_type = PROBLEM


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
    return Response(body, status=status, content_type=PROBLEM)


def _details(value: Any, path: str = "") -> list[dict[str, str]]:
    """DRF's nested error lists, flattened to ``[{"field", "detail"}]``."""
    if isinstance(value, dict):
        return [e for k, v in value.items() for e in _details(v, f"{path}.{k}" if path else str(k))]
    if isinstance(value, list):
        return [e for v in value for e in _details(v, path)]
    return [{"field": path, "detail": str(value)}]


def handle(exc: Exception, context: dict[str, Any]) -> Response:  # noqa: ARG001
    """DRF's exception handler for every API view."""
    set_rollback()
    if isinstance(exc, OperationalError | InterfaceError):
        exc = StoreUnavailable(
            "Nothing can be recorded, so nothing runs. Try again in a few seconds with the same "
            "Idempotency-Key."
        )
    if isinstance(exc, HoopwebError):
        return _own(exc)
    if isinstance(exc, RequestDataTooBig):
        return problem(ErrorCode.TOO_LARGE, 413, "The body is too large. Send less.")
    exc = _as_api(exc)
    if isinstance(exc, exceptions.APIException):
        return _theirs(exc)
    return _unforeseen(exc)


def _as_api(exc: Exception) -> Exception:
    """Django's errors as DRF's."""
    if isinstance(exc, SuspiciousOperation | UnreadablePostError):
        return exceptions.ParseError("The request could not be read.")
    if isinstance(exc, Http404):
        return exceptions.NotFound("There is no such thing here, or you may not see it.")
    if isinstance(exc, PermissionDenied):
        return exceptions.PermissionDenied()
    return exc


def _own(exc: HoopwebError) -> Response:
    fields = dict(exc.fields)
    if isinstance(fields.get("errors"), dict):
        fields["errors"] = _details(fields["errors"])
    if name := fields.pop("field", None):
        fields["errors"] = [{"field": str(name), "detail": exc.detail}]
    answer = problem(exc.code, exc.status, exc.detail, **fields)
    if exc.code in _RETRY_AFTER:
        answer["Retry-After"] = _RETRY_AFTER[exc.code]
    if "retry_after" in exc.fields:
        answer["Retry-After"] = str(exc.fields["retry_after"])
    if exc.status == HTTPStatus.UNAUTHORIZED:
        answer["WWW-Authenticate"] = 'Bearer realm="hoopweb", error="invalid_token"'
    return answer


def _theirs(exc: exceptions.APIException) -> Response:
    code = _CODES.get(exc.status_code, ErrorCode.INTERNAL)
    if isinstance(exc, exceptions.ValidationError):
        errors = _details(exc.detail)
        first = errors[0] if errors else {"field": "", "detail": "unknown"}
        detail = f"{first['field']}: {first['detail']}" if first["field"] else first["detail"]
        return problem(code, exc.status_code, detail, errors=errors)
    answer = problem(code, exc.status_code, str(exc.detail))
    if isinstance(exc, exceptions.NotAuthenticated | exceptions.AuthenticationFailed):
        answer["WWW-Authenticate"] = 'Bearer realm="hoopweb"'
    wait = getattr(exc, "wait", None)
    if isinstance(exc, exceptions.Throttled) and wait is not None:
        answer["Retry-After"] = str(int(wait) + 1)
    return answer


def _unforeseen(exc: Exception) -> Response:
    reference = uuid.uuid4().hex[:12]
    frames = traceback.extract_tb(exc.__traceback__)[-6:]
    where = [f"{f.filename.rpartition('/')[2]}:{f.lineno} {f.name}" for f in frames]
    # The message stays out of the log: a database's may quote what a statement said.
    log.error("api_failed", reference=reference, error=type(exc).__name__, where=where)
    return problem(
        ErrorCode.INTERNAL,
        500,
        "Something failed on our side. If you sent a statement, ask for it again with the same "
        "Idempotency-Key: it runs once. Tell an admin the reference.",
        reference=reference,
    )

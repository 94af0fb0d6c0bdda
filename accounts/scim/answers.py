"""Answers in SCIM's own form, errors included."""

import json
from typing import Any

import structlog
from django.db import InterfaceError, OperationalError
from django.http import HttpResponse
from pydantic import ValidationError
from scim2_models import Error, SCIMException

from hoopweb.lib.errors import HoopwebError
from hoopweb.lib.strict_json import NotReadable

log = structlog.get_logger(__name__)
_BAD = 400
_KEYWORDS = {400: "invalidValue", 409: "uniqueness"}
MEDIA_TYPE = "application/scim+json"


class Refused(Exception):
    """An answer that is no success: its status, words, and RFC 7644's keyword if there is one."""

    def __init__(
        self, status: int, detail: str, scim_type: str = "", headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status, self.detail, self.scim_type = status, detail, scim_type
        self.headers = headers or {}


def answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> HttpResponse:
    """A body that is JSON already, or None."""
    content = b"" if body is None else json.dumps(body).encode()
    return HttpResponse(content, status=status, content_type=MEDIA_TYPE, headers=headers)


def error(status: int, detail: str, scim_type: str = "", **headers: str) -> HttpResponse:
    body = Error(status=status, detail=detail, scim_type=scim_type or None).model_dump()
    return answer(body, status, headers)


def of_exception(raised: Exception) -> HttpResponse:
    """The answer to whatever went wrong; what nobody foresaw says nothing of itself."""
    if isinstance(raised, Refused):
        return error(raised.status, raised.detail, raised.scim_type, **raised.headers)
    if isinstance(raised, SCIMException):
        return error(raised.status, str(raised), raised.scim_type)
    if isinstance(raised, ValidationError):
        first = Error.from_validation_errors(raised)[0]
        return error(first.status or _BAD, first.detail or "", first.scim_type or "")
    if isinstance(raised, HoopwebError):
        return error(raised.status, raised.detail, _KEYWORDS.get(raised.status, ""))
    return _unreadable_or_unforeseen(raised)


def _unreadable_or_unforeseen(raised: Exception) -> HttpResponse:
    if isinstance(raised, NotReadable | RecursionError):
        return error(_BAD, str(raised) or "This is nested too deeply.", "invalidSyntax")
    if isinstance(raised, OperationalError | InterfaceError):
        return error(503, "Nothing can be recorded, so nothing changes.", **{"Retry-After": "2"})
    # Its message stays out of the log: a database's may quote what was sent.
    log.error("scim_failed", error=type(raised).__name__)
    return error(500, "Something failed on our side. Try again, and tell an admin of Hoopweb.")

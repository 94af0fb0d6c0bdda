"""Errors that a caller may see: a code for machines, a sentence for people, a status for doors."""

from enum import StrEnum
from typing import Any


class ErrorCode(StrEnum):
    """Stable names; clients branch on them. The value never changes once released."""

    INVALID_REQUEST = "invalid-request"
    NOT_AUTHENTICATED = "not-authenticated"
    NOT_ALLOWED = "not-allowed"
    NOT_FOUND = "not-found"
    METHOD_NOT_ALLOWED = "method-not-allowed"
    NOT_ACCEPTABLE = "not-acceptable"
    UNSUPPORTED_MEDIA_TYPE = "unsupported-media-type"
    CONFLICT = "conflict"
    ILLEGAL_TRANSITION = "illegal-transition"
    IDEMPOTENCY_MISMATCH = "idempotency-mismatch"
    RESULT_NOT_READY = "result-not-ready"
    TOO_LARGE = "too-large"
    TOO_MANY_REQUESTS = "too-many-requests"
    SELF_APPROVAL = "self-approval"
    STATEMENT_DENIED = "statement-denied"
    UPSTREAM_FAILED = "upstream-failed"
    STORE_UNAVAILABLE = "store-unavailable"
    PROVIDER_UNAVAILABLE = "provider-unavailable"
    INTERNAL = "internal"


class HoopwebError(Exception):
    """Base of every error that a door renders. ``fields`` are shown to the caller."""

    code = ErrorCode.INTERNAL
    status = 500

    def __init__(self, detail: str, **fields: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.fields = fields


class InvalidRequest(HoopwebError):
    code = ErrorCode.INVALID_REQUEST
    status = 400


class NotAllowed(HoopwebError):
    code = ErrorCode.NOT_ALLOWED
    status = 403


class SelfApproval(NotAllowed):
    code = ErrorCode.SELF_APPROVAL


class NotFound(HoopwebError):
    code = ErrorCode.NOT_FOUND
    status = 404


class Conflict(HoopwebError):
    code = ErrorCode.CONFLICT
    status = 409


class IllegalTransition(Conflict):
    code = ErrorCode.ILLEGAL_TRANSITION


class IdempotencyMismatch(Conflict):
    code = ErrorCode.IDEMPOTENCY_MISMATCH
    status = 422


class TooManyRequests(HoopwebError):
    """``retry_after`` among its fields: seconds until it is worth another try."""

    code = ErrorCode.TOO_MANY_REQUESTS
    status = 429


class StoreUnavailable(HoopwebError):
    code = ErrorCode.STORE_UNAVAILABLE
    status = 503

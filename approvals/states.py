"""The life of an approval request."""

from enum import StrEnum


class RequestState(StrEnum):
    """``APPROVED`` may still be revoked while the statement has not started; the rest is final."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    REVOKED = "revoked"


TRANSITIONS: frozenset[tuple[RequestState, RequestState]] = frozenset(
    {
        (RequestState.PENDING, RequestState.APPROVED),
        (RequestState.PENDING, RequestState.REJECTED),
        (RequestState.PENDING, RequestState.EXPIRED),
        (RequestState.PENDING, RequestState.WITHDRAWN),
        (RequestState.APPROVED, RequestState.REVOKED),
    }
)

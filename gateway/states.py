"""The life of a statement."""

from enum import StrEnum


class StatementState(StrEnum):
    RECEIVED = "received"
    DENIED = "denied"
    AWAITING_APPROVAL = "awaiting_approval"
    QUEUED = "queued"
    REJECTED = "rejected"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


S = StatementState
TRANSITIONS: frozenset[tuple[StatementState, StatementState]] = frozenset(
    {
        (S.RECEIVED, S.DENIED),
        (S.RECEIVED, S.AWAITING_APPROVAL),
        (S.RECEIVED, S.QUEUED),
        (S.AWAITING_APPROVAL, S.QUEUED),
        (S.AWAITING_APPROVAL, S.REJECTED),
        (S.AWAITING_APPROVAL, S.EXPIRED),
        (S.AWAITING_APPROVAL, S.WITHDRAWN),
        (S.QUEUED, S.RUNNING),
        (S.QUEUED, S.WITHDRAWN),
        (S.RUNNING, S.SUCCEEDED),
        (S.RUNNING, S.FAILED),
        (S.RUNNING, S.CANCELLED),
        (S.RUNNING, S.UNKNOWN),
        (S.UNKNOWN, S.SUCCEEDED),
        (S.UNKNOWN, S.FAILED),
    }
)
# UNKNOWN is not final: Snowflake will be asked.
FINAL = frozenset(S) - {source for source, _ in TRANSITIONS}

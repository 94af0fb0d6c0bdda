"""Refusals as drivers know them: six digits, an SQLSTATE, a text that says what to do.

Drivers show ``message`` to whoever runs them; HTTP statuses other than 200 lose it.
"""

from gateway import logins, wire_sessions
from gateway.claiming import BY_SENDER
from gateway.models import Statement
from gateway.states import StatementState
from hoopweb.lib.errors import (
    HoopwebError,
    InvalidRequest,
    NotAllowed,
    NotFound,
)

DENIED, NOT_PERMITTED = "003001", "42501"
CANCELLED, CANCELLED_STATE = "000604", "57014"
NOT_RUNNING = "000605"
NO_RESULT = "000612"
EXPIRED, OVER, MASTER_EXPIRED = "390112", "390111", "390114"


# The first that fits.
_CODES: dict[type[HoopwebError], tuple[str, str]] = {
    NotFound: ("390201", NOT_PERMITTED),
    NotAllowed: ("390201", NOT_PERMITTED),
    InvalidRequest: ("000900", "42601"),
    HoopwebError: ("390400", "08001"),
}


class Refusal(Exception):
    """An answer with ``success: false``."""

    def __init__(
        self, code: str, message: str, sqlstate: str = "42000", query_id: str | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.sqlstate = sqlstate
        self.query_id = query_id


def refusal_of(error: Exception) -> Refusal | None:
    """What a known error of ours is to a driver."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, wire_sessions.TokenExpired):
        return Refusal(EXPIRED, "The session token has expired. Renew it.", "08001")
    if isinstance(error, logins.LoginOver):
        return Refusal(MASTER_EXPIRED, str(error), "08001")
    if isinstance(error, wire_sessions.SessionOver):
        return Refusal(OVER, str(error), "08003")
    if not isinstance(error, HoopwebError):
        return None
    found = next(codes for kind, codes in _CODES.items() if isinstance(error, kind))
    return Refusal(found[0], error.detail, found[1])


def refusal_for(statement: Statement) -> Refusal:
    """Why a final statement has no rows."""
    query_id = statement.upstream_query_id or str(statement.pk)
    state = StatementState(statement.state)
    if state == StatementState.FAILED:
        code = statement.error_code if statement.error_code.isdigit() else "390400"
        return Refusal(
            code.zfill(6), statement.error_text, statement.error_state or "42000", query_id
        )
    withdrawn = state == StatementState.WITHDRAWN and statement.error_text == BY_SENDER
    if state == StatementState.CANCELLED or withdrawn:
        return Refusal(CANCELLED, "SQL execution canceled", CANCELLED_STATE, query_id)
    return Refusal(DENIED, _words(statement), NOT_PERMITTED, query_id)


_HOW = {
    StatementState.DENIED: "denied",
    StatementState.REJECTED: "rejected by a reviewer",
    StatementState.EXPIRED: "not approved in time",
    StatementState.WITHDRAWN: "withdrawn",
}


def _words(statement: Statement) -> str:
    how = _HOW.get(StatementState(statement.state), str(statement.state))
    parts = [f"Hoopweb: the statement was {how}, so it did not run."]
    if statement.error_text:
        parts.append(statement.error_text)
    for reason in statement.reasons:
        rule = f"Rule {reason['rule']}: " if reason.get("rule") else ""
        parts.append(f"{rule}{reason['text']}")
        if reason.get("way_out") and statement.state == StatementState.DENIED:
            parts.append(reason["way_out"])
    parts.append(f"(statement {statement.pk})")
    return " ".join(part.strip() for part in parts if part.strip())

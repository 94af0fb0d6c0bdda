"""The recorded rows of a statement, or the problem that says why there are none."""

import pyarrow as pa

from gateway.models import Statement
from gateway.results import read_result
from gateway.states import StatementState
from hoopweb.lib.errors import Conflict, ErrorCode

_ENDED = {
    StatementState.REJECTED: "A reviewer rejected the statement, so it never ran.",
    StatementState.EXPIRED: "Nobody approved the statement in time, so it never ran.",
    StatementState.WITHDRAWN: "The statement was taken back before it ran.",
    StatementState.CANCELLED: "The statement was cancelled while it ran.",
}


class Denied(Conflict):
    """Policy said no; the reasons say what would be allowed."""

    code = ErrorCode.STATEMENT_DENIED


class Failed(Conflict):
    """Snowflake said no."""

    code = ErrorCode.UPSTREAM_FAILED


def read(statement: Statement) -> pa.Table:
    """Raises a Conflict of the kind that fits the state."""
    state = StatementState(statement.state)
    if state == StatementState.DENIED:
        way = next((r["way_out"] for r in statement.reasons if r.get("way_out")), "")
        why = next((r["text"] for r in statement.reasons if r.get("text")), "Policy denied it.")
        raise Denied(f"{why} {way}".strip(), state=str(state), reasons=statement.reasons)
    if state == StatementState.FAILED:
        raise Failed(
            statement.error_text or "The statement failed.",
            state=str(state),
            upstream_code=statement.error_code,
        )
    if state in _ENDED:
        raise Conflict(f"{_ENDED[state]} There are no rows.", state=str(state))
    return read_result(statement)

"""What is said to Snowflake with a statement, and what its refusals are called."""

import math
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from connections.upstream.binds import to_bindings
from connections.upstream.errors import StatementTimedOut, UpstreamError
from connections.upstream.types import Bindings
from connections.upstream.wire import Reply

CANCELLED = "000604"
TIMED_OUT = "000630"
_CANCELLED_STATE = "57014"


def body(
    sql: str,
    *,
    asynchronous: bool,
    sequence: int,
    binds: Bindings | Sequence[Any] | None,
    tag: str | None,
    timeout: float | None,
    parameters: Mapping[str, Any] | None,
    describe_only: bool,
    context: Iterable[Mapping[str, Any]],
) -> dict[str, Any]:
    """The request's body; limits are Snowflake's to keep too, should we be gone by then."""
    settings = dict(parameters or {})
    if tag is not None:
        settings["QUERY_TAG"] = tag
    if timeout is not None:
        settings["STATEMENT_TIMEOUT_IN_SECONDS"] = max(1, math.ceil(timeout))
    made: dict[str, Any] = {
        "sqlText": sql,
        "asyncExec": asynchronous,
        "sequenceId": sequence,
        "querySubmissionTime": int(time.time() * 1000),
        "describeOnly": describe_only,
        "parameters": settings,
        "queryContextDTO": {"entries": list(context)},
    }
    if binds:
        made["bindings"] = to_bindings(binds)
    return made


def failed(reply: Reply, query_id: str | None) -> UpstreamError:
    """The error that a refusal is."""
    error = reply.error(query_id)
    if error.code not in {TIMED_OUT, CANCELLED}:
        return error
    kind = StatementTimedOut if error.code == TIMED_OUT else UpstreamError
    return kind(error.code, error.sqlstate or _CANCELLED_STATE, error.message, error.query_id)

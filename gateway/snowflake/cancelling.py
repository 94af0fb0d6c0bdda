"""Cancelling by calling a function, as Snowpark does: ``abort-request`` in the shape of SQL.

Its ids are the gateway's own, which Snowflake does not know. So what is the caller's to cancel is
cancelled here, and recorded as every cancellation is; any other call is judged as a statement.
"""

import re
import uuid
from typing import TYPE_CHECKING

from starlette.responses import Response

from gateway import admission, services, wire_batches, wire_sessions
from gateway.models import Statement
from gateway.snowflake import batches, replies, running
from gateway.snowflake.hops import hop
from gateway.snowflake.polling import statement_of
from gateway.states import FINAL
from hoopweb.lib.errors import Conflict

if TYPE_CHECKING:
    from gateway.snowflake.queries import Ask

_CALL = re.compile(
    r"\s*SELECT\s+SYSTEM\$(CANCEL_ALL_QUERIES|CANCEL_QUERY)\s*"
    r"\(\s*'?([0-9A-Fa-f-]{1,36})'?\s*\)\s*;?\s*",
    re.IGNORECASE,
)
_SELECT = 0x1000


async def answer(ask: "Ask") -> Response | None:
    """The answer to a call that names what is the caller's; None for every other text."""
    call = _CALL.fullmatch(ask.sql)
    if call is None or ask.describe_only or ask.detached:
        return None
    function, named = call[1].upper(), call[2]
    mine = await hop(_cancel, ask, function, named)
    if mine is None:
        return None
    for statement in mine:
        await running.stop(statement.pk)
    said = f"{len(mine)} queries terminated."
    if function == "CANCEL_QUERY":
        said = f"query [{named}] terminated." if mine else f"query [{named}] is not running."
    column = f"SYSTEM${function}"
    query_id = str(uuid.uuid4())
    return replies.success(replies.one_text(column, said, query_id=query_id, type_id=_SELECT))


def _cancel(ask: "Ask", function: str, named: str) -> list[Statement] | None:
    """What was cancelled; None when the call names nothing of this session's agent."""
    session = wire_sessions.find(ask.token)
    principal = admission.admit(session, ask.address)
    if function == "CANCEL_QUERY":
        statement = statement_of(session, named)
        if statement is None:
            return None
        found = [statement]
    else:
        if named != str(session.number):
            return None
        found = list(Statement.objects.filter(wire_session=session).exclude(state__in=FINAL))
        for batch in session.batches.filter(stopped_at=None):
            if batches.current(batch, session) is not None:
                wire_batches.stop(batch.pk)
    cancelled = []
    for statement in found:
        if statement.is_final:
            continue
        try:
            services.cancel(statement_id=statement.pk, by=principal)
        except Conflict:
            # Its fate is being asked for; nobody can change it now.
            continue
        cancelled.append(statement)
    return cancelled

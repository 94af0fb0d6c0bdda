"""What the recording says of a statement up to its sending."""

from typing import Any

from gateway import contexts
from gateway.models import Statement
from gateway.requests import StatementRequest
from recordings import services as recordings
from recordings.kinds import EventKind


def opening(request: StatementRequest, statement: Statement) -> list[recordings.Entry]:
    """What was asked, as the recording has it."""
    actor = statement.actor()
    said: list[recordings.Entry] = []
    if request.prompt and not request.prompt_known:
        said.append(
            recordings.Entry(
                kind=EventKind.PROMPT,
                actor=actor,
                statement_id=statement.pk,
                data={"text": request.prompt},
            )
        )
    if request.reason:
        said.append(
            recordings.Entry(
                kind=EventKind.MESSAGE,
                actor=actor,
                statement_id=statement.pk,
                data={"role": "reasoning", "text": request.reason},
            )
        )
    bound = (
        {
            "binds": recordings.store_payload(
                session_id=statement.session_id,
                content=statement.binds.encode(),
                media_type="application/json",
            )
        }
        if request.binds
        else {}
    )
    data: dict[str, Any] = {
        "sql": request.sql,
        "binds": len(request.binds),
        "request_id": request.request_id,
        "prompt_given": bool(request.prompt),
    }
    if request.describe_only:
        data["describe_only"] = True
    if request.trace:
        data["trace"] = request.trace
    said.append(
        recordings.Entry(
            kind=EventKind.STATEMENT,
            actor=actor,
            statement_id=statement.pk,
            payloads=bound,
            data=data,
        )
    )
    return said


def decision(statement: Statement, judged: dict[str, Any]) -> recordings.Entry:
    return recordings.Entry(
        kind=EventKind.DECISION,
        actor={"kind": "system", "id": "", "name": "Policy"},
        statement_id=statement.pk,
        data=judged,
    )


def intent(statement: Statement, judged: dict[str, Any], worker: str) -> recordings.Entry:
    """What is about to be sent, as it has to be committed first."""
    return recordings.Entry(
        kind=EventKind.INTENT,
        actor=recordings.SYSTEM,
        statement_id=statement.pk,
        data={
            "sql_sent": judged["sql_sent"],
            "digest": judged["digest"],
            "connection": statement.connection.name,
            "role": contexts.place_of(statement)["role"],
            "upstream_request_id": str(statement.pk),
            "worker": worker,
        },
    )

"""The one way in which a statement changes state."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from approvals import notify
from approvals.models import ApprovalRequest
from gateway.models import Statement, Transition
from gateway.states import FINAL, TRANSITIONS, StatementState
from hoopweb.lib.errors import IllegalTransition


def lock(statement_id: UUID) -> Statement:
    """The statement, locked for the caller's transaction; its approval request first.

    Deciding on a request locks the request and then the statement. Everyone keeps that order, so
    that a reviewer, a canceller and a worker never wait for each other in a ring.
    """
    approval_id = Statement.objects.values_list("approval_id", flat=True).get(pk=statement_id)
    if approval_id is not None:
        ApprovalRequest.objects.select_for_update().get(pk=approval_id)
    return (
        Statement.objects.select_for_update(of=("self",))
        .select_related("connection", "session")
        .get(pk=statement_id)
    )


@dataclass(frozen=True, slots=True)
class Step:
    """A statement, where it goes next, one state after the other, and what is saved with that."""

    statement: Statement
    path: Sequence[StatementState]
    fields: Mapping[str, Any]


def begin(statement: Statement, path: Sequence[StatementState], **fields: Any) -> None:
    """Save a new statement that has already come as far as the end of ``path``.

    Raises IllegalTransition.
    """
    begin_all([Step(statement, path, fields)])


def begin_all(steps: Sequence[Step]) -> None:
    """The same for several statements. Nobody knows them yet, so nobody is told."""
    moved = [transition for step in steps for transition in follow(step)]
    Statement.objects.bulk_create([step.statement for step in steps])
    Transition.objects.bulk_create(moved)


# What the end of a statement leaves in its row, and how Postgres calls that.
END = {
    "state": "text",
    "finished_at": "timestamptz",
    "upstream_query_id": "text",
    "result_id": "uuid",
    "columns": "jsonb",
    "row_count": "bigint",
    "truncated": "bool",
    "findings": "jsonb",
    "error_code": "text",
    "error_text": "text",
    "error_state": "text",
}
_SAVE_ENDS = (
    "UPDATE gateway_statement AS statement SET {} FROM unnest({}) AS new (id, {}) ".format(  # noqa: S608 - from the names above
        ", ".join(f"{name} = new.{name}" for name in END),
        ", ".join(f"%s::{kind}[]" for kind in ("uuid", *END.values())),
        ", ".join(END),
    )
    + "WHERE statement.id = new.id"
)


def finish_all(steps: Sequence[Step]) -> None:
    """Move locked statements to their end, several by one statement of the database."""
    moved = [transition for step in steps for transition in follow(step)]
    rows = [step.statement for step in steps]
    columns = [
        [json.dumps(getattr(row, name)) if kind == "jsonb" else getattr(row, name) for row in rows]
        for name, kind in END.items()
    ]
    with connection.cursor() as cursor:
        cursor.execute(_SAVE_ENDS, [[row.pk for row in rows], *columns])
    Transition.objects.bulk_create(moved)


def follow(step: Step) -> list[Transition]:
    """Bring the row, not saved yet, to the end of the path. Raises IllegalTransition."""
    statement = step.statement
    source = StatementState(statement.state)
    moved = []
    for target in step.path:
        if (source, target) not in TRANSITIONS:
            raise IllegalTransition(f"A statement that is {source} cannot become {target}.")
        moved.append(Transition(statement=statement, source=source, target=target))
        source = target
    for name, value in step.fields.items():
        setattr(statement, name, value)
    if source in FINAL and statement.finished_at is None:
        statement.finished_at = timezone.now()
    statement.state = source
    return moved


def move(statement: Statement, target: StatementState, **fields: Any) -> None:
    """Move a locked statement in the caller's transaction; ``fields`` are saved with it.

    Raises IllegalTransition.
    """
    source = StatementState(statement.state)
    if (source, target) not in TRANSITIONS:
        raise IllegalTransition(
            f"This statement is {source} and can no longer become {target}.", state=str(source)
        )
    Transition.objects.create(statement=statement, source=source, target=target)
    if target in FINAL:
        fields.setdefault("finished_at", timezone.now())
    for name, value in fields.items():
        setattr(statement, name, value)
    statement.state = target
    statement.save(update_fields=["state", *fields])
    from gateway.waiting import wake

    wake(statement.pk)
    _tell(statement)


def _tell(statement: Statement) -> None:
    if statement.approval_id is None:
        # Only the page of an approval request shows a statement live.
        return
    notify.row_changed(
        "statement",
        statement.pk,
        connection_id=statement.connection_id,
        people=(statement.owner_id, statement.principal_id),
    )

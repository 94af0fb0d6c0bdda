"""The one way in which a statement changes state."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

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


def begin(statement: Statement, path: Sequence[StatementState], **fields: Any) -> None:
    """Save a new statement that has already come as far as the end of ``path``.

    Raises IllegalTransition.
    """
    source = StatementState(statement.state)
    steps = []
    for target in path:
        if (source, target) not in TRANSITIONS:
            raise IllegalTransition(f"A statement that is {source} cannot become {target}.")
        steps.append(Transition(statement=statement, source=source, target=target))
        source = target
    if source in FINAL:
        fields.setdefault("finished_at", timezone.now())
    for name, value in fields.items():
        setattr(statement, name, value)
    statement.state = source
    statement.save(force_insert=True)
    Transition.objects.bulk_create(steps)
    _tell(statement)


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
    notify.row_changed(
        "statement",
        statement.pk,
        connection_id=statement.connection_id,
        people=(statement.owner_id, statement.principal_id),
    )

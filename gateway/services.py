"""What people and agents may do to a statement after it was sent."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.principal import Principal
from approvals import services as approvals
from gateway import waiting
from gateway.claiming import BY_SENDER, withdraw
from gateway.models import Statement
from gateway.moves import lock
from gateway.states import StatementState
from hoopweb.lib.errors import Conflict, NotFound
from recordings import services as recordings
from recordings.kinds import EventKind


@transaction.atomic
def cancel(*, statement_id: UUID, by: Principal, reason: str = "") -> Statement:
    """Stop a statement wherever it is: withdrawn while it waits, aborted while it runs.

    A finished one is returned as it is. Raises NotFound for anyone but the one who sent it and
    the owner who answers for it, and Conflict while its fate is unknown.
    """
    found = Statement.objects.filter(pk=statement_id).first()
    if found is None or by.id not in (found.principal_id, found.owner_id):
        raise NotFound("There is no such statement.")
    return stop(statement_id=statement_id, actor=by.as_actor(), reason=reason)


@transaction.atomic
def stop(*, statement_id: UUID, actor: dict[str, Any], reason: str = "") -> Statement:
    """Stop a statement for whoever may: the one who sent it, or the gateway itself.

    Raises Conflict while its fate is unknown, or while it has not been judged yet.
    """
    statement = lock(statement_id)
    if statement.state == StatementState.AWAITING_APPROVAL and statement.approval_id:
        approvals.withdraw(request_id=statement.approval_id, actor=actor, reason=reason)
    elif statement.state == StatementState.QUEUED:
        withdraw(statement, actor=actor, reason=reason or BY_SENDER)
    elif statement.state == StatementState.RUNNING:
        if statement.cancel_requested_at is None:
            recordings.append(
                session_id=statement.session_id,
                kind=EventKind.CANCELLED,
                actor=actor,
                statement_id=statement.pk,
                data={"by": actor["name"], "reason": reason},
            )
            statement.cancel_requested_at = timezone.now()
            statement.save(update_fields=["cancel_requested_at"])
            waiting.ask_to_stop(statement.pk)
    elif not statement.is_final:
        raise Conflict(
            f"The statement is {statement.state}; it cannot be cancelled now. Ask again shortly.",
            state=statement.state,
        )
    statement.refresh_from_db()
    return statement

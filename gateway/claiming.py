"""Taking a queued statement, when all that permitted it still holds."""

import os
import secrets
import socket
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from approvals import services as approvals
from connections.models import Connection
from connections.policy.types import Effect
from gateway import records, standing
from gateway.entries import intent
from gateway.judging import judge_statement
from gateway.models import Statement, WireSession
from gateway.moves import lock, move
from gateway.pipeline import record_decision
from gateway.states import StatementState
from hoopweb.metrics import RECORD_SECONDS
from recordings import services as recordings
from recordings.kinds import EventKind

WORKER = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(3)}"
SYSTEM = approvals.SYSTEM
# The words of a withdrawal by whoever asked: it is their own cancelling, not a refusal.
BY_SENDER = "Withdrawn by the one who sent it."


@transaction.atomic
def claim(statement_id: UUID) -> Statement | None:
    """Take a queued statement and commit the intent to run it; None when there is nothing to do.

    All that permitted it is checked again here, under lock: access, deadline, approval, and the
    judgement itself when rules or catalogue have changed since.
    """
    statement = lock(statement_id)
    if statement.state != StatementState.QUEUED:
        return None
    statement.connection = Connection.objects.select_related("credential").get(
        pk=statement.connection_id
    )
    hindrance = _hindrance(statement)
    if hindrance is not None:
        withdraw(statement, actor=SYSTEM, reason=hindrance)
        return None
    now = timezone.now()
    with RECORD_SECONDS.time():
        judged = {"sql_sent": statement.sql_sent, "digest": statement.digest}
        recordings.append_all(
            session_id=statement.session_id, entries=[intent(statement, judged, WORKER)]
        )
        move(statement, StatementState.RUNNING, worker=WORKER, started_at=now, heartbeat_at=now)
    return statement


def withdraw(statement: Statement, *, actor: dict[str, Any], reason: str) -> None:
    """Take a locked queued statement back, with the reason in its record."""
    recordings.append(
        session_id=statement.session_id,
        kind=EventKind.CANCELLED,
        actor=actor,
        statement_id=statement.pk,
        data={"by": actor["name"], "reason": reason},
    )
    move(statement, StatementState.WITHDRAWN, error_code="withdrawn", error_text=reason)


def _hindrance(statement: Statement) -> str | None:
    """Why a queued statement may no longer run, in words for the one who asked."""
    if statement.deadline is not None and statement.deadline <= timezone.now():
        return "The statement's deadline passed before it could run."
    if (ended := standing.ended(statement)) is not None:
        return ended
    if statement.wire_session_id is not None and not _session_is_as_judged(statement):
        return (
            "The session that this statement was sent in has ended, or works with another role, "
            "warehouse or variables now. Send it again."
        )
    return _rejudge(statement) or _unapproved(statement)


def _unapproved(statement: Statement) -> str | None:
    """Use up the approval, or look whether the grant still holds."""
    if statement.approval_id is not None:
        return approvals.use(request_id=statement.approval_id, digest=statement.digest)
    if statement.grant_id is not None and not approvals.holds(grant_id=statement.grant_id):
        return "The grant that let this statement run was revoked or has ended. Send it again."
    return None


def _session_is_as_judged(statement: Statement) -> bool:
    """Whether the driver's session still has what the statement was judged with. Places may have
    changed: the judged text names everything in full.
    """
    assert statement.wire_session_id is not None
    session = WireSession.objects.get(pk=statement.wire_session_id)
    now, then = session.context, statement.context
    same = all((now.get(k) or None) == (then.get(k) or None) for k in ("role", "warehouse"))
    variables = (now.get("variables") or {}) == (then.get("variables") or {})
    return session.ended_at is None and same and variables


def _rejudge(statement: Statement) -> str | None:
    """Judge again when rules or catalogue moved on; None when the statement may still run."""
    connection = statement.connection
    seen = (statement.policy_revision, statement.catalogue_version)
    digest_now = records.digest(statement.sql_upstream, statement)
    if seen == (connection.policy_revision, connection.catalogue_version):
        # The connection itself (role, warehouse) may have been edited meanwhile.
        if digest_now == statement.digest:
            return None
        return "The connection changed after this statement was judged. Send it again."
    verdict = judge_statement(statement, connection)
    judged = records.judged(verdict, statement)
    if judged["digest"] == statement.digest and verdict.decision.effect != Effect.DENY:
        covered = (
            statement.approval_id is not None
            or statement.grant_id is not None
            or verdict.decision.effect == Effect.ALLOW
        )
        if covered:
            return None
    if verdict.decision.effect == Effect.ALLOW and statement.approval_id is None:
        # Nobody promised anything about the older text: run what is right now.
        record_decision(statement, judged)
        judged["sql_upstream"] = verdict.sql_sent or ""
        for name, value in judged.items():
            setattr(statement, name, value)
        statement.save(update_fields=list(judged))
        return None
    return (
        "The rules or the catalogue changed after this statement was judged, and it needs "
        "judging anew. Send it again."
    )

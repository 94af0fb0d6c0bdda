"""The way of a statement, from a door to its place in the queue. Nothing else knows the order.

==========  =========================  ==============================================
stage       home                       hands on
==========  =========================  ==============================================
request     a door                     ``StatementRequest``
identity    accounts.authentication    ``Principal``
receive     here                       ``Statement`` in state received, events committed
analysis    connections.judge          ``Verdict`` (facts, decision, the text to send)
decision    here                       denied, awaiting approval, or queued
approval    approvals.services         ``ApprovalRequest``, bound to the digest
execution   gateway.execution          intent, rows, mask, outcome
==========  =========================  ==============================================
"""

import json
import time
from datetime import timedelta
from uuid import UUID

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.principal import Principal, TokenScope
from approvals import services as approvals
from connections.judge import Verdict
from connections.models import Connection
from connections.policy.types import Effect, ReviewTerms
from gateway import records
from gateway.judging import judge_statement
from gateway.models import Statement
from gateway.moves import lock, move
from gateway.queueing import enqueue
from gateway.requests import StatementRequest, check
from gateway.states import StatementState
from hoopweb.lib.errors import IdempotencyMismatch, NotAllowed, NotFound
from hoopweb.metrics import DECISION_SECONDS, RECORD_SECONDS
from recordings import services as recordings
from recordings.kinds import EventKind
from recordings.models import Session

log = structlog.get_logger(__name__)
TITLE_LENGTH = 120


def submit(request: StatementRequest, *, principal: Principal) -> Statement:
    """Take a statement in, record it, judge it, and send it on its way.

    A repeated request id joins the statement that it named first. Raises NotAllowed for a token
    that is not for running statements, InvalidRequest, NotFound, Conflict or IdempotencyMismatch;
    a denial is a state, not an error.
    """
    if not principal.allows(TokenScope.RUN):
        raise NotAllowed(
            f"This token is not for {TokenScope.RUN}. Ask the agent's owner for one that is.",
            scope=str(TokenScope.RUN),
        )
    check(request)
    statement = receive(request, principal=principal)
    structlog.contextvars.bind_contextvars(
        statement_id=str(statement.pk), session_id=str(statement.session_id)
    )
    return decide(statement.pk)


def receive(request: StatementRequest, *, principal: Principal) -> Statement:
    """Commit the statement and its first events, or find the one that the request id names."""
    found = _same(request, principal)
    if found is not None:
        return found
    connection = Connection.objects.usable_by(principal).filter(pk=request.connection_id).first()
    if connection is None:
        raise NotFound("There is no such connection, or you may not use it.")
    try:
        with RECORD_SECONDS.time(), transaction.atomic():
            return _receive(request, principal, connection)
    except IntegrityError:
        # The same request arrived twice at once and the other one was first.
        found = _same(request, principal)
        if found is None:
            raise
        return found


def _same(request: StatementRequest, principal: Principal) -> Statement | None:
    found = Statement.objects.filter(
        principal_id=principal.id, request_id=request.request_id
    ).first()
    if found is not None and found.request_digest != request.digest():
        raise IdempotencyMismatch(
            "This request id was used for another statement. Use a new one.",
            statement=str(found.pk),
        )
    return found


def _receive(request: StatementRequest, principal: Principal, connection: Connection) -> Statement:
    session = _session(request, principal, connection)
    actor = principal.as_actor()
    statement = Statement.objects.create(
        session=session,
        connection=connection,
        principal_kind=principal.kind,
        principal_id=principal.id,
        principal_name=principal.name,
        owner_id=principal.owner_id,
        principal=records.principal(principal),
        door=request.door,
        request_id=request.request_id,
        request_digest=request.digest(),
        prompt=request.prompt,
        sql_given=request.sql,
        binds=json.dumps(request.binds) if request.binds else "",
        deadline=request.deadline,
    )
    if request.prompt:
        recordings.append(
            session_id=session.pk,
            kind=EventKind.PROMPT,
            actor=actor,
            statement_id=statement.pk,
            data={"text": request.prompt},
        )
    if request.reason:
        recordings.append(
            session_id=session.pk,
            kind=EventKind.MESSAGE,
            actor=actor,
            statement_id=statement.pk,
            data={"role": "reasoning", "text": request.reason},
        )
    bound = (
        {
            "binds": recordings.store_payload(
                session_id=session.pk,
                content=statement.binds.encode(),
                media_type="application/json",
            )
        }
        if request.binds
        else {}
    )
    recordings.append(
        session_id=session.pk,
        kind=EventKind.STATEMENT,
        actor=actor,
        statement_id=statement.pk,
        payloads=bound,
        data={
            "sql": request.sql,
            "binds": len(request.binds),
            "request_id": request.request_id,
            "prompt_given": bool(request.prompt),
        },
    )
    return statement


def _session(request: StatementRequest, principal: Principal, connection: Connection) -> Session:
    mine = Session.objects.open().filter(principal_id=principal.id, connection_id=connection.pk)
    if request.session_id is not None:
        session = mine.filter(pk=request.session_id).first()
        if session is None:
            raise NotFound("There is no open session of yours with this id on this connection.")
        return session
    recent = timezone.now() - timedelta(minutes=settings.SESSION_IDLE_MINUTES)
    session = mine.filter(door=request.door, last_event_at__gt=recent).first()
    if session is not None:
        return session
    return recordings.open_session(
        actor=principal.as_actor(),
        owner_id=principal.owner_id,
        connection_id=connection.pk,
        connection_name=connection.name,
        door=request.door,
        client=request.client[:200],
        address=request.address,
        title=" ".join((request.prompt or request.sql).split())[:TITLE_LENGTH],
    )


def decide(statement_id: UUID) -> Statement:
    """Judge a received statement and move it on. Safe to call again: only the first call acts."""
    statement = Statement.objects.select_related("connection").get(pk=statement_id)
    if statement.state != StatementState.RECEIVED:
        return statement
    started = time.perf_counter()
    verdict = judge_statement(statement, statement.connection)
    DECISION_SECONDS.observe(time.perf_counter() - started)
    with RECORD_SECONDS.time(), transaction.atomic():
        locked = lock(statement_id)
        if locked.state != StatementState.RECEIVED:
            return locked
        locked.connection = statement.connection
        _settle(locked, verdict)
    log.info("decided", effect=str(verdict.decision.effect), state=locked.state)
    return locked


def _settle(statement: Statement, verdict: Verdict) -> None:
    """Record the decision and act on it, in the caller's transaction."""
    judged = records.judged(verdict, statement)
    record_decision(statement, judged)
    statement.sql_upstream = verdict.sql_sent or ""
    statement.save(update_fields=["sql_upstream"])
    effect = verdict.decision.effect
    if effect == Effect.DENY or verdict.sql_sent is None:
        move(statement, StatementState.DENIED, **judged)
        return
    if effect == Effect.ALLOW:
        move(statement, StatementState.QUEUED, **judged)
        enqueue(statement)
        return
    grant = approvals.use_grant(
        connection=statement.connection,
        principal_id=statement.principal_id,
        digest=judged["digest"],
    )
    if grant is not None:
        move(statement, StatementState.QUEUED, grant=grant, **judged)
        enqueue(statement)
        return
    terms = verdict.decision.terms or ReviewTerms()
    request = approvals.open_request(
        approvals.Ask(
            statement_id=statement.pk,
            session_id=statement.session_id,
            connection=statement.connection,
            actor=statement.actor(),
            owner_id=statement.owner_id,
            digest=judged["digest"],
            prompt=statement.prompt,
            sql_given=statement.sql_given,
            sql_sent=judged["sql_sent"],
            binds=statement.binds,
            statement_class=judged["statement_class"],
            facts=judged["facts"],
            reasons=judged["reasons"],
            protections=judged["protections"],
            reviewers=terms.reviewers,
            votes_needed=terms.votes,
            expires_minutes=terms.expires_minutes,
            policy_revision=judged["policy_revision"],
            catalogue_version=judged["catalogue_version"],
        )
    )
    move(statement, StatementState.AWAITING_APPROVAL, approval=request, **judged)


def record_decision(statement: Statement, judged: dict[str, object]) -> None:
    """The decision event, as the replay shows it."""
    recordings.append(
        session_id=statement.session_id,
        kind=EventKind.DECISION,
        actor={"kind": "system", "id": "", "name": "Policy"},
        statement_id=statement.pk,
        data=judged,
    )


__all__ = ["StatementRequest", "decide", "receive", "record_decision", "submit"]

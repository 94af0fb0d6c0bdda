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
from typing import Any
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
from gateway import entries, records
from gateway.judging import judge_statement
from gateway.models import Statement
from gateway.moves import begin, lock, move
from gateway.queueing import enqueue
from gateway.requests import StatementRequest, check
from gateway.states import StatementState
from hoopweb.lib import rate
from hoopweb.lib.errors import IdempotencyMismatch, NotAllowed, NotFound, TooManyRequests
from hoopweb.metrics import DECISION_SECONDS, RECORD_SECONDS
from recordings import services as recordings
from recordings.models import Session

log = structlog.get_logger(__name__)
TITLE_LENGTH = 120


def submit(request: StatementRequest, *, principal: Principal) -> Statement:
    """Take a statement in, record it, judge it, and send it on its way.

    A repeated request id joins the statement that it named first. Raises NotAllowed for a token
    that is not for running statements, TooManyRequests, InvalidRequest, NotFound, Conflict or
    IdempotencyMismatch; a denial is a state, not an error.
    """
    _may_send(principal)
    if rate.count(f"all-statements:{principal.id}") > settings.STATEMENTS_PER_MINUTE:
        raise TooManyRequests(
            f"More than {settings.STATEMENTS_PER_MINUTE} statements in a minute. Wait, then go on "
            "with the same request id.",
            retry_after=int(rate.wait()) + 1,
        )
    check(request)
    statement = receive(request, principal=principal)
    structlog.contextvars.bind_contextvars(
        statement_id=str(statement.pk), session_id=str(statement.session_id)
    )
    return decide(statement.pk)


def _may_send(principal: Principal) -> None:
    if not principal.allows(TokenScope.RUN):
        raise NotAllowed(
            f"This token is not for {TokenScope.RUN}. Ask the agent's owner for one that is.",
            scope=str(TokenScope.RUN),
        )


def take(request: StatementRequest, *, principal: Principal, worker: str) -> tuple[Statement, bool]:
    """As ``submit``, for a door whose own process runs what is allowed; and whether the statement
    is new.

    An allowed statement comes back running, claimed by ``worker``, with its intent committed: what
    the way through the queue does in four transactions is done in one. Anything else comes back
    as ``submit`` leaves it; so does a repeated request, which joins and never runs again.
    """
    _may_send(principal)
    check(request)
    found = _same(request, principal)
    if found is not None:
        return found, False
    connection = _connection(request, principal)
    statement = _made(request, principal, connection)
    started = time.perf_counter()
    verdict = judge_statement(statement, connection)
    DECISION_SECONDS.observe(time.perf_counter() - started)
    try:
        with RECORD_SECONDS.time(), transaction.atomic():
            session = _session(request, principal, connection)
            return _taken(request, statement, session, verdict, worker), True
    except IntegrityError:
        found = _same(request, principal)
        if found is None:
            raise
        return found, False


def _taken(
    request: StatementRequest,
    statement: Statement,
    session: Session,
    verdict: Verdict,
    worker: str,
) -> Statement:
    """Record a new statement and its decision at once, in the caller's transaction."""
    statement.session = session
    judged = records.judged(verdict, statement)
    statement.sql_upstream = verdict.sql_sent or ""
    said = [*entries.opening(request, statement), entries.decision(statement, judged)]
    effect = _effect(statement, verdict)
    if effect == Effect.ALLOW and _still_so(statement):
        now = timezone.now()
        said.append(entries.intent(statement, judged, worker))
        path = (StatementState.QUEUED, StatementState.RUNNING)
        begin(statement, path, **judged, worker=worker, started_at=now, heartbeat_at=now)
    elif effect == Effect.DENY:
        begin(statement, (StatementState.DENIED,), **judged)
    else:
        # It waits for somebody, or was overtaken by a change of the rules: the longer way.
        begin(statement, ())
        recordings.append_all(session_id=session.pk, entries=said[:-1])
        return _decided_anew(statement, verdict)
    recordings.append_all(session_id=session.pk, entries=said)
    return statement


def _decided_anew(statement: Statement, verdict: Verdict) -> Statement:
    if not _still_so(statement):
        verdict = judge_statement(statement, Connection.objects.get(pk=statement.connection_id))
    _settle(statement, verdict)
    return statement


def _still_so(statement: Statement) -> bool:
    """Whether rules and catalogue are still those that the statement was judged by."""
    judged_by = statement.connection
    return Connection.objects.filter(
        pk=judged_by.pk,
        is_active=True,
        policy_revision=judged_by.policy_revision,
        catalogue_version=judged_by.catalogue_version,
    ).exists()


def receive(request: StatementRequest, *, principal: Principal) -> Statement:
    """Commit the statement and its first events, or find the one that the request id names."""
    found = _same(request, principal)
    if found is not None:
        return found
    connection = _connection(request, principal)
    try:
        with RECORD_SECONDS.time(), transaction.atomic():
            statement = _made(request, principal, connection)
            statement.session = _session(request, principal, connection)
            statement.save(force_insert=True)
            recordings.append_all(
                session_id=statement.session_id, entries=entries.opening(request, statement)
            )
            return statement
    except IntegrityError:
        # The same request arrived twice at once and the other one was first.
        found = _same(request, principal)
        if found is None:
            raise
        return found


def _connection(request: StatementRequest, principal: Principal) -> Connection:
    connection = Connection.objects.usable_by(principal).filter(pk=request.connection_id).first()
    if connection is None:
        raise NotFound("There is no such connection, or you may not use it.")
    return connection


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


def _made(request: StatementRequest, principal: Principal, connection: Connection) -> Statement:
    """The row of a new statement, not saved yet."""
    return Statement(
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
        binds=json.dumps(request.bound) if request.binds else "",
        deadline=request.deadline,
        wire_session_id=request.wire_session_id,
        context=dict(request.context),
        describe_only=request.describe_only,
        detached=request.detached,
    )


def _session(request: StatementRequest, principal: Principal, connection: Connection) -> Session:
    # What an agent does for one person is not recorded with what it does for another.
    mine = Session.objects.open().filter(
        principal_id=principal.id,
        connection_id=connection.pk,
        on_behalf_of=principal.on_behalf_of or "",
    )
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
    effect = _effect(statement, verdict)
    if effect == Effect.DENY:
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
            behind_id=statement.principal.get("on_behalf_of_id"),
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


def _effect(statement: Statement, verdict: Verdict) -> Effect:
    """What the decision means for this statement."""
    effect = verdict.decision.effect
    if effect == Effect.DENY or verdict.sql_sent is None:
        return Effect.DENY
    if statement.describe_only:
        # Its columns may be told to whoever may ask for it; nothing of it runs.
        return Effect.ALLOW
    return effect


def record_decision(statement: Statement, judged: dict[str, Any]) -> None:
    """The decision event, as the replay shows it."""
    recordings.append_all(
        session_id=statement.session_id, entries=[entries.decision(statement, judged)]
    )


__all__ = [
    "StatementRequest",
    "decide",
    "receive",
    "record_decision",
    "submit",
    "take",
]

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
from collections.abc import Collection, Sequence
from dataclasses import dataclass
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
from gateway import entries, ledger, records
from gateway.admission import Versions
from gateway.judging import judge_statement, verdict_before
from gateway.models import Statement
from gateway.moves import Step, begin, begin_all, lock, move
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
        raise _too_many()
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


def _may_send_more(principal: Principal) -> None:
    """Drivers send by the hundred: asking Valkey for each would cost more than judging it, so
    their statements are counted by each process for itself.
    """
    if rate.count_here(f"wire-statements:{principal.id}") > settings.STATEMENTS_PER_MINUTE:
        raise _too_many()


def _too_many() -> TooManyRequests:
    return TooManyRequests(
        f"More than {settings.STATEMENTS_PER_MINUTE} statements in a minute. Wait, then go on "
        "with the same request id.",
        retry_after=int(rate.wait()) + 1,
    )


@dataclass(frozen=True, slots=True)
class Judged:
    """A request that has been judged and not been recorded yet. ``statement`` is its row to be."""

    request: StatementRequest
    principal: Principal
    statement: Statement
    verdict: Verdict

    @property
    def connection(self) -> Connection:
        return self.statement.connection

    @property
    def effect(self) -> Effect:
        return _effect(self.statement, self.verdict)


def take(request: StatementRequest, *, principal: Principal, worker: str) -> tuple[Statement, bool]:
    """As ``submit``, for a door whose own process runs what is allowed; and whether the statement
    is new.

    An allowed statement comes back running, claimed by ``worker``, with its intent committed: what
    the way through the queue does in four transactions is done in one. Anything else comes back
    as ``submit`` leaves it; so does a repeated request, which joins and never runs again.
    """
    connection = _connection(request, principal)
    return take_one(judged(request, principal=principal, connection=connection), worker)


def take_one(each: Judged, worker: str) -> "Took":
    """Take one judged request, or join what its request id names. Raises as ``submit`` does."""
    found = _same(each.request, each.principal)
    if found is not None:
        return found, False
    try:
        (taken,) = take_all([each], worker)
    except IntegrityError:
        found = _same(each.request, each.principal)
        if found is None:
            raise
        return found, False
    if isinstance(taken, Exception):
        raise taken
    return taken


def judged(request: StatementRequest, *, principal: Principal, connection: Connection) -> Judged:
    """The first half of ``take``, which writes nothing. ``connection`` must be one that the
    principal may use. Raises as ``submit`` does.
    """
    _may_send(principal)
    _may_send_more(principal)
    check(request)
    statement = _made(request, principal, connection)
    started = time.perf_counter()
    verdict = judge_statement(statement, connection)
    DECISION_SECONDS.observe(time.perf_counter() - started)
    return Judged(request, principal, statement, verdict)


def judged_before(
    request: StatementRequest, *, principal: Principal, connection: Connection
) -> Judged | None:
    """As ``judged`` for a text that was judged before in the same circumstances: nothing is asked
    of the database, and little of the processor. None for any other.
    """
    _may_send(principal)
    check(request)
    statement = _made(request, principal, connection)
    started = time.perf_counter()
    verdict = verdict_before(statement, connection)
    if verdict is None:
        return None
    DECISION_SECONDS.observe(time.perf_counter() - started)
    _may_send_more(principal)
    return Judged(request, principal, statement, verdict)


Took = tuple[Statement, bool]


def take_quickly(
    asked: Sequence[Judged], admitted: Sequence[Versions], worker: str
) -> list[Took | Exception] | None:
    """As ``take_all`` in one statement of the database, which also looks whether ``admitted``, by
    which all of them were judged, still stand. None where nothing was written.
    """
    quick = [each for each in asked if each.effect in (Effect.ALLOW, Effect.DENY)]
    if any(each.request.binds for each in quick):
        return None  # values are payloads, which are stored first
    with RECORD_SECONDS.time():
        steps, said = _steps(quick, worker)
        if steps and not ledger.begin_all(steps, said, admitted):
            return None
    taken = {each.statement.pk for each in quick}
    return [
        (each.statement, True) if each.statement.pk in taken else _slowly(each) for each in asked
    ]


def take_all(asked: Sequence[Judged], worker: str) -> list[Took | Exception]:
    """The second half of ``take`` for all that arrived together: one transaction for what is
    allowed or denied, one each for what waits for somebody.

    What is raised, was raised before anything was recorded: the caller takes them one by one then.
    """
    with RECORD_SECONDS.time(), transaction.atomic():
        quick = _record_quickly(asked, worker)
    return [
        (each.statement, True) if each.statement.pk in quick else _slowly(each) for each in asked
    ]


def _slowly(each: Judged) -> Took | Exception:
    try:
        _record_slowly(each)
    except IntegrityError as error:
        found = _same(each.request, each.principal)
        return error if found is None else (found, False)
    except Exception as error:  # noqa: BLE001 - the others are recorded
        return error
    return each.statement, True


def _record_quickly(asked: Sequence[Judged], worker: str) -> set[UUID]:
    """Record what needs nobody, with its decision and, where allowed, its intent; their ids.

    What somebody must decide on is left out, and what was overtaken by a change of the rules.
    """
    unchanged = _unchanged({each.connection for each in asked})
    steps, said = _steps(
        [
            each
            for each in asked
            if each.connection.pk in unchanged and each.effect in (Effect.ALLOW, Effect.DENY)
        ],
        worker,
    )
    if steps:
        begin_all(steps)
        recordings.append_many(said)
    return {step.statement.pk for step in steps}


def _steps(
    asked: Sequence[Judged], worker: str
) -> tuple[list[Step], dict[UUID, list[recordings.Entry]]]:
    """Where each goes, and what its recording says of that."""
    steps: list[Step] = []
    said: dict[UUID, list[recordings.Entry]] = {}
    for each in asked:
        statement = each.statement
        statement.state = StatementState.RECEIVED  # an earlier try may have got further
        statement.session_id = _session_id(each)
        told = records.judged(each.verdict, statement)
        statement.sql_upstream = each.verdict.sql_sent or ""
        entry = said.setdefault(statement.session_id, [])
        entry += [*entries.opening(each.request, statement), entries.decision(statement, told)]
        if each.effect == Effect.ALLOW:
            entry.append(entries.intent(statement, told, worker))
            now = timezone.now()
            path = (StatementState.QUEUED, StatementState.RUNNING)
            run = {"worker": worker, "started_at": now, "heartbeat_at": now}
            steps.append(Step(statement, path, {**told, **run}))
        else:
            steps.append(Step(statement, (StatementState.DENIED,), told))
    return steps, said


def _record_slowly(each: Judged) -> None:
    statement, verdict = each.statement, each.verdict
    with RECORD_SECONDS.time(), transaction.atomic():
        statement.state = StatementState.RECEIVED
        statement.session_id = _session_id(each)
        begin(statement, ())
        recordings.append_all(
            session_id=statement.session_id, entries=entries.opening(each.request, statement)
        )
        if not _unchanged({each.connection}):
            verdict = judge_statement(statement, Connection.objects.get(pk=each.connection.pk))
        _settle(statement, verdict)


def _session_id(each: Judged) -> UUID:
    request = each.request
    if request.wire_session_id is not None and request.session_id is not None:
        # The recording of a driver's session is its own; an ended one takes no more events.
        return request.session_id
    return _session(request, each.principal, each.connection).pk


def _unchanged(judged_by: Collection[Connection]) -> set[UUID]:
    """Those whose rules and catalogue are still those that were judged by."""
    now = Connection.objects.filter(pk__in=[each.pk for each in judged_by], is_active=True)
    standing = set(now.values_list("pk", "policy_revision", "catalogue_version"))
    return {
        each.pk
        for each in judged_by
        if (each.pk, each.policy_revision, each.catalogue_version) in standing
    }


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
    "Judged",
    "StatementRequest",
    "decide",
    "judged",
    "judged_before",
    "receive",
    "record_decision",
    "submit",
    "take",
    "take_all",
    "take_quickly",
]

"""Ending what is open when access ends: statements that wait, are queued or run, and sessions."""

import uuid
from collections.abc import Collection

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts.models import Agent, AgentToken
from accounts.signals import Change
from approvals import services as approvals
from gateway import standing
from gateway.models import Statement, WireSession
from gateway.services import stop
from gateway.states import StatementState
from hoopweb.lib.errors import Conflict, IllegalTransition
from recordings import services as recordings
from recordings.models import Session

log = structlog.get_logger(__name__)
SYSTEM = approvals.SYSTEM
GRANT_REVOKED = "The grant that let this statement run was revoked."


def cut(change: Change) -> int:
    """Look again at all that is open for those whom a change concerns, and end what may not go
    on; returns how many statements and sessions. Safe to repeat.
    """
    holders = set(change.agents) | set(change.people)
    holders |= set(Agent.objects.filter(owner__in=change.people).values_list("pk", flat=True))
    tokens = list(AgentToken.objects.filter(key_id__in=change.tokens).values_list("pk", flat=True))
    statements = Statement.objects.unfinished().filter(
        Q(principal_id__in=holders)
        | Q(connection_id__in=change.connections)
        | Q(principal__token__in=list(change.tokens))
        | Q(principal__on_behalf_of_id__in=[str(each) for each in change.people])
        | Q(grant_id__in=change.grants)
    )
    done = sum(_cut_statement(each, change.grants) for each in statements)
    sessions = Session.objects.open()
    by_token = sessions.filter(
        Q(statements__principal__token__in=list(change.tokens))
        | Q(pk__in=WireSession.objects.filter(agent_token_id__in=tokens).values("recording_id"))
    )
    done += sum(_end(each, standing.TOKEN_REVOKED) for each in by_token.distinct())
    people = [str(each) for each in change.people]
    concerned = Q(principal_id__in=holders) | Q(connection_id__in=change.connections)
    drivers = _delegated().filter(
        concerned | Q(principal__on_behalf_of_id__in=people), recording__in=sessions
    )
    acting = sessions.filter(
        Q(statements__principal__on_behalf_of_id__in=people) | Q(pk__in=drivers.values("recording"))
    )
    done += _end_delegated(acting.distinct())
    return done + _end_all(sessions.filter(concerned))


def cut_lost() -> int:
    """What a lost word left open: everything that is open is looked at. Returns how many ended."""
    done = sum(_cut_statement(each, ()) for each in Statement.objects.unfinished())
    drivers = Session.objects.open().filter(pk__in=_delegated().values("recording"))
    return done + _end_delegated(drivers) + _end_all(Session.objects.open())


def end_after(statement_id: uuid.UUID) -> None:
    """End the session of a statement that was running when its access ended."""
    statement = Statement.objects.select_related("session").get(pk=statement_id)
    if statement.cancel_requested_at is None or not statement.session.is_open:
        return
    why = standing.ended(statement)
    if why is not None:
        _end(statement.session, why)


def _cut_statement(statement: Statement, grants: Collection[uuid.UUID]) -> bool:
    by_grant = statement.grant_id is not None and statement.grant_id in grants
    why = GRANT_REVOKED if by_grant else standing.ended(statement)
    if why is None or statement.state == StatementState.UNKNOWN:
        return False
    try:
        stop(statement_id=statement.pk, actor=SYSTEM, reason=why)
    except (Conflict, IllegalTransition):
        return False  # it has just moved on; what comes next asks again
    return True


def _delegated() -> QuerySet[WireSession]:
    """Drivers' open sessions in which an agent acts for a person who is known here."""
    return WireSession.objects.filter(ended_at=None).exclude(principal__on_behalf_of_id=None)


def _end_delegated(sessions: QuerySet[Session]) -> int:
    found = ((each, standing.delegation_ended(each)) for each in sessions)
    return sum(_end(each, why) for each, why in found if why is not None)


def _end_all(sessions: QuerySet[Session]) -> int:
    reasons: dict[tuple[uuid.UUID, uuid.UUID], str | None] = {}
    done = 0
    for session in sessions:
        key = (session.principal_id, session.connection_id)
        if key not in reasons:
            reasons[key] = standing.session_ended(session)
        if (why := reasons[key]) is not None:
            done += _end(session, why)
    return done


def _end(session: Session, why: str) -> bool:
    """End and seal a session. One whose statement still runs is ended by whoever ends that."""
    with transaction.atomic():
        WireSession.objects.filter(recording=session, ended_at=None).update(ended_at=timezone.now())
    try:
        recordings.close_session(session_id=session.pk, actor=SYSTEM, reason=why)
    except Conflict:
        return False
    log.info("session_cut", session_id=str(session.pk), why=why)
    return True

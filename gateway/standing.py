"""Whether what somebody began may still go on: asked of the database, each time anew."""

import uuid
from collections.abc import Mapping
from typing import Any

from accounts.authentication import stays_within_person, was_revoked
from accounts.models import Agent, User
from accounts.principal import PrincipalKind
from connections.models import Connection
from gateway.models import Statement, WireSession
from recordings.models import Session

AGENT_DISABLED = "The agent that sent this was disabled."
OWNER_DISABLED = "The person who answers for this agent was disabled."
BEHIND_DISABLED = "The person for whom this was sent was disabled."
PERSON_DISABLED = "The person who sent this was disabled."
TOKEN_REVOKED = "The token or the identity that this came with was taken back."  # noqa: S105 - words, not a token
ACCESS_ENDED = "The access that this statement arrived with has ended."


def ended(statement: Statement) -> str | None:
    """Why a statement may no longer go on, in words for the one who sent it; None when it may."""
    return _ended(
        statement.principal_kind,
        statement.principal_id,
        statement.connection_id,
        statement.principal,
    )


def session_ended(session: Session) -> str | None:
    """The same for a session, whoever it is for."""
    return _ended(session.principal_kind, session.principal_id, session.connection_id, {})


def delegation_ended(session: Session) -> str | None:
    """The same for a session in which an agent acts for a person who is known here."""
    kept = (
        WireSession.objects.filter(recording=session).values_list("principal", flat=True).last()
        or Statement.objects.filter(session=session).values_list("principal", flat=True).first()
        or {}
    )
    return _ended(session.principal_kind, session.principal_id, session.connection_id, kept)


def _ended(
    kind: str, holder_id: uuid.UUID, connection_id: uuid.UUID, kept: Mapping[str, Any]
) -> str | None:
    if kind == PrincipalKind.AGENT:
        agent = Agent.objects.select_related("owner").filter(pk=holder_id).first()
        if agent is None or not agent.is_active:
            return AGENT_DISABLED
        if not agent.owner.is_active:
            return OWNER_DISABLED
        behind = kept.get("on_behalf_of_id")
        if behind and not User.objects.filter(pk=behind, is_active=True).exists():
            return BEHIND_DISABLED
        # One that has run out took its statements in while it was good; one that was revoked
        # may never have been in the right hands.
        token = kept.get("token", "")
        if was_revoked(token):
            return TOKEN_REVOKED
        bound = kept.get("token_connections")
        limited = None if bound is None else [uuid.UUID(each) for each in bound]
        principal = agent.as_principal(
            connections=limited,
            on_behalf_of_id=uuid.UUID(behind) if behind else None,
            within_person=bool(behind) and stays_within_person(token),
        )
    else:
        person = User.objects.filter(pk=holder_id, is_active=True).first()
        if person is None:
            return PERSON_DISABLED
        principal = person.as_principal()
    usable = Connection.objects.usable_by(principal).filter(pk=connection_id).exists()
    return None if usable else ACCESS_ENDED

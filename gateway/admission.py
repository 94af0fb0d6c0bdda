"""Whether whoever opened a driver's session may still send through it, asked each time anew."""

import time
from dataclasses import dataclass, replace
from uuid import UUID

from django.db import connection

from accounts import networks
from accounts.authentication import principal_by_token
from accounts.models import Agent, AgentIdentity, AgentToken, User
from accounts.principal import Principal, PrincipalKind
from connections.models import Connection
from gateway import wire_sessions
from gateway.models import WireSession
from gateway.wire_sessions import SessionOver
from hoopweb.lib.errors import NotFound


def admit(session: WireSession, address: str | None) -> Principal:
    """Who sends through this session, as things stand now. Raises SessionOver.

    Asked with every statement: whoever was disabled, or whose token was revoked, is out at once.
    """
    principal = _holder(session, address)
    if principal is None:
        raise SessionOver(
            "The access that this session was opened with has ended: its token was revoked or has "
            "expired, or is not accepted from your network, or the agent was disabled. Ask the "
            "agent's owner, then connect again."
        )
    return principal


@dataclass(frozen=True, slots=True)
class Admitted:
    """A driver's session, who sends through it, and the connection that they may use."""

    session: WireSession
    principal: Principal
    connection: Connection


def admitted(token: str, address: str | None) -> Admitted:
    """Who sends with a session's token, and through what. Raises TokenExpired, SessionOver, or
    NotFound where the connection may no longer be used.

    Drivers send statement after statement: what was found a moment ago stands as long as the
    versions of all rows that it was read from do. So a change counts with the next statement.
    """
    known = _known.get((token, address))
    now = time.monotonic()
    if known is not None and known.stands(now):
        return known.admitted
    session = wire_sessions.find(token)
    versions = _versions(session)
    principal = admit(session, address)
    found = Admitted(session, principal, connection_of(session, principal))
    _known.pop((token, address), None)
    # The session was read before the versions were: it may be an older one.
    if versions and versions[0] == session.version:
        _known[token, address] = _Known(found, versions, now)
        while len(_known) > _MOST:
            _known.pop(next(iter(_known)), None)
    return found


def connection_of(session: WireSession, principal: Principal) -> Connection:
    """The session's connection. Raises NotFound when the principal may not use it now."""
    usable = Connection.objects.usable_by(principal).filter(pk=session.connection_id)
    found = usable.first()
    if found is None:
        raise NotFound("There is no such connection, or you may not use it.")
    return found


@dataclass(frozen=True, slots=True)
class _Known:
    admitted: Admitted
    versions: tuple[str, ...]
    since: float

    def stands(self, now: float) -> bool:
        return now - self.since < _STANDS and _versions(self.admitted.session) == self.versions


# What ends by the clock alone (a token, a grant) is noticed within so many seconds.
_STANDS = 1.0
_MOST = 1024
_known: dict[tuple[str, str | None], _Known] = {}
_ROWS = [
    "session",
    "connection",
    "token",
    "agent",
    "owner",
    "person",
    "identity",
    "issuer",
    "rule",
    "behind",
]
_TEAMS = """(SELECT string_agg(team.xmin || team.ctid::text, ' ' ORDER BY team.id)
    FROM accounts_{0}_teams mine JOIN accounts_team team ON team.id = mine.team_id
    WHERE mine.{0}_id IN ({1}))"""
# Postgres marks each version of a row by the transaction that wrote it and by where it lies.
_VERSIONS = f"""
    SELECT {", ".join(f"{row}.xmin || {row}.ctid::text" for row in _ROWS)},
        recording.ended_at::text,
        (SELECT string_agg(access.xmin || access.ctid::text, ' ' ORDER BY access.id)
            FROM connections_access access WHERE access.connection_id = session.connection_id),
        {_TEAMS.format("agent", "agent.id")},
        {_TEAMS.format("user", "behind.id, person.id")}
    FROM gateway_wiresession session
    JOIN recordings_session recording ON recording.id = session.recording_id
    JOIN connections_connection connection ON connection.id = session.connection_id
    LEFT JOIN accounts_agenttoken token ON token.id = session.agent_token_id
    LEFT JOIN accounts_agent agent ON agent.id = session.principal_id
    LEFT JOIN accounts_user owner ON owner.id = agent.owner_id
    LEFT JOIN accounts_user person ON person.id = session.principal_id
    LEFT JOIN accounts_agentidentity identity ON identity.id = %s
    LEFT JOIN accounts_issuer issuer ON issuer.id = identity.issuer_id
    LEFT JOIN accounts_mappingrule rule ON rule.id = identity.rule_id
    LEFT JOIN accounts_user behind ON behind.id = %s
    WHERE session.id = %s"""  # noqa: S608 - from the names above


def _versions(session: WireSession) -> tuple[str, ...]:
    """The versions of everything that an admission is read from, the session's own first."""
    kept = session.principal
    identity = kept.get("token") if session.agent_token_id is None else None
    values = [identity or None, kept.get("on_behalf_of_id"), session.pk]
    with connection.cursor() as cursor:
        cursor.execute(_VERSIONS, values)
        return tuple(cursor.fetchone() or ())


def _holder(session: WireSession, address: str | None) -> Principal | None:
    kept = session.principal
    if kept["kind"] != PrincipalKind.AGENT:
        person = User.objects.filter(pk=session.principal_id, is_active=True).first()
        return None if person is None else person.as_principal(address=address)
    if session.agent_token_id is not None:
        tokens = AgentToken.objects.select_related("agent__owner")
        token = tokens.filter(pk=session.agent_token_id).first()
        if token is None or not token.is_live() or not _active(token.agent):
            return None
        if not networks.admits(token.networks, address):
            return None
        return principal_by_token(token, address=address)
    return _by_identity(session, address)


def _by_identity(session: WireSession, address: str | None) -> Principal | None:
    """Of a provider's token, the identity that it proved is what may be taken away."""
    kept = session.principal
    behind = kept.get("on_behalf_of_id")
    if behind and not User.objects.filter(pk=behind, is_active=True).exists():
        return None
    identity = (
        AgentIdentity.objects.standing()
        .select_related("agent__owner", "issuer")
        .filter(pk=kept["token"], agent_id=session.principal_id)
        .first()
    )
    if identity is None or not _active(identity.agent):
        return None
    principal = identity.agent.as_principal(
        on_behalf_of=kept.get("on_behalf_of"),
        on_behalf_of_id=UUID(behind) if behind else None,
        within_person=bool(behind) and identity.issuer.within_person,
        address=address,
    )
    scopes = kept.get("scopes")
    return replace(
        principal,
        scopes=None if scopes is None else frozenset(scopes),
        token=kept["token"],
    )


def _active(agent: Agent) -> bool:
    return agent.is_active and agent.owner.is_active

"""Whether whoever opened a driver's session may still send through it, asked each time anew."""

import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from accounts import networks
from accounts.authentication import principal_by_token
from accounts.models import Agent, AgentIdentity, AgentToken, User
from accounts.principal import Principal, PrincipalKind
from connections.models import Access, Connection
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
class Versions:
    """Of one admission, the versions of all rows that it was read from, as one text."""

    session_id: UUID
    identity_id: str | None
    behind_id: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Admitted:
    """A driver's session, who sends through it, and the connection that they may use. It stands
    for as long as its versions do.
    """

    session: WireSession
    principal: Principal
    connection: Connection
    versions: Versions | None = None


@dataclass(frozen=True, slots=True)
class Pass:
    """An admission to something of a session, which stands for as long as ``stands`` says so."""

    versions: Versions
    until: datetime

    def has_time(self) -> bool:
        """Whether no clock has ended it. Its versions are still to be compared, by ``STANDING``."""
        return timezone.now() < self.until

    def stands(self) -> bool:
        """Asks the database once."""
        asked = self.versions
        now = _read_versions(asked.session_id, asked.identity_id, asked.behind_id)
        return self.has_time() and now is not None and now[1] == asked


def pass_for(session: WireSession, address: str | None) -> Pass:
    """Admit to what belongs to a session, once for many questions. Raises SessionOver, or NotFound
    where the connection may no longer be used.
    """
    # Read before anybody is asked: what changes meanwhile does not stand.
    versions = _versions(session)[1]
    connection_of(session, admit(session, address))
    until = min(filter(None, _ends(session, None)), default=_NEVER)
    return Pass(versions, until)


def admitted(token: str, address: str | None) -> Admitted:
    """Who sends with a session's token, and through what. Raises TokenExpired, SessionOver, or
    NotFound where the connection may no longer be used.

    Drivers send statement after statement: what was found a moment ago stands as long as the
    versions of all rows that it was read from do. So a change counts with the next statement.
    """
    found = recent(token, address)
    if found is not None and _stands(found):
        return found
    _known.pop((token, address), None)
    session = wire_sessions.find(token)
    version, versions = _versions(session)
    principal = admit(session, address)
    found = Admitted(session, principal, connection_of(session, principal), versions)
    # The session was read before the versions were: it may be an older one.
    if version == session.version:
        until = min(filter(None, _ends(session, token)), default=_NEVER)
        _known[token, address] = _Known(found, time.monotonic() + _STANDS, until)
        while len(_known) > _MOST:
            _known.pop(next(iter(_known)), None)
    return found


def recent(token: str, address: str | None) -> Admitted | None:
    """What was found a short while ago, where no clock has ended it. Its versions are still to be
    compared: by ``STANDING``, in the very statement that records what was sent.
    """
    known = _known.get((token, address))
    if known is None or time.monotonic() >= known.looked_until or timezone.now() >= known.until:
        return None
    return known.admitted


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
    # By the monotonic clock; and when a token or a grant of it ends, which changes no row.
    looked_until: float
    until: datetime


_STANDS = 60.0
_NEVER = datetime.max.replace(tzinfo=UTC)
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
_ALL = f"""ROW({", ".join(f"{row}.xmin, {row}.ctid" for row in _ROWS)},
        recording.ended_at,
        (SELECT string_agg(access.xmin || access.ctid::text, ' ' ORDER BY access.id)
            FROM connections_access access WHERE access.connection_id = session.connection_id),
        {_TEAMS.format("agent", "agent.id")},
        {_TEAMS.format("user", "behind.id, person.id")})::text"""  # noqa: S608 - the names above
_FROM = """
    JOIN gateway_wiresession session ON session.id = asked.session_id
    JOIN recordings_session recording ON recording.id = session.recording_id
    JOIN connections_connection connection ON connection.id = session.connection_id
    LEFT JOIN accounts_agenttoken token ON token.id = session.agent_token_id
    LEFT JOIN accounts_agent agent ON agent.id = session.principal_id
    LEFT JOIN accounts_user owner ON owner.id = agent.owner_id
    LEFT JOIN accounts_user person ON person.id = session.principal_id
    LEFT JOIN accounts_agentidentity identity ON identity.id = asked.identity_id
    LEFT JOIN accounts_issuer issuer ON issuer.id = identity.issuer_id
    LEFT JOIN accounts_mappingrule rule ON rule.id = identity.rule_id
    LEFT JOIN accounts_user behind ON behind.id = asked.behind_id"""
_VERSIONS = f"""
    SELECT session.xmin || session.ctid::text, {_ALL}
    FROM (VALUES (%s::uuid, %s::uuid, %s::uuid)) AS asked (session_id, identity_id, behind_id)
    {_FROM}"""  # noqa: S608 - from the names above
# The admissions that still stand; takes what ``parameters`` gives.
STANDING = f"""
    SELECT session.id
    FROM unnest(
        %(admitted)s::uuid[], %(identities)s::uuid[], %(behind)s::uuid[], %(versions)s::text[]
    ) AS asked (session_id, identity_id, behind_id, versions)
    {_FROM}
    WHERE {_ALL} = asked.versions"""  # noqa: S608 - from the names above


def parameters(admissions: Iterable[Versions]) -> dict[str, list[Any]]:
    """Each admission once, as ``STANDING`` takes them."""
    given = list(dict.fromkeys(admissions))
    return {
        "admitted": [each.session_id for each in given],
        "identities": [each.identity_id for each in given],
        "behind": [each.behind_id for each in given],
        "versions": [each.text for each in given],
    }


def _versions(session: WireSession) -> tuple[str, Versions]:
    """The version of the session's own row, and those of everything that an admission is read
    from. Raises SessionOver when it is gone.
    """
    kept = session.principal
    identity = kept.get("token") if session.agent_token_id is None else None
    found = _read_versions(session.pk, identity or None, kept.get("on_behalf_of_id") or None)
    if found is None:
        raise SessionOver("This session has ended. Connect again.")
    return found


def _read_versions(
    session_id: UUID, identity: str | None, behind: str | None
) -> tuple[str, Versions] | None:
    with connection.cursor() as cursor:
        cursor.execute(_VERSIONS, [session_id, identity, behind])
        row = cursor.fetchone()
    return None if row is None else (row[0], Versions(session_id, identity, behind, row[1]))


def _stands(found: Admitted) -> bool:
    return _versions(found.session)[1] == found.versions


def _ends(session: WireSession, token: str | None) -> list[datetime | None]:
    """When an admission ends by the clock alone; without a token, what was read once goes on."""
    opened = AgentToken.objects.filter(pk__in=[session.agent_token_id]).values_list("expires_at")
    grants = Access.objects.filter(connection=session.connection_id, valid_until__gt=timezone.now())
    ends: list[datetime | None] = [row[0] for row in opened]
    if token is not None:
        current = session.token_digest == wire_sessions.digest_of(token)
        ends += [session.token_until if current else session.old_until, session.login_until]
    return [
        *ends,
        grants.order_by("valid_until").values_list("valid_until", flat=True).first(),
    ]


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

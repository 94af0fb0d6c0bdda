"""Whether whoever opened a driver's session may still send through it, asked each time anew."""

from dataclasses import replace
from uuid import UUID

from accounts import networks
from accounts.authentication import principal_by_token
from accounts.models import Agent, AgentIdentity, AgentToken, User
from accounts.principal import Principal, PrincipalKind
from gateway.models import WireSession
from gateway.wire_sessions import SessionOver


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

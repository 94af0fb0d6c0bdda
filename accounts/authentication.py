"""From a request to who asks."""

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import NotAuthenticated
from rest_framework.request import Request

from accounts import networks, provider_tokens, tokens
from accounts.addresses import address_of
from accounts.bearer import Bearer, BearerRefused, TooManyRefused
from accounts.models import Agent, AgentIdentity, AgentToken, User
from accounts.principal import Principal, PrincipalKind
from hoopweb.lib import rate
from recordings.services import audit
from recordings.services.trail import plain_address

_LAST_USED_EVERY = timedelta(minutes=1)
# Of one address, within a minute; beyond it a refusal is neither explained nor written down.
REFUSALS_PER_MINUTE = 60
_NOT_LIVE = (
    "This token is unknown, expired or revoked, or not accepted from your network. Ask the "
    "agent's owner for a new one under Agents."
)
_NEITHER = (
    "This is no token that is taken here. Send an agent token (hwa_…), or a JWT of an issuer that "
    "an admin has set up under Settings, Issuers."
)
_SWITCHED_OFF = "This agent is disabled, or its owner is. Ask an admin."


def authenticate_bearer(text: str, *, door: str, address: str | None) -> Bearer:
    """The agent behind a bearer token, for any door. Raises BearerRefused and nothing else.

    A refusal is written to the audit trail, and says no more than its holder may know. ``door``
    is ``rest``, ``mcp`` or ``snowflake``; ``address`` the caller's, as the server saw it.
    """
    prove = _way_of(text)
    try:
        return prove(text, door, address)
    except BearerRefused as refusal:
        _note_refusal(refusal, door, address)
        raise


def verify_agent_token(text: str, *, address: str | None = None) -> AgentToken | None:
    """The live token behind ``text`` shown from ``address``, or None. Never says why not."""
    try:
        return _live(text, address)
    except BearerRefused:
        return None


class BearerAuthentication(BaseAuthentication):
    """``Authorization: Bearer …``, an agent token or a provider's."""

    def authenticate(self, request: Request) -> tuple[Agent, Bearer] | None:
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        bearer = authenticate_bearer(text.strip(), door="rest", address=address_of(request))
        return bearer.agent, bearer

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002
        return 'Bearer realm="hoopweb"'


class ConsoleSessionAuthentication(SessionAuthentication):
    """A signed-in person's browser session, with CSRF checked."""

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002
        return 'Bearer realm="hoopweb"'


def still_holds(principal: Principal) -> bool:
    """Whether what a principal showed still opens anything: asked of the database each time.

    For doors that keep a request or a session open for longer than one look.
    """
    if principal.kind == PrincipalKind.PERSON:
        return User.objects.filter(pk=principal.id, is_active=True).exists()
    behind = principal.on_behalf_of_id
    if behind and not User.objects.filter(pk=behind, is_active=True).exists():
        return False
    agents = Agent.objects.filter(pk=principal.id, is_active=True, owner__is_active=True)
    if not agents.exists() or was_revoked(principal.token):
        return False
    over = AgentToken.objects.filter(key_id=principal.token, expires_at__lte=timezone.now())
    return not over.exists()


def was_revoked(token: str) -> bool:
    """Whether what ``Principal.token`` names, an agent token or an identity at an issuer, was
    taken back. Never so for a principal that has none.
    """
    if not token:
        return False
    if len(token) == tokens.KEY_ID:
        return not AgentToken.objects.filter(key_id=token, revoked_at=None).exists()
    return not AgentIdentity.objects.standing().filter(pk=token).exists()


def stays_within_person(token: str) -> bool:
    """Whether what ``Principal.token`` names acts for people within their own access only."""
    if not token or len(token) == tokens.KEY_ID:
        return False
    return AgentIdentity.objects.filter(pk=token, issuer__within_person=True).exists()


def principal_by_token(token: AgentToken, *, address: str | None = None) -> Principal:
    """Who a verified token acts for, and how far."""
    limited = [uuid.UUID(c) for c in token.connections] or None
    principal = token.agent.as_principal(connections=limited, address=address)
    return replace(principal, scopes=frozenset(token.scopes), token=token.key_id)


def principal_of(request: Request) -> Principal:
    """Who a REST request acts for."""
    if isinstance(request.auth, Bearer):
        return request.auth.principal
    if not isinstance(request.user, User):
        raise NotAuthenticated
    return request.user.as_principal(address=address_of(request))


def _way_of(text: str) -> Callable[[str, str, str | None], Bearer]:
    if text.startswith(f"{tokens.PREFIX}_"):
        return _by_agent_token
    return _by_provider if provider_tokens.looks_like_one(text) else _by_nothing


def _by_nothing(_text: str, _door: str, _address: str | None) -> Bearer:
    raise BearerRefused("no_token", _NEITHER)


def _by_agent_token(text: str, door: str, address: str | None) -> Bearer:
    token = _live(text, address)
    return Bearer(
        principal=principal_by_token(token, address=address),
        agent=token.agent,
        door=door,
        expires_at=token.expires_at,
        token_id=token.pk,
    )


def _by_provider(text: str, door: str, address: str | None) -> Bearer:
    proven = provider_tokens.prove(text, address=address)
    identity, agent = proven.identity, proven.identity.agent
    if not agent.is_active or not agent.owner.is_active:
        raise BearerRefused("agent_disabled", _SWITCHED_OFF, agent=agent)
    if _due(identity):
        AgentIdentity.objects.filter(pk=identity.pk).update(last_used_at=timezone.now())
    principal = agent.as_principal(
        on_behalf_of=proven.acts_for,
        on_behalf_of_id=proven.person.pk if proven.person else None,
        within_person=bool(proven.acts_for) and identity.issuer.within_person,
        address=address,
    )
    return Bearer(
        # What was sent by an identity ends with it, as with a token.
        principal=replace(principal, scopes=proven.scopes, token=str(identity.pk)),
        agent=agent,
        door=door,
        expires_at=proven.expires_at,
        issuer=identity.issuer.issuer,
        jti=proven.jti,
        session_until=identity.issuer.session_until(proven.expires_at),
    )


def _live(text: str, address: str | None) -> AgentToken:
    """The token behind ``text``. Raises BearerRefused, with one text for every reason."""
    key_id = tokens.key_id_of(text)
    if key_id is None:
        raise BearerRefused("unreadable_token", _NOT_LIVE)
    token = AgentToken.objects.select_related("agent__owner").filter(key_id=key_id).first()
    if token is None or not tokens.proves(text, digest=token.digest, pepper=token.pepper):
        raise BearerRefused("unknown_token", _NOT_LIVE)
    about = {"agent": token.agent, "key_id": token.key_id}
    if not token.is_live():
        why = "revoked_token" if token.revoked_at else "expired_token"
        raise BearerRefused(why, _NOT_LIVE, **about)
    if not token.agent.is_active or not token.agent.owner.is_active:
        raise BearerRefused("agent_disabled", _NOT_LIVE, **about)
    if not networks.admits(token.networks, address):
        raise BearerRefused("wrong_network", _NOT_LIVE, **about)
    _note_use(token, address)
    return token


def _due(used: AgentToken | AgentIdentity) -> bool:
    last = used.last_used_at
    return last is None or timezone.now() - last > _LAST_USED_EVERY


def _note_use(token: AgentToken, address: str | None) -> None:
    """When and from where, once a minute or when the place changes."""
    place = plain_address(address)
    if _due(token) or token.last_used_address != place:
        AgentToken.objects.filter(pk=token.pk).update(
            last_used_at=timezone.now(), last_used_address=place
        )


def _note_refusal(refusal: BearerRefused, door: str, address: str | None) -> None:
    """Write a refusal down: one of a kind in a minute, and none beyond the limit.

    Raises TooManyRefused once an address has had too many. What proves itself still comes in:
    one broken job must not lock its neighbours out.
    """
    where = address or "nowhere"
    if rate.count(f"refused:{where}") > REFUSALS_PER_MINUTE:
        raise TooManyRefused(
            "too_many_refused",
            "Too many tokens from this address were refused. Wait a minute, and look at what sends "
            "them.",
        ) from refusal
    about: dict[str, Any] = dict(refusal.about)
    agent: Agent | None = about.pop("agent", None)
    kind = f"{where}:{door}:{refusal.why}:{agent and agent.pk}:{sorted(about.items())}"
    if rate.count(f"refusal:{hashlib.sha256(kind.encode()).hexdigest()}") > 1:
        return
    with transaction.atomic():
        audit(
            actor={"kind": "anonymous", "name": str(agent) if agent else "unknown"},
            action="token-refused",
            kind="agent",
            object_id=str(agent.pk) if agent else "",
            object_name=str(agent) if agent else "",
            after={"why": refusal.why, "door": door, **about},
            address=address,
        )

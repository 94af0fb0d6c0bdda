"""From a request to who asks."""

import uuid
from dataclasses import replace
from datetime import timedelta
from typing import Any

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.request import Request

from accounts import networks, tokens
from accounts.models import Agent, AgentToken, User
from accounts.principal import Principal
from recordings.services.trail import plain_address

_LAST_USED_EVERY = timedelta(minutes=1)


def address_of(request: Any) -> str | None:
    """The caller's address as the server saw it."""
    return request.META.get("REMOTE_ADDR") or None


def verify_agent_token(text: str, *, address: str | None = None) -> AgentToken | None:
    """The live token behind ``text`` shown from ``address``, or None. Never says why not."""
    key_id = tokens.key_id_of(text)
    if key_id is None:
        return None
    token = AgentToken.objects.select_related("agent__owner").filter(key_id=key_id).first()
    if token is None or not tokens.proves(text, digest=token.digest, pepper=token.pepper):
        return None
    if not token.is_live() or not token.agent.is_active or not token.agent.owner.is_active:
        return None
    if not networks.admits(token.networks, address):
        return None
    _note_use(token, address)
    return token


def _note_use(token: AgentToken, address: str | None) -> None:
    """When and from where, once a minute or when the place changes."""
    now, place = timezone.now(), plain_address(address)
    recent = token.last_used_at is not None and now - token.last_used_at <= _LAST_USED_EVERY
    if not recent or token.last_used_address != place:
        AgentToken.objects.filter(pk=token.pk).update(last_used_at=now, last_used_address=place)


class AgentTokenAuthentication(BaseAuthentication):
    """``Authorization: Bearer hwa_…``"""

    def authenticate(self, request: Request) -> tuple[Agent, AgentToken] | None:
        scheme, _, text = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        token = verify_agent_token(text.strip(), address=address_of(request))
        if token is None:
            raise AuthenticationFailed(
                "This token is unknown, expired or revoked, or not accepted from your network. "
                "Ask the agent's owner for a new one under Agents."
            )
        return token.agent, token

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002
        return 'Bearer realm="hoopweb"'


class ConsoleSessionAuthentication(SessionAuthentication):
    """A signed-in person's browser session, with CSRF checked."""

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002
        return 'Bearer realm="hoopweb"'


def principal_by_token(token: AgentToken, *, address: str | None = None) -> Principal:
    """Who a verified token acts for, and how far."""
    limited = [uuid.UUID(c) for c in token.connections] or None
    principal = token.agent.as_principal(connections=limited, address=address)
    return replace(principal, scopes=frozenset(token.scopes), token=token.key_id)


def principal_of(request: Request) -> Principal:
    """Who a REST request acts for."""
    address = address_of(request)
    if isinstance(request.user, Agent):
        token: AgentToken = request.auth
        return principal_by_token(token, address=address)
    if not isinstance(request.user, User):
        raise NotAuthenticated
    return request.user.as_principal(address=address)

"""Agent tokens: issued once in clear, rotated with an overlap, revoked at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts import tokens
from accounts.models import Agent, AgentToken, User
from accounts.networks import parse
from accounts.principal import TokenScope
from accounts.services.acting import actor_of, need_manager, need_owner
from accounts.signals import announce
from hoopweb.lib.errors import Conflict, InvalidRequest
from recordings.services import audit

DEFAULT_DAYS = 90
OVERLAP = timedelta(hours=24)
MAX_OVERLAP = timedelta(days=7)


@dataclass(frozen=True, repr=False, slots=True)
class IssuedToken:
    """A token's row, and its text at the one moment when it is known."""

    token: AgentToken
    text: str


def max_days() -> int:
    """How many days a token may live here."""
    return int(settings.AGENT_TOKEN_MAX_DAYS)


def issue_token(
    *,
    agent: Agent,
    label: str,
    by: User | None,
    days: int | None = None,
    connections: Iterable[UUID] = (),
    scopes: Iterable[str] = tuple(TokenScope),
    networks: Iterable[str] = (),
    address: str | None = None,
) -> IssuedToken:
    """A new token for ``agent``; without ``connections`` it opens all that the agent may use,
    without ``networks`` from anywhere. ``networks`` are in CIDR form.
    """
    need_owner(by, agent, "issue tokens for it")
    most = max_days()
    days = min(DEFAULT_DAYS, most) if days is None else days
    if not 1 <= days <= most:
        raise InvalidRequest(
            f"A token lives for 1 to {most} days. Issue or rotate again before it ends.",
            field="days",
        )
    bounds = _Bounds(
        tuple(sorted(str(c) for c in connections)), _scopes(scopes), tuple(parse(networks))
    )
    _need_active(agent)
    with transaction.atomic():
        issued = _make(agent, label, timedelta(days=days), bounds)
        _record("token-issued", issued.token, by, address)
    return issued


def rotate_token(
    *,
    token: AgentToken,
    by: User | None,
    overlap: timedelta = OVERLAP,
    address: str | None = None,
) -> IssuedToken:
    """A successor with the same lifetime and bounds; the old one ends after ``overlap``.

    Raises Conflict when the token is no longer live: then issue a new one.
    """
    need_owner(by, token.agent, "rotate its tokens")
    if not timedelta() <= overlap <= MAX_OVERLAP:
        raise InvalidRequest(
            f"Both tokens can work side by side for {MAX_OVERLAP.days} days at most.",
            field="overlap",
        )
    _need_active(token.agent)
    with transaction.atomic():
        old = AgentToken.objects.select_for_update(of=("self",)).get(pk=token.pk)
        if not old.is_live():
            raise Conflict("This token is expired or revoked already. Issue a new one instead.")
        lifetime = min(old.expires_at - old.created_at, timedelta(days=max_days()))
        bounds = _Bounds(tuple(old.connections), tuple(old.scopes), tuple(old.networks))
        issued = _make(old.agent, old.label, lifetime, bounds)
        old.expires_at = min(old.expires_at, timezone.now() + overlap)
        old.save(update_fields=["expires_at"])
        _record("token-rotated", issued.token, by, address, before=old)
    return issued


def revoke_token(*, token: AgentToken, by: User | None, address: str | None = None) -> AgentToken:
    """From the next request on the token opens nothing. Idempotent."""
    need_manager(by, token.agent, "revoke its tokens")
    now = timezone.now()
    with transaction.atomic():
        if AgentToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=now):
            token.revoked_at = now
            announce(tokens=[token.key_id])
            _record("token-revoked", token, by, address)
    token.refresh_from_db()
    return token


def _need_active(agent: Agent) -> None:
    if not agent.is_active:
        raise Conflict(f"{agent} is disabled, so a token would open nothing. Enable it first.")


@dataclass(frozen=True, slots=True)
class _Bounds:
    """What narrows a token: connection ids, scopes, networks."""

    connections: tuple[str, ...]
    scopes: tuple[str, ...]
    networks: tuple[str, ...]


def _scopes(given: Iterable[str]) -> tuple[str, ...]:
    known = {str(scope) for scope in TokenScope}
    wanted = {str(scope) for scope in given}
    if not wanted or wanted - known:
        raise InvalidRequest(
            f"A token is for one or more of: {', '.join(sorted(known))}.", field="scopes"
        )
    return tuple(sorted(wanted))


def _make(agent: Agent, label: str, lifetime: timedelta, bounds: _Bounds) -> IssuedToken:
    new = tokens.make()
    now = timezone.now()
    token = AgentToken.objects.create(
        agent=agent,
        label=label,
        key_id=new.key_id,
        digest=new.digest,
        pepper=new.pepper,
        connections=list(bounds.connections),
        scopes=list(bounds.scopes),
        networks=list(bounds.networks),
        created_at=now,
        expires_at=now + lifetime,
    )
    return IssuedToken(token, new.text)


def _record(
    action: str,
    token: AgentToken,
    by: User | None,
    address: str | None,
    before: AgentToken | None = None,
) -> None:
    """The key id names the token in the trail; its text and digest stay out."""
    audit(
        actor=actor_of(by),
        action=action,
        kind="agent",
        object_id=str(token.agent_id),
        object_name=str(token.agent),
        before=_said(before) if before else None,
        after=_said(token),
        address=address,
    )


def _said(token: AgentToken) -> dict[str, object]:
    return {
        "key_id": token.key_id,
        "label": token.label,
        "expires_at": token.expires_at.isoformat(),
        "connections": token.connections,
        "scopes": token.scopes,
        "networks": token.networks,
    }

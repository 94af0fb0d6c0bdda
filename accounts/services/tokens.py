"""Agent tokens: issued once in clear, rotated with an overlap, revoked at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts import tokens
from accounts.models import Agent, AgentToken, User
from accounts.services.acting import actor_of, need_manager, need_owner
from hoopweb.lib.errors import Conflict, InvalidRequest
from recordings.services import audit

DEFAULT_DAYS = 90
MAX_DAYS = 90
OVERLAP = timedelta(hours=24)
MAX_OVERLAP = timedelta(days=7)


@dataclass(frozen=True, repr=False, slots=True)
class IssuedToken:
    """A token's row, and its text at the one moment when it is known."""

    token: AgentToken
    text: str


def issue_token(
    *,
    agent: Agent,
    label: str,
    by: User | None,
    days: int = DEFAULT_DAYS,
    connections: Iterable[UUID] = (),
    address: str | None = None,
) -> IssuedToken:
    """A new token for ``agent``; without ``connections`` it opens all that the agent may use."""
    need_owner(by, agent, "issue tokens for it")
    if not 1 <= days <= MAX_DAYS:
        raise InvalidRequest(
            f"A token lives for 1 to {MAX_DAYS} days. Issue or rotate again before it ends.",
            field="days",
        )
    _need_active(agent)
    with transaction.atomic():
        issued = _make(agent, label, timedelta(days=days), connections)
        _record("token-issued", issued.token, by, address)
    return issued


def rotate_token(
    *,
    token: AgentToken,
    by: User | None,
    overlap: timedelta = OVERLAP,
    address: str | None = None,
) -> IssuedToken:
    """A successor with the same lifetime and connections; the old one ends after ``overlap``.

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
        lifetime = min(old.expires_at - old.created_at, timedelta(days=MAX_DAYS))
        issued = _make(old.agent, old.label, lifetime, [UUID(c) for c in old.connections])
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
            _record("token-revoked", token, by, address)
    token.refresh_from_db()
    return token


def _need_active(agent: Agent) -> None:
    if not agent.is_active:
        raise Conflict(f"{agent} is disabled, so a token would open nothing. Enable it first.")


def _make(
    agent: Agent, label: str, lifetime: timedelta, connections: Iterable[UUID]
) -> IssuedToken:
    new = tokens.make()
    now = timezone.now()
    token = AgentToken.objects.create(
        agent=agent,
        label=label,
        key_id=new.key_id,
        digest=new.digest,
        pepper=new.pepper,
        connections=sorted(str(c) for c in connections),
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
    }

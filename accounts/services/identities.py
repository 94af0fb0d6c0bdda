"""As whom issuers know agents: given by an admin, or by a mapping rule for agents."""

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction

from accounts import mapping
from accounts.mapping import Subject
from accounts.models import Agent, AgentIdentity, Issuer, MappingRule, User
from accounts.models.issuers import LONGEST_SUBJECT
from accounts.services.acting import actor_of, need_admin
from accounts.services.agents import create_agent
from accounts.services.mapping import rule_of
from accounts.signals import announce
from hoopweb.lib.errors import Conflict, InvalidRequest
from recordings.services import audit


def add_identity(
    *, agent: Agent, issuer: Issuer, subject: str, by: User | None, address: str | None = None
) -> AgentIdentity:
    """Let an agent prove itself by ``issuer``'s tokens for ``subject``, to the letter.

    Raises Conflict when the subject is another agent's, or this one's already.
    """
    need_admin(by, "give agents identities")
    if not 0 < len(subject) <= LONGEST_SUBJECT or not subject.isprintable():
        raise InvalidRequest(
            f"A subject is 1 to {LONGEST_SUBJECT} printable characters.", field="subject"
        )
    return _link(agent, issuer=issuer, subject=subject, by=by, address=address)


def remove_identity(
    *, identity: AgentIdentity, by: User | None, address: str | None = None
) -> None:
    """From the next request on its tokens open nothing. Idempotent."""
    need_admin(by, "take identities from agents")
    with transaction.atomic():
        deleted, _ = AgentIdentity.objects.filter(pk=identity.pk).delete()
        if deleted:
            announce(tokens=[str(identity.pk)])
            _record("identity-removed", identity, by, address)


def still_admits(identity: AgentIdentity, claims: Mapping[str, Any]) -> bool:
    """Whether the rule that made an identity lets this very token in, too."""
    if identity.rule is None:
        return True
    return identity.rule.enabled and rule_of(identity.rule).match(claims) is not None


def admit(
    issuer: Issuer, subject: str, claims: Mapping[str, Any], *, address: str | None
) -> AgentIdentity | None:
    """The identity that the first matching rule makes of verified claims; None without a rule.

    It makes the agent as well, or joins one that the same rule has made before. Raises Conflict
    when an agent that it did not make has the name.
    """
    rows = MappingRule.objects.filter(subject=Subject.AGENT, issuer=issuer, enabled=True)
    for row in rows.select_related("owner").prefetch_related("teams"):
        if rule_of(row).match(claims) is None:
            continue
        name = mapping.agent_name(row.agent_name, claims)
        if name is not None:
            return _by_rule(row, issuer, subject, name, address)
    return None


def _by_rule(
    row: MappingRule, issuer: Issuer, subject: str, name: str, address: str | None
) -> AgentIdentity:
    assert row.owner is not None
    with transaction.atomic():
        # Two tokens of a new agent may come at once.
        MappingRule.objects.select_for_update().get(pk=row.pk)
        known = AgentIdentity.objects.filter(issuer=issuer, subject=subject).first()
        if known is not None:
            return known
        agent = Agent.objects.filter(name=name).first()
        if agent is None:
            agent = create_agent(
                name=name,
                owner=row.owner,
                description=f"Made by the mapping rule {row.name}.",
                teams=row.teams.all(),
                by=None,
                address=address,
            )
        elif not agent.identities.filter(rule=row).exists():
            raise Conflict(f"An agent called {name} is there already, and not by this rule.")
        return _link(agent, issuer=issuer, subject=subject, rule=row, address=address)


def _link(
    agent: Agent,
    *,
    issuer: Issuer,
    subject: str,
    rule: MappingRule | None = None,
    by: User | None = None,
    address: str | None,
) -> AgentIdentity:
    try:
        with transaction.atomic():
            identity = AgentIdentity.objects.create(
                agent=agent, issuer=issuer, subject=subject, rule=rule
            )
            _record("identity-added", identity, by, address)
    except IntegrityError as error:
        raise Conflict(
            f"{issuer} knows an agent by this subject already. Remove it there first."
        ) from error
    return identity


def _record(action: str, identity: AgentIdentity, by: User | None, address: str | None) -> None:
    after = {"issuer": identity.issuer.issuer, "subject": identity.subject}
    if identity.rule is not None:
        after["rule"] = identity.rule.name
    audit(
        actor=actor_of(by),
        action=action,
        kind="agent",
        object_id=str(identity.agent_id),
        object_name=str(identity.agent),
        after=after,
        address=address,
    )

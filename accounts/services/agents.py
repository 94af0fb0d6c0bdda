"""Agents: made for an owner, put in teams, switched off and on."""

from collections.abc import Iterable

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import Agent, Team, User
from accounts.services.acting import actor_of, may_create_agents, need_manager
from accounts.signals import announce
from hoopweb.lib.errors import Conflict, InvalidRequest, NotAllowed
from recordings.services import audit


def create_agent(
    *,
    name: str,
    owner: User,
    by: User | None,
    description: str = "",
    teams: Iterable[Team] = (),
    address: str | None = None,
) -> Agent:
    """An agent that ``owner`` answers for. Raises Conflict when the name is taken."""
    teams = list(teams)
    if by is not None and not may_create_agents(by):
        raise NotAllowed("You may not create agents. Ask an admin for the role developer.")
    _check_owner(owner, by)
    _check_teams(teams, by)
    try:
        with transaction.atomic():
            agent = Agent.objects.create(name=name, description=description, owner=owner)
            agent.teams.set(teams)
            audit(
                actor=actor_of(by),
                action="agent-created",
                kind="agent",
                object_id=str(agent.pk),
                object_name=name,
                after=_said(agent),
                address=address,
            )
    except IntegrityError as error:
        raise Conflict(f"There is an agent called {name} already. Choose another name.") from error
    return agent


def update_agent(
    *,
    agent: Agent,
    by: User | None,
    name: str | None = None,
    description: str | None = None,
    owner: User | None = None,
    teams: Iterable[Team] | None = None,
    address: str | None = None,
) -> Agent:
    """Change what is given and leave the rest.

    Only an admin hands an agent to another owner, and its tokens end with that: the former owner
    may hold them. An owner adds it only to teams of their own.
    """
    need_manager(by, agent, "change it")
    wanted = None if teams is None else list(teams)
    try:
        with transaction.atomic():
            agent = Agent.objects.select_for_update().get(pk=agent.pk)
            before = _said(agent)
            if owner is not None and owner.pk != agent.owner_id:
                _hand_over(agent, owner, by)
            if wanted is not None:
                held = set(agent.teams.all())
                _check_teams([t for t in wanted if t not in held], by)
                agent.teams.set(wanted)
            agent.name = agent.name if name is None else name
            agent.description = agent.description if description is None else description
            agent.save(update_fields=["name", "description", "owner"])
            after = _said(agent)
            if before != after:
                audit(
                    actor=actor_of(by),
                    action="agent-changed",
                    kind="agent",
                    object_id=str(agent.pk),
                    object_name=agent.name,
                    before=before,
                    after=after,
                    address=address,
                )
                announce(agents=[agent.pk])
    except IntegrityError as error:
        raise Conflict(f"There is an agent called {name} already. Choose another name.") from error
    return agent


def disable_agent(*, agent: Agent, by: User | None, address: str | None = None) -> Agent:
    """From the next request on, none of its tokens opens anything."""
    need_manager(by, agent, "disable it")
    return _switch(agent, on=False, by=by, address=address)


def enable_agent(*, agent: Agent, by: User | None, address: str | None = None) -> Agent:
    """Its tokens that are neither revoked nor expired work again."""
    need_manager(by, agent, "enable it")
    return _switch(agent, on=True, by=by, address=address)


def _switch(agent: Agent, *, on: bool, by: User | None, address: str | None) -> Agent:
    with transaction.atomic():
        if not on:
            announce(agents=[agent.pk])
        if Agent.objects.filter(pk=agent.pk, is_active=not on).update(is_active=on):
            audit(
                actor=actor_of(by),
                action="agent-enabled" if on else "agent-disabled",
                kind="agent",
                object_id=str(agent.pk),
                object_name=agent.name,
                address=address,
            )
    agent.is_active = on
    return agent


def _hand_over(agent: Agent, owner: User, by: User | None) -> None:
    _check_owner(owner, by)
    # Whoever gives an agent away could approve for it afterwards.
    if by is not None and by.pk == agent.owner_id:
        raise NotAllowed("Nobody hands over an agent of their own. Ask another admin to do it.")
    agent.owner = owner
    live = agent.tokens.filter(revoked_at=None)
    announce(tokens=list(live.values_list("key_id", flat=True)))
    live.update(revoked_at=timezone.now())


def _check_owner(owner: User, by: User | None) -> None:
    if not owner.is_active:
        raise InvalidRequest(f"{owner} is disabled and cannot answer for an agent.", field="owner")
    if by is not None and not by.is_admin and owner.pk != by.pk:
        raise NotAllowed("Only an admin makes someone else the owner of an agent.")


def _check_teams(added: list[Team], by: User | None) -> None:
    """What a team may use, an agent in it may use: so nobody adds one to a team not their own."""
    if by is None or by.is_admin:
        return
    foreign = sorted(t.name for t in added if t.slug not in by.team_slugs)
    if foreign:
        raise NotAllowed(
            f"You are not in {', '.join(foreign)}, so you cannot add an agent to it. Ask an admin."
        )


def _said(agent: Agent) -> dict[str, object]:
    return {
        "name": agent.name,
        "description": agent.description,
        "owner": agent.owner.username,
        "teams": sorted(agent.teams.values_list("slug", flat=True)),
    }

"""Who acts, as the audit trail keeps it, and who may."""

from typing import Any

from accounts.models import Agent, User
from accounts.principal import Role
from hoopweb.lib.errors import NotAllowed
from recordings.services import SYSTEM


def actor_of(by: User | None) -> dict[str, Any]:
    return dict(by.as_principal().as_actor()) if by else dict(SYSTEM)


def need_admin(by: User | None, what: str) -> None:
    """Raises NotAllowed unless ``by`` administers the whole installation."""
    if by is not None and not by.is_admin:
        raise NotAllowed(f"Only an admin may {what}. Ask one of your admins.")


def need_manager(by: User | None, agent: Agent, what: str) -> None:
    """Raises NotAllowed unless ``by`` is an admin or answers for ``agent``."""
    if by is not None and not (by.is_admin or (by.is_active and agent.owner_id == by.pk)):
        raise NotAllowed(
            f"Only an admin or the owner of {agent} may {what}. Its owner is {agent.owner}."
        )


def need_owner(by: User | None, agent: Agent, what: str) -> None:
    """Raises NotAllowed unless ``by`` answers for ``agent``.

    Not even an admin: whoever holds a token can act as the agent, and only its owner is barred
    from approving what it asks.
    """
    if by is not None and not (by.is_active and agent.owner_id == by.pk):
        raise NotAllowed(f"Only the owner of {agent} may {what}. That is {agent.owner}.")


def may_create_agents(by: User) -> bool:
    """Admins for anyone, developers for themselves."""
    return by.is_admin or bool(by.scope(Role.DEVELOPER))

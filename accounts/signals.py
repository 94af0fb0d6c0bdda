"""Said upwards, after the commit: somebody may do less than before.

Every request asks the database again, so a word that is lost lets nobody do anything; it only
leaves open what was open, until the next look (``gateway.tasks.cut_lost``, the socket's own).
"""

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

import structlog
from django.db import transaction
from django.dispatch import Signal

_log = structlog.get_logger(__name__)
# Argument: change (Change).
access_changed = Signal()


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Whom it concerns: people, agents, connections and grants by id, tokens as
    ``Principal.token`` names them.
    """

    people: frozenset[uuid.UUID] = field(default_factory=frozenset)
    agents: frozenset[uuid.UUID] = field(default_factory=frozenset)
    tokens: frozenset[str] = field(default_factory=frozenset)
    connections: frozenset[uuid.UUID] = field(default_factory=frozenset)
    grants: frozenset[uuid.UUID] = field(default_factory=frozenset)


def announce(
    *,
    people: Iterable[uuid.UUID] = (),
    agents: Iterable[uuid.UUID] = (),
    tokens: Iterable[str] = (),
    connections: Iterable[uuid.UUID] = (),
    grants: Iterable[uuid.UUID] = (),
) -> None:
    """After commit, have everything that is open looked at again for these."""
    change = Change(
        people=frozenset(people),
        agents=frozenset(agents),
        tokens=frozenset(tokens),
        connections=frozenset(connections),
        grants=frozenset(grants),
    )
    if change != Change():
        transaction.on_commit(lambda: _send(change))


def _send(change: Change) -> None:
    for receiver, error in access_changed.send_robust(sender=Change, change=change):
        if isinstance(error, Exception):
            _log.error("not_cut", receiver=str(receiver), error=type(error).__name__)

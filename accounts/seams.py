"""What accounts must be told by those above it: which connections there are, by name.

A role may hold on one connection and a token may be bound to some; both keep ids alone. The
gateway registers who knows the names.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from accounts.principal import Principal


@dataclass(frozen=True, slots=True)
class ConnectionName:
    """A connection as far as people and tokens are concerned."""

    id: UUID
    name: str


# None asks for all of them, a principal for those it may use.
Lister = Callable[[Principal | None], Sequence[ConnectionName]]
_listers: list[Lister] = []


def register_connections(lister: Lister) -> None:
    """The last one registered answers."""
    _listers[:] = [lister]


def connections(principal: Principal | None = None) -> Sequence[ConnectionName]:
    return _listers[0](principal) if _listers else ()


def connection_names() -> dict[UUID, str]:
    return {each.id: each.name for each in connections()}

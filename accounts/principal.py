"""Who acts, as a value that every stage can hold."""

from dataclasses import dataclass, field
from enum import StrEnum
from uuid import UUID


class PrincipalKind(StrEnum):
    """What kind of being acts."""

    PERSON = "person"
    AGENT = "agent"


class Role(StrEnum):
    """What a person may do in the console. Admin implies neither reviewer nor auditor."""

    ADMIN = "admin"
    REVIEWER = "reviewer"
    AUDITOR = "auditor"
    DEVELOPER = "developer"


@dataclass(frozen=True, slots=True)
class Scope:
    """On which connections something holds: everywhere, or on the named ones."""

    everywhere: bool = False
    connections: frozenset[UUID] = frozenset()

    def __contains__(self, connection_id: object) -> bool:
        return self.everywhere or connection_id in self.connections

    def __bool__(self) -> bool:
        return self.everywhere or bool(self.connections)


NOWHERE = Scope()


@dataclass(frozen=True, slots=True)
class Principal:
    """A person or an agent. ``owner_id`` is the person who answers for an agent.

    ``token_connections`` is None when the credential does not narrow the connections.
    """

    kind: PrincipalKind
    id: UUID
    name: str
    groups: frozenset[str] = field(default_factory=frozenset)
    owner_id: UUID | None = None
    on_behalf_of: str | None = None
    token_connections: frozenset[UUID] | None = None
    address: str | None = None

    def as_actor(self) -> dict[str, str]:
        """The values that an event keeps of who acted."""
        actor = {"kind": str(self.kind), "id": str(self.id), "name": self.name}
        if self.on_behalf_of:
            actor["on_behalf_of"] = self.on_behalf_of
        return actor

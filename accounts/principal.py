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


class TokenScope(StrEnum):
    """What an agent token may be used for. None implies another."""

    RUN = "statements:run"
    READ = "statements:read"
    SESSIONS = "sessions:read"
    SIMULATE = "simulate"


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

    ``token_connections`` and ``scopes`` are None when the credential does not narrow them;
    ``token`` is the key id of the agent token that was shown, if it was one.
    """

    kind: PrincipalKind
    id: UUID
    name: str
    groups: frozenset[str] = field(default_factory=frozenset)
    owner_id: UUID | None = None
    on_behalf_of: str | None = None
    # Their account, when they have one here: they do not approve what is done for them.
    on_behalf_of_id: UUID | None = None
    # They have to be allowed what the agent does for them.
    within_person: bool = False
    token_connections: frozenset[UUID] | None = None
    scopes: frozenset[str] | None = None
    token: str = ""
    address: str | None = None

    def allows(self, scope: TokenScope) -> bool:
        """Whether the credential may be used for this."""
        return self.scopes is None or scope in self.scopes

    def as_actor(self) -> dict[str, str]:
        """The values that an event keeps of who acted."""
        actor = {"kind": str(self.kind), "id": str(self.id), "name": self.name}
        if self.on_behalf_of:
            actor["on_behalf_of"] = self.on_behalf_of
        return actor

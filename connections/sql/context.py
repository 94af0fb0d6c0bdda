"""What the session around a statement contributes to its meaning."""

from dataclasses import dataclass, field
from typing import Any

from connections.sql.facts import Output


@dataclass(frozen=True, slots=True)
class PriorResult:
    """The shape of an earlier result of this session, as ``RESULT_SCAN`` would return it."""

    outputs: tuple[Output, ...]
    query_id: str | None = None


@dataclass(frozen=True, slots=True)
class SessionContext:
    """What unqualified names resolve against, and what the session has set.

    ``variables`` holds only values that were proved when they were set. ``results`` are earlier
    results, latest last; a caller that shares an upstream session leaves it empty.
    """

    database: str | None = None
    schema: str | None = None
    role: str | None = None
    warehouse: str | None = None
    variables: dict[str, Any] = field(default_factory=dict)
    results: tuple[PriorResult, ...] = ()

    def key(self) -> tuple[object, ...]:
        """What tells this context from another, for a cache of verdicts."""
        settings = tuple(sorted((k, repr(v)) for k, v in self.variables.items()))
        return (self.database, self.schema, self.role, self.warehouse, settings, self.results)

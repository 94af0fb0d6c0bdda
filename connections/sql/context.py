"""What the session around a statement contributes to its meaning."""

from dataclasses import dataclass, field, replace
from typing import Any

from connections.sql.facts import Facts, Output

MAX_RESULTS = 50


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

    def after(self, facts: Facts, outputs: tuple[Output, ...] | None = None) -> "SessionContext":
        """The context once a statement with these facts has succeeded.

        ``outputs`` is the shape of its result, where the caller vouches that the next
        ``LAST_QUERY_ID()`` of the upstream session will mean this result.
        """
        database, schema, variables = self.database, self.schema, dict(self.variables)
        for change in facts.session_changes:
            if change.kind == "database":
                database, schema = change.name, "PUBLIC"
            elif change.kind == "schema":
                schema = change.name
            elif change.kind == "variable":
                variables[change.name] = change.value
        results = self.results
        if outputs is not None:
            results = (*results[1 - MAX_RESULTS :], PriorResult(outputs))
        return replace(self, database=database, schema=schema, variables=variables, results=results)

    def key(self) -> tuple[object, ...]:
        """What tells this context from another, for a cache of verdicts."""
        settings = tuple(sorted((k, repr(v)) for k, v in self.variables.items()))
        return (self.database, self.schema, self.role, self.warehouse, settings, self.results)

"""What the session around a statement contributes to its meaning."""

from dataclasses import dataclass, field, replace
from typing import Any

from connections.sql.facts import Facts, Output

MAX_RESULTS = 50


@dataclass(frozen=True, slots=True)
class PriorResult:
    """The shape of an earlier result of this session, as ``RESULT_SCAN`` would return it."""

    outputs: tuple[Output, ...] = ()
    query_id: str | None = None
    open: bool = False  # columns that no analysis names, such as those of SHOW
    aliases: tuple[str, ...] = ()  # ids that the client was given before Snowflake gave its own


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

    def after(
        self, facts: Facts, *, query_id: str | None = None, keep_result: bool = False
    ) -> "SessionContext":
        """The context once a statement with these facts has succeeded.

        With ``keep_result`` its result may be scanned again. Then the caller gives the query's id
        in Snowflake, or vouches that ``LAST_QUERY_ID()`` will mean exactly this statement.
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
        if keep_result:
            reads = facts.statement_class == "select"
            made = PriorResult(facts.outputs if reads else (), query_id, open=not reads)
            results = (*results[1 - MAX_RESULTS :], made)
        return replace(self, database=database, schema=schema, variables=variables, results=results)

    def key(self) -> tuple[object, ...]:
        """What tells this context from another, for a cache of verdicts."""
        settings = tuple(sorted((k, repr(v)) for k, v in self.variables.items()))
        return (self.database, self.schema, self.role, self.warehouse, settings, self.results)

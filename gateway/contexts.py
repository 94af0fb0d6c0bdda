"""What the session around a statement has set, between the judge's values and plain JSON.

The JSON form is ``{database, schema, role, warehouse, variables, results, tables}``; a statement
without one is judged as in a fresh session of its connection.
"""

from collections.abc import Mapping
from typing import Any

from connections import services as connections
from connections.judge import PriorResult, SessionContext
from connections.models import Connection
from connections.sql.catalogue import Catalogue
from connections.sql.facts import ColumnName, ObjectName, Output
from connections.sql.schema import with_ddl
from gateway.models import Statement

PLACES = ("role", "warehouse", "database", "schema")


def place_of(statement: Statement) -> dict[str, Any]:
    """Where and as what it runs, and the variables that it was judged with."""
    if not statement.context:
        return {name: getattr(statement.connection, name) for name in PLACES}
    place: dict[str, Any] = {name: statement.context.get(name) or "" for name in PLACES}
    if variables := statement.context.get("variables"):
        place["variables"] = variables
    return place


def fresh(connection: Connection) -> dict[str, Any]:
    """The context of a session that has set nothing yet."""
    return {name: getattr(connection, name) or None for name in PLACES}


def context_of(statement: Statement) -> SessionContext:
    """As the judge takes it."""
    if not statement.context:
        return connections.context_for(statement.connection)
    return value_of(statement.context)


def value_of(kept: Mapping[str, Any]) -> SessionContext:
    return SessionContext(
        **{name: kept.get(name) or None for name in PLACES},
        variables=dict(kept.get("variables") or {}),
        results=tuple(_result(each) for each in kept.get("results") or ()),
    )


def _result(kept: Mapping[str, Any]) -> PriorResult:
    outputs = tuple(
        Output(name, frozenset(ColumnName(ObjectName(*parts[:-1]), parts[-1]) for parts in sources))
        for name, sources in kept["outputs"]
    )
    return PriorResult(outputs, kept["query_id"], kept["open"], tuple(kept.get("aliases", ())))


def result_of(statement: Statement) -> dict[str, Any] | None:
    """An earlier statement's result, as a later one may scan it; None when it cannot be told."""
    outputs = []
    for output in statement.facts.get("outputs", ()):
        sources = [str(source).split(".") for source in output["sources"]]
        if any(len(parts) != 4 for parts in sources):  # noqa: PLR2004 - a name with a point in it
            return None
        outputs.append([output["name"], sources])
    reads = statement.statement_class == "select"
    return {
        "query_id": statement.upstream_query_id,
        "aliases": [str(statement.pk)],
        "open": not reads,
        "outputs": outputs if reads else [],
    }


def catalogue_of(statement: Statement) -> Catalogue:
    """What exists for this statement: the connection's catalogue, and what its session made."""
    catalogue = connections.catalogue_for(statement.connection)
    made = statement.context.get("tables")
    if not made:
        return catalogue
    own = Catalogue.from_json(made)
    return Catalogue.of([*catalogue.tables.values(), *own.tables.values()])


def tables_after(statement: Statement, tables: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The tables that a session made itself, once one more statement of it has succeeded."""
    base = connections.catalogue_for(statement.connection)
    own = Catalogue.from_json(tables)
    before = Catalogue.of([*base.tables.values(), *own.tables.values()])
    after = with_ddl(before, statement.sql_given, context_of(statement))
    kept = [table for name, table in after.tables.items() if base.tables.get(name) != table]
    return Catalogue.of(kept).to_json()

"""Which names an expression can see, and the record that binding a statement keeps."""

from collections.abc import Callable
from dataclasses import dataclass, field

from sqlglot import exp

from connections.sql.catalogue import Catalogue, Table
from connections.sql.context import SessionContext
from connections.sql.facts import ColumnName, ObjectName, Problem
from connections.sql.relation import BaseColumn, Relation, Source, Value


@dataclass(slots=True)
class TableScan:
    """One place in the tree where a table or view is read."""

    index: int
    node: exp.Table
    table: Table

    def base(self, column: str) -> BaseColumn:
        return BaseColumn(self.index, ColumnName(self.table.name, column))


@dataclass(frozen=True, slots=True)
class ViewColumn:
    """Where a view's column comes from. ``passed`` names the one column it passes on as it is."""

    sources: frozenset[ColumnName]
    passed: ColumnName | None = None


@dataclass(frozen=True, slots=True)
class Silent:
    """A column of a scan where it is only counted or tested for null, which needs no mask."""

    base: BaseColumn
    node: exp.Column
    distinct: bool = False


MAX_STEPS = 200_000
MAX_COLUMNS = 20_000


class TooMuchError(Exception):
    """Binding would not end within its budget."""


@dataclass(slots=True)
class Record:
    """What binding has seen so far. One per statement; a view's definition has its own."""

    context: SessionContext
    catalogue: Catalogue
    scans: list[TableScan] = field(default_factory=list)
    by_node: dict[int, TableScan] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    functions: set[str] = field(default_factory=set)
    unknown_functions: set[str] = field(default_factory=set)
    flags: set[str] = field(default_factory=set)
    reads: set[ObjectName] = field(default_factory=set)
    evaluated: set[BaseColumn] = field(default_factory=set)
    lineage: dict[ColumnName, ViewColumn] = field(default_factory=dict)
    view_path: tuple[ObjectName, ...] = ()
    visited: set[int] = field(default_factory=set)
    silent: list[Silent] = field(default_factory=list)
    starred: set[int] = field(default_factory=set)
    aliases: int = 0
    steps: int = 0

    def step(self, number: int = 1) -> None:
        """Count work; a text that multiplies itself runs out of it."""
        self.steps += number
        if self.steps > MAX_STEPS:
            raise TooMuchError

    def refuse(self, code: str, text: str, way_out: str = "") -> None:
        problem = Problem(code, text, way_out)
        if problem not in self.problems:
            self.problems.append(problem)


@dataclass(slots=True)
class Scope:
    """The sources of one SELECT, its aliases, and the scopes around it."""

    parent: "Scope | None" = None
    ctes: dict[str, Relation] = field(default_factory=dict)
    sources: list[Source] = field(default_factory=list)
    merged: set[str] = field(default_factory=set)
    aliases: dict[str, exp.Expr] = field(default_factory=dict)
    resolved: dict[str, Value] = field(default_factory=dict)
    pending: set[str] = field(default_factory=set)
    parameters: dict[str, Value] = field(default_factory=dict)

    def inner(self) -> "Scope":
        """A scope for a subquery that may refer to this one."""
        return Scope(parent=self, ctes=dict(self.ctes))

    def beside(self) -> "Scope":
        """A scope for a query that sees the same CTEs and nothing else of this scope."""
        return Scope(parent=self.parent, ctes=dict(self.ctes))

    def candidates(self, name: str) -> list[Value]:
        found = []
        for source in self.sources:
            if name in source.hidden:
                continue
            value = source.find(name)
            if value is not None:
                found.append(value)
        return found

    def alias(self, name: str, evaluate: Callable[[exp.Expr], Value]) -> Value | None:
        """The value behind a select-list alias; None inside its own definition."""
        if name in self.resolved:
            return self.resolved[name]
        node = self.aliases.get(name)
        if node is None or name in self.pending:
            return None
        self.pending.add(name)
        try:
            value = evaluate(node)
        finally:
            self.pending.discard(name)
        self.resolved[name] = value
        return value

    def find_source(self, alias: str, schema: str = "", database: str = "") -> list[Source]:
        return [
            s
            for s in self.sources
            if s.alias == alias
            or (
                s.object is not None
                and schema
                and s.object.name == alias
                and s.object.schema == schema
            )
            if not schema or (s.object is not None and s.object.schema == schema)
            if not database or (s.object is not None and s.object.database == database)
        ]

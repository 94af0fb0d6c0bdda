"""What analysing one statement yields: its facts, its judged tree, and the scans in it."""

from dataclasses import dataclass, field

from sqlglot import exp

from connections.sql.facts import ColumnName, Facts, ObjectName, Problem
from connections.sql.relation import BaseColumn, Out, Used
from connections.sql.scope import Silent, TableScan, ViewColumn


@dataclass(frozen=True, slots=True)
class WrittenColumn:
    """A column that the statement writes, and the base columns whose values it takes over."""

    column: ColumnName
    sources: frozenset[BaseColumn]


@dataclass(slots=True)
class Analysis:
    """``tree`` is what will be rendered; ``prefix`` stands before it (EXPLAIN, CALL)."""

    facts: Facts
    tree: exp.Expr | None = None
    prefix: str = ""
    outputs: tuple[Out, ...] = ()
    uses: frozenset[Used] = frozenset()
    scans: list[TableScan] = field(default_factory=list)
    silent: list[Silent] = field(default_factory=list)
    starred: set[int] = field(default_factory=set)
    evaluated: set[BaseColumn] = field(default_factory=set)
    lineage: dict[ColumnName, ViewColumn] = field(default_factory=dict)
    written: tuple[WrittenColumn, ...] = ()
    targets: frozenset[int] = frozenset()
    created: tuple[str, ...] = ()
    moved: tuple[tuple[ObjectName, str, ObjectName, str], ...] = ()


def refused(
    statement_class: str, *problems: Problem, flags: frozenset[str] = frozenset()
) -> Analysis:
    """The analysis of a text of which nothing but its refusal is known."""
    return Analysis(Facts(statement_class, problems=problems, flags=flags))

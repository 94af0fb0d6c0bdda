"""What analysis proves about a statement. Pure values; every name is as Snowflake resolves it."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class Use(StrEnum):
    """How a statement uses a column. Only ``NULL_TESTED`` and ``COUNTED`` reveal no value."""

    PROJECTED = "projected"
    FILTERED = "filtered"
    JOINED = "joined"
    GROUPED = "grouped"
    ORDERED = "ordered"
    AGGREGATED = "aggregated"
    ARGUMENT = "argument"
    WRITTEN = "written"
    NULL_TESTED = "null-tested"
    COUNTED = "counted"


class ObjectName(NamedTuple):
    """A fully qualified object, case as stored: ``PROD.CRM.CUSTOMERS``, ``PROD.CRM.%CUSTOMERS`` for
    the stage of a table; ``~`` for the user's own stage.
    """

    database: str
    schema: str
    name: str
    kind: str = "table"

    def __str__(self) -> str:
        # A user's own stage lies in no schema.
        return f"{self.database}.{self.schema}.{self.name}" if self.schema else self.database


class ColumnName(NamedTuple):
    """A column of a fully qualified object."""

    object: ObjectName
    column: str

    def __str__(self) -> str:
        return f"{self.object}.{self.column}"


class ColumnUse(NamedTuple):
    """One column and one way in which the statement uses it."""

    column: ColumnName
    use: Use
    function: str | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """A result column: its name and the base columns whose values reach it."""

    name: str
    sources: frozenset[ColumnName] = frozenset()


@dataclass(frozen=True, slots=True)
class Problem:
    """Something analysis could not prove. Any problem means deny."""

    code: str
    text: str
    way_out: str = ""
    position: int | None = None


@dataclass(frozen=True, slots=True)
class SessionChange:
    """What the session would be after the statement: ``database``, ``schema``, ``variable`` or
    ``parameter``.

    A value is None where only running would tell it.
    """

    kind: str
    name: str
    value: str | int | float | bool | None = None


@dataclass(frozen=True, slots=True)
class Transfer:
    """Files on their way: ``put``, ``get``, ``list``, ``remove``, ``copy-in`` or ``unload``, the
    stage's full name, the path in it, and the file at the client's where it names one.
    """

    direction: str
    stage: str
    path: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that a decision may rest on."""

    statement_class: str
    reads: tuple[ObjectName, ...] = ()
    writes: tuple[ObjectName, ...] = ()
    columns: tuple[ColumnUse, ...] = ()
    outputs: tuple[Output, ...] = ()
    functions: tuple[str, ...] = ()
    unknown_functions: tuple[str, ...] = ()
    flags: frozenset[str] = field(default_factory=frozenset)
    problems: tuple[Problem, ...] = ()
    session_changes: tuple[SessionChange, ...] = ()
    transfer: Transfer | None = None

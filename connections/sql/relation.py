"""What flows where: the values that binding passes around. All of them immutable."""

from dataclasses import dataclass, field, replace
from typing import NamedTuple

from sqlglot import exp

from connections.sql.facts import ColumnName, ObjectName, Use


class BaseColumn(NamedTuple):
    """A column of one scan: the same table scanned twice gives different base columns."""

    scan: int
    name: ColumnName


Used = tuple[BaseColumn, Use, str | None]
NONE: frozenset[BaseColumn] = frozenset()
NO_USES: frozenset[Used] = frozenset()


@dataclass(frozen=True, slots=True)
class Value:
    """An expression: whose values reach it, and how computing it uses columns.

    ``pure`` marks a column passed on as it is. ``keys`` are the sources of the keys of an object
    that the expression builds; None where that is not known.
    """

    sources: frozenset[BaseColumn] = NONE
    uses: frozenset[Used] = NO_USES
    pure: bool = False
    keys: frozenset[BaseColumn] | None = None
    type: str | None = None

    def joined(self, other: "Value") -> "Value":
        return Value(self.sources | other.sources, self.uses | other.uses)

    def used(self, use: Use, function: str | None = None) -> frozenset[Used]:
        """All uses when this value is consumed in the given way."""
        return self.uses | {(source, use, function) for source in self.sources}


EMPTY = Value()


def merge(values: "list[Value]") -> Value:
    if not values:
        return EMPTY
    if len(values) == 1:
        return replace(values[0], pure=False, keys=None, type=None)
    return Value(
        frozenset().union(*(v.sources for v in values)),
        frozenset().union(*(v.uses for v in values)),
    )


@dataclass(frozen=True, slots=True)
class Out:
    """A column of a relation. One without a name keeps the expression that it comes from."""

    name: str
    value: Value
    item: exp.Expr | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Relation:
    """Rows: their columns in order, and the uses that decide which rows there are.

    ``rest`` stands for further columns whose names only the data tells (a dynamic pivot).
    """

    columns: tuple[Out, ...] = ()
    uses: frozenset[Used] = NO_USES
    rest: Value | None = None
    index: dict[str, Value] = field(default_factory=dict, compare=False, repr=False)

    def find(self, name: str) -> Value | None:
        """The column of that name; of columns with one name, all together."""
        if not self.index:
            for column in self.columns:
                known = self.index.get(column.name)
                value = column.value
                self.index[column.name] = value if known is None else known.joined(value)
        return self.index.get(name)


@dataclass(frozen=True, slots=True)
class Source:
    """A relation under its name in a FROM clause. ``merged`` columns are joined by USING."""

    alias: str
    relation: Relation
    object: ObjectName | None = None
    hidden: frozenset[str] = frozenset()

    def find(self, name: str) -> Value | None:
        return self.relation.find(name)

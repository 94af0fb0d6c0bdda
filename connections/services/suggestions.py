"""Columns that look personal by name, tags or sampled values, offered for protection. Pure.

None of it proves anything: these are suggestions for a person, who adds or leaves them.
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from connections.masking.strategies import STRATEGIES, strictest
from connections.masking.types import Family, family
from connections.policy.types import Protection
from connections.services.evidence import Sampled, best_by_column
from connections.services.kinds import Mask, kind_by_tags, kind_of
from connections.sql.catalogue import Catalogue, Column, Table

MAX_SUGGESTIONS = 500
_GLOB = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One column, the mask that is offered for it, and why."""

    table: Table
    column: Column
    label: str
    strategy: str
    options: dict[str, Any]
    reason: str

    @property
    def key(self) -> str:
        return f"{self.table.name}.{self.column.name}"

    def as_values(self) -> dict[str, Any]:
        """What ``create_protections`` takes."""
        name = self.table.name
        return {
            "database": name.database,
            "schema": name.schema,
            "table": name.name,
            "column": self.column.name,
            "strategy": self.strategy,
            "options": dict(self.options),
            "note": f"Suggested: {self.reason}",
        }


def suggest(
    catalogue: Catalogue, protections: Iterable[Protection], sampled: Iterable[Sampled] = ()
) -> list[Suggestion]:
    """Unprotected columns whose names, tags or sampled values say that they are personal.

    Values weigh more than names: they choose the mask, and come first when there are too many.
    """
    marks = Marks(protections)
    seen = best_by_column(sampled)
    found = []
    for table in catalogue.tables.values():
        # A view shows the masks of what it reads; protecting it again would mask a mask.
        if table.definition is not None or table.name.kind == "view":
            continue
        near = marks.near(table)
        for column in table.columns:
            name = table.name
            item = _suggested(
                table, column, seen.get((name.database, name.schema, name.name, column.name))
            )
            if item is not None and not covers(near, table, column):
                found.append(item)
    if len(found) > MAX_SUGGESTIONS:
        found.sort(key=lambda item: "sampled" not in item.reason)
    return found[:MAX_SUGGESTIONS]


def _suggested(table: Table, column: Column, seen: Sampled | None) -> Suggestion | None:
    kind, by = kind_of(column.name), "name"
    if kind is None:
        kind, by = kind_by_tags(column.tags), "tag"
    # A flag such as HAS_PHONE says nothing that a mask could keep.
    if family(column.type) is Family.BOOLEAN or (kind is None and seen is None):
        return None
    if seen is None:
        assert kind is not None
        strategy, options = _fitting(kind.masks, column.type)
        reason = f"the {by} says {kind.label}"
        return Suggestion(table, column, kind.label, strategy, options, reason)
    shape = seen.seen
    # Part of a text that merely contains one could be anything.
    strategy, options = _fitting(shape.masks if seen.mostly else (), column.type)
    reason = seen.reason()
    if kind is not None:
        reason = f"{reason}, and the {by} says {kind.label}"
    return Suggestion(table, column, shape.one, strategy, options, reason)


def _fitting(masks: Iterable[Mask], column_type: str) -> Mask:
    """The first mask that fits the type; redaction fits every one."""
    return next((mask for mask in masks if STRATEGIES[mask[0]].fits(column_type)), ("redact", {}))


def covers(protections: Iterable[Protection], table: Table, column: Column) -> Protection | None:
    """The protection, enabled or not, that this column wears: of several, the strictest."""
    found = [item for item in protections if _names(item, table, column)]
    if len(found) < 2:  # noqa: PLR2004
        return found[0] if found else None
    chosen = strictest([item.strategy for item in found])
    return next((item for item in found if item.strategy == chosen), found[0])


def _names(item: Protection, table: Table, column: Column) -> bool:
    name = table.name
    hit = (
        any(_same(tag, item.tag) for tag in column.tags)
        if item.tag
        else _same(column.name, item.column)
    )
    return (
        hit
        and _same(name.name, item.table)
        and _same(name.schema, item.schema)
        and _same(name.database, item.database)
    )


def _same(value: str, pattern: str) -> bool:
    """As the judge compares: by glob, without regard to case."""
    return pattern == "*" or fnmatchcase(value.casefold(), pattern.casefold())


class Marks:
    """Which columns of many tables are protected: most protections name one table, so each table
    is held against few of them.
    """

    def __init__(self, protections: Iterable[Protection]) -> None:
        self._anywhere: list[Protection] = []
        self._of_table: dict[str, list[Protection]] = defaultdict(list)
        for item in protections:
            if item.tag or _GLOB.search(item.table):
                self._anywhere.append(item)
            else:
                self._of_table[item.table.casefold()].append(item)

    def near(self, table: Table) -> list[Protection]:
        """Those that may meet a column of ``table``."""
        return [*self._of_table.get(table.name.name.casefold(), ()), *self._anywhere]

    def count(self, table: Table) -> int:
        """How many columns of ``table`` are protected."""
        near = self.near(table)
        return sum(any(_names(p, table, c) for p in near) for c in table.columns) if near else 0

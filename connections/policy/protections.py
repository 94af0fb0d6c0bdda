"""Which columns are protected, by name or by tag."""

from collections.abc import Sequence
from fnmatch import translate
from functools import lru_cache
from re import Pattern
from re import compile as compile_pattern

from connections.policy.types import Protection
from connections.sql.catalogue import Catalogue
from connections.sql.facts import ColumnName, ObjectName


class Protections:
    """All protections of a ruleset, ready to be asked about one column after another.

    Names match by glob and without regard to case: where in doubt, more is protected, not less.
    """

    def __init__(self, protections: Sequence[Protection]) -> None:
        self._active = tuple(p for p in protections if p.enabled)
        self._by_table: dict[ObjectName, tuple[Protection, ...]] = {}

    def of_table(self, name: ObjectName) -> tuple[Protection, ...]:
        """The protections that may concern a table's columns."""
        found = self._by_table.get(name)
        if found is None:
            found = tuple(
                p
                for p in self._active
                if _same(name.database, p.database)
                and _same(name.schema, p.schema)
                and _same(name.name, p.table)
            )
            if len(self._by_table) < _MOST_TABLES:
                self._by_table[name] = found
        return found

    def of(self, name: ColumnName, catalogue: Catalogue) -> list[Protection]:
        """The protections that a column meets, in their order."""
        tags: tuple[str, ...] | None = None
        found = []
        for protection in self.of_table(name.object):
            if protection.column and not _same(name.column, protection.column):
                continue
            if protection.tag:
                if tags is None:
                    tags = column_tags(name, catalogue)
                if not any(_same(t, protection.tag) for t in tags):
                    continue
            elif not protection.column:
                continue
            found.append(protection)
        return found


_MOST_TABLES = 10_000


def column_tags(name: ColumnName, catalogue: Catalogue) -> tuple[str, ...]:
    """The tags of a column, as the catalogue knows them."""
    table = catalogue.find(name.object.database, name.object.schema, name.object.name)
    for column in table.columns if table is not None else ():
        if column.name == name.column:
            return column.tags
    return ()


@lru_cache(maxsize=4096)
def _glob(pattern: str) -> Pattern[str]:
    return compile_pattern(translate(pattern.casefold()))


def _same(value: str, pattern: str) -> bool:
    if pattern in {"*", value}:
        return True
    return _glob(pattern).match(value.casefold()) is not None

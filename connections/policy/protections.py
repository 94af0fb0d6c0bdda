"""Which columns are protected, by name or by tag."""

from collections.abc import Sequence
from fnmatch import fnmatchcase

from connections.policy.types import Protection
from connections.sql.catalogue import Catalogue
from connections.sql.facts import ColumnName


def applying(
    name: ColumnName, protections: Sequence[Protection], catalogue: Catalogue
) -> list[Protection]:
    """The protections that a column meets, in their order."""
    tags: tuple[str, ...] | None = None
    found = []
    for protection in protections:
        if not protection.enabled:
            continue
        if not (
            _same(name.object.database, protection.database)
            and _same(name.object.schema, protection.schema)
            and _same(name.object.name, protection.table)
        ):
            continue
        if protection.tag:
            if tags is None:
                tags = column_tags(name, catalogue)
            hit = any(_same(t, protection.tag) for t in tags)
            if hit and (not protection.column or _same(name.column, protection.column)):
                found.append(protection)
        elif protection.column and _same(name.column, protection.column):
            found.append(protection)
    return found


def column_tags(name: ColumnName, catalogue: Catalogue) -> tuple[str, ...]:
    """The tags of a column, as the catalogue knows them."""
    table = catalogue.find(name.object.database, name.object.schema, name.object.name)
    for column in table.columns if table is not None else ():
        if column.name == name.column:
            return column.tags
    return ()


def _same(value: str, pattern: str) -> bool:
    """Names match by glob, case as stored; where in doubt, more is protected rather than less."""
    return pattern == "*" or fnmatchcase(value.casefold(), pattern.casefold())

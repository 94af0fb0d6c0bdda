"""What exists on a connection, as a value: the only ground on which names are resolved."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from connections.sql.facts import ObjectName


@dataclass(frozen=True, slots=True)
class Column:
    """A column as the catalogue knows it; ``type`` is Snowflake's own spelling."""

    name: str
    type: str
    tags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A table or a view; ``definition`` is a view's text."""

    name: ObjectName
    columns: tuple[Column, ...]
    definition: str | None = None


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All known objects of a connection at one version."""

    tables: dict[tuple[str, str, str], Table] = field(default_factory=dict)
    version: int = 0
    #: What analysis worked out about the views of exactly this catalogue.
    memo: dict[object, Any] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def of(cls, tables: Iterable[Table], version: int = 0) -> "Catalogue":
        return cls({(t.name.database, t.name.schema, t.name.name): t for t in tables}, version)

    def find(self, database: str, schema: str, name: str) -> Table | None:
        return self.tables.get((database, schema, name))

    def fingerprint(self) -> int:
        """A number that tells this catalogue's content from any other's, worked out once."""
        known = self.memo.get("fingerprint")
        if known is None:
            known = hash(
                tuple((k, t.name.kind, t.columns, t.definition) for k, t in self.tables.items())
            )
            self.memo["fingerprint"] = known
        return int(known)

    def to_json(self) -> list[dict[str, Any]]:
        """Rows ``{database, schema, name, kind, columns: [[name, type, [tag]]], definition}``."""
        return [
            {
                "database": t.name.database,
                "schema": t.name.schema,
                "name": t.name.name,
                "kind": t.name.kind,
                "columns": [[c.name, c.type, list(c.tags)] for c in t.columns],
                "definition": t.definition,
            }
            for t in self.tables.values()
        ]

    @classmethod
    def from_json(cls, rows: Iterable[dict[str, Any]], version: int = 0) -> "Catalogue":
        return cls.of(
            (
                Table(
                    ObjectName(r["database"], r["schema"], r["name"], r["kind"]),
                    tuple(Column(n, t, tuple(tags)) for n, t, tags in r["columns"]),
                    r.get("definition"),
                )
                for r in rows
            ),
            version,
        )

"""What exists there: tables, views, columns and tags, read from INFORMATION_SCHEMA."""

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from connections.sql.catalogue import Catalogue, Column, Table
from connections.sql.facts import ObjectName
from connections.upstream.client import SnowflakeSession
from connections.upstream.errors import UpstreamError
from connections.upstream.find import quoted

logger = logging.getLogger(__name__)

# Snowflake's own, never the customer's data.
_SYSTEM_DATABASES = {"SNOWFLAKE", "SNOWFLAKE_SAMPLE_DATA"}
_VIEWS = {"VIEW", "MATERIALIZED VIEW"}

_TABLES = """
SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE FROM {db}.INFORMATION_SCHEMA.TABLES
WHERE TABLE_SCHEMA <> 'INFORMATION_SCHEMA' ORDER BY TABLE_SCHEMA, TABLE_NAME"""
_COLUMNS = """
SELECT TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, DATA_TYPE, NUMERIC_PRECISION, NUMERIC_SCALE
FROM {db}.INFORMATION_SCHEMA.COLUMNS
WHERE TABLE_SCHEMA <> 'INFORMATION_SCHEMA' ORDER BY TABLE_SCHEMA, TABLE_NAME, ORDINAL_POSITION"""
_DEFINITIONS = """
SELECT TABLE_SCHEMA, TABLE_NAME, VIEW_DEFINITION FROM {db}.INFORMATION_SCHEMA.VIEWS
WHERE TABLE_SCHEMA <> 'INFORMATION_SCHEMA'"""
_TAGS = """
SELECT TAG_DATABASE, TAG_SCHEMA, TAG_NAME, TAG_VALUE,
       OBJECT_DATABASE, OBJECT_SCHEMA, OBJECT_NAME, COLUMN_NAME
FROM SNOWFLAKE.ACCOUNT_USAGE.TAG_REFERENCES
WHERE DOMAIN IN ('TABLE', 'COLUMN') AND OBJECT_DELETED IS NULL"""

_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class CatalogueRead:
    """A catalogue, and what could not be read into it, in words for the admin."""

    catalogue: Catalogue
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Tags:
    """Tags by table, and by column; a table's tag holds for all its columns."""

    tables: dict[_Key, list[str]] = field(default_factory=lambda: defaultdict(list))
    columns: dict[tuple[_Key, str], list[str]] = field(default_factory=lambda: defaultdict(list))

    def of(self, key: _Key, column: str) -> tuple[str, ...]:
        return (*self.tables.get(key, []), *self.columns.get((key, column), []))


async def read_catalogue(
    session: SnowflakeSession,
    databases: Sequence[str] = (),
    *,
    progress: Callable[[str], None] = lambda _: None,
) -> CatalogueRead:
    """Read ``databases``, or those that the role can see.

    Raises ``UpstreamError`` when one cannot be read: half a catalogue would deny half the work
    without a word.
    """
    notes: list[str] = []
    names = list(databases) or await _visible(session)
    if not names:
        notes.append(
            "The role sees no database. Grant it USAGE on one, or name the databases to read."
        )
    progress("Reading tags")
    tags = await _read_tags(session, notes)
    tables: list[Table] = []
    for name in names:
        progress(f"Reading {name}")
        tables += await _read_database(session, name, tags)
    return CatalogueRead(Catalogue.of(tables), tuple(notes))


async def _visible(session: SnowflakeSession) -> list[str]:
    rows = (await session.fetch("SHOW DATABASES")).to_pylist()
    return sorted({str(row["name"]) for row in rows} - _SYSTEM_DATABASES)


async def _read_database(session: SnowflakeSession, database: str, tags: _Tags) -> list[Table]:
    async def rows(text: str) -> list[dict[str, Any]]:
        table = await session.fetch(text.format(db=quoted(database)))
        found: list[dict[str, Any]] = table.to_pylist()
        return found

    definitions = {
        (row["TABLE_SCHEMA"], row["TABLE_NAME"]): row["VIEW_DEFINITION"]
        for row in await rows(_DEFINITIONS)
    }
    columns: dict[tuple[str, str], list[Column]] = defaultdict(list)
    for row in await rows(_COLUMNS):
        place = (row["TABLE_SCHEMA"], row["TABLE_NAME"])
        name = row["COLUMN_NAME"]
        columns[place].append(Column(name, _type(row), tags.of((database, *place), name)))
    return [
        Table(
            ObjectName(
                database,
                row["TABLE_SCHEMA"],
                row["TABLE_NAME"],
                "view" if str(row["TABLE_TYPE"]).upper() in _VIEWS else "table",
            ),
            tuple(columns[row["TABLE_SCHEMA"], row["TABLE_NAME"]]),
            definitions.get((row["TABLE_SCHEMA"], row["TABLE_NAME"])),
        )
        for row in await rows(_TABLES)
    ]


def _type(row: dict[str, Any]) -> str:
    kind = str(row["DATA_TYPE"]).upper()
    if kind == "NUMBER" and row["NUMERIC_PRECISION"] is not None:
        return f"NUMBER({int(row['NUMERIC_PRECISION'])},{int(row['NUMERIC_SCALE'] or 0)})"
    return kind


async def _read_tags(session: SnowflakeSession, notes: list[str]) -> _Tags:
    tags = _Tags()
    try:
        rows = (await session.fetch(_TAGS)).to_pylist()
    except UpstreamError as error:
        logger.info("tags cannot be read: %s", error.code)
        notes.append(
            "Tags were not read, so protections by tag find no column. Tags need an edition that "
            "has them, and IMPORTED PRIVILEGES on the database SNOWFLAKE for the role."
        )
        return tags
    for row in rows:
        key = (row["OBJECT_DATABASE"], row["OBJECT_SCHEMA"], row["OBJECT_NAME"])
        full = f"{row['TAG_DATABASE']}.{row['TAG_SCHEMA']}.{row['TAG_NAME']}"
        # An admin may mean any of the three.
        names = [row["TAG_NAME"], full, f"{row['TAG_NAME']}={row['TAG_VALUE']}"]
        if row["COLUMN_NAME"]:
            tags.columns[key, row["COLUMN_NAME"]] += names
        else:
            tags.tables[key] += names
    return tags

"""Views of INFORMATION_SCHEMA that only list what exists. No others are known: several hand out
the text of statements, definitions or privileges.
"""

from connections.sql.catalogue import Column, Table
from connections.sql.facts import ObjectName

_VIEWS: dict[str, str] = {
    "TABLES": (
        "TABLE_CATALOG TABLE_SCHEMA TABLE_NAME TABLE_OWNER TABLE_TYPE IS_TRANSIENT CLUSTERING_KEY "
        "ROW_COUNT BYTES RETENTION_TIME CREATED LAST_ALTERED LAST_DDL COMMENT"
    ),
    "COLUMNS": (
        "TABLE_CATALOG TABLE_SCHEMA TABLE_NAME COLUMN_NAME ORDINAL_POSITION COLUMN_DEFAULT "
        "IS_NULLABLE DATA_TYPE CHARACTER_MAXIMUM_LENGTH CHARACTER_OCTET_LENGTH NUMERIC_PRECISION "
        "NUMERIC_PRECISION_RADIX NUMERIC_SCALE DATETIME_PRECISION COLLATION_NAME IS_IDENTITY "
        "COMMENT"
    ),
    "SCHEMATA": "CATALOG_NAME SCHEMA_NAME SCHEMA_OWNER IS_TRANSIENT CREATED LAST_ALTERED COMMENT",
    "DATABASES": "DATABASE_NAME DATABASE_OWNER IS_TRANSIENT COMMENT CREATED LAST_ALTERED",
    "TABLE_CONSTRAINTS": (
        "CONSTRAINT_CATALOG CONSTRAINT_SCHEMA CONSTRAINT_NAME TABLE_CATALOG TABLE_SCHEMA "
        "TABLE_NAME CONSTRAINT_TYPE IS_DEFERRABLE INITIALLY_DEFERRED ENFORCED"
    ),
}


def system_table(name: ObjectName) -> Table | None:
    """A view that every database has, if it is one that merely lists."""
    columns = _VIEWS.get(name.name) if name.schema == "INFORMATION_SCHEMA" else None
    if columns is None:
        return None
    kind = ObjectName(name.database, name.schema, name.name, "system")
    return Table(kind, tuple(Column(c, "VARCHAR") for c in columns.split()))

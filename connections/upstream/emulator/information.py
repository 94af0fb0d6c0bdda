"""INFORMATION_SCHEMA as Snowflake documents it, where fakesnow's differs.

Views keep the text they were made with, and TABLES lists views beside tables.
"""

from string import Template
from typing import Any

from sqlglot import Expr, exp

_SCHEMA = "_fs_global._emulator"
_HIDDEN = "('_fs_information_schema', '_emulator', 'main')"

_FORGET_VIEW = f"DELETE FROM {_SCHEMA}.view_texts WHERE database = ? AND schema = ? AND name = ?"  # noqa: S608
_KEEP_VIEW = f"INSERT INTO {_SCHEMA}.view_texts VALUES (?, ?, ?, ?, now())"  # noqa: S608

_TAG = f"INSERT OR REPLACE INTO {_SCHEMA}.tags VALUES (?, ?, ?, ?, 'PII', ?)"  # noqa: S608
_TAG_REFERENCES = f"""CREATE VIEW SNOWFLAKE.ACCOUNT_USAGE.TAG_REFERENCES AS
    SELECT *, 'GOVERNANCE' AS TAG_DATABASE, 'TAGS' AS TAG_SCHEMA, 'COLUMN' AS DOMAIN,
        NULL::TIMESTAMPTZ AS OBJECT_DELETED, 'CLASSIFIED' AS APPLY_METHOD
    FROM {_SCHEMA}.tags;"""  # noqa: S608

_DATABASE = Template("""
CREATE OR REPLACE VIEW ${db}._fs_information_schema._fs_views AS
SELECT
    v.database_name AS TABLE_CATALOG, v.schema_name AS TABLE_SCHEMA, v.view_name AS TABLE_NAME,
    'SYSADMIN' AS TABLE_OWNER, coalesce(t.text, v.sql) AS VIEW_DEFINITION,
    'NONE' AS CHECK_OPTION, 'NO' AS IS_UPDATABLE, 'NO' AS INSERTABLE_INTO, 'NO' AS IS_SECURE,
    coalesce(t.created, to_timestamp(0)) AS CREATED,
    coalesce(t.created, to_timestamp(0)) AS LAST_ALTERED,
    coalesce(t.created, to_timestamp(0)) AS LAST_DDL,
    'SYSADMIN' AS LAST_DDL_BY, NULL::VARCHAR AS COMMENT
FROM duckdb_views() v
LEFT JOIN ${home}.view_texts t
    ON t.database = v.database_name AND t.schema = v.schema_name AND t.name = v.view_name
WHERE v.database_name = '${db}' AND NOT v.internal AND v.schema_name NOT IN ${hidden};

CREATE OR REPLACE VIEW ${db}._fs_information_schema._fs_tables AS
WITH relations AS (
    SELECT database_name, schema_name, table_name, 'BASE TABLE' AS kind,
        estimated_size AS size, temporary
    FROM duckdb_tables()
    UNION ALL
    SELECT database_name, schema_name, view_name, 'VIEW', NULL, temporary
    FROM duckdb_views() WHERE NOT internal
)
SELECT
    r.database_name AS TABLE_CATALOG, r.schema_name AS TABLE_SCHEMA, r.table_name AS TABLE_NAME,
    'SYSADMIN' AS TABLE_OWNER, r.kind AS TABLE_TYPE, 'NO' AS IS_TRANSIENT,
    NULL::VARCHAR AS CLUSTERING_KEY, r.size AS ROW_COUNT,
    CASE WHEN r.kind = 'VIEW' THEN NULL ELSE 0 END AS BYTES,
    CASE WHEN r.kind = 'VIEW' THEN NULL ELSE 1 END AS RETENTION_TIME,
    NULL::VARCHAR AS SELF_REFERENCING_COLUMN_NAME, NULL::VARCHAR AS REFERENCE_GENERATION,
    NULL::VARCHAR AS USER_DEFINED_TYPE_CATALOG, NULL::VARCHAR AS USER_DEFINED_TYPE_SCHEMA,
    NULL::VARCHAR AS USER_DEFINED_TYPE_NAME,
    CASE WHEN r.kind = 'VIEW' THEN 'NO' ELSE 'YES' END AS IS_INSERTABLE_INTO,
    'YES' AS IS_TYPED, NULL::VARCHAR AS COMMIT_ACTION,
    to_timestamp(0) AS CREATED, to_timestamp(0) AS LAST_ALTERED, to_timestamp(0) AS LAST_DDL,
    'SYSADMIN' AS LAST_DDL_BY, 'NO' AS AUTO_CLUSTERING_ON, c.comment AS "COMMENT",
    CASE WHEN r.temporary THEN 'YES' ELSE 'NO' END AS IS_TEMPORARY,
    'NO' AS IS_ICEBERG, 'NO' AS IS_DYNAMIC, 'NO' AS IS_IMMUTABLE, 'NO' AS IS_HYBRID
FROM relations r
LEFT JOIN _fs_global._fs_information_schema._fs_tables_ext c
    ON c.ext_table_catalog = r.database_name AND c.ext_table_schema = r.schema_name
    AND c.ext_table_name = r.table_name
WHERE r.database_name = '${db}' AND r.schema_name NOT IN ${hidden};
""")


def global_creation_sql() -> str:
    return f"""
    CREATE SCHEMA IF NOT EXISTS {_SCHEMA};
    CREATE TABLE IF NOT EXISTS {_SCHEMA}.view_texts (
        database VARCHAR, schema VARCHAR, name VARCHAR, text VARCHAR, created TIMESTAMPTZ,
        PRIMARY KEY (database, schema, name)
    );
    CREATE TABLE IF NOT EXISTS {_SCHEMA}.tags (
        OBJECT_DATABASE VARCHAR, OBJECT_SCHEMA VARCHAR, OBJECT_NAME VARCHAR, COLUMN_NAME VARCHAR,
        TAG_NAME VARCHAR, TAG_VALUE VARCHAR,
        PRIMARY KEY (OBJECT_DATABASE, OBJECT_SCHEMA, OBJECT_NAME, COLUMN_NAME, TAG_NAME)
    );
    ATTACH ':memory:' AS SNOWFLAKE;
    CREATE SCHEMA SNOWFLAKE.ACCOUNT_USAGE;
    {_TAG_REFERENCES}
    """


def database_creation_sql(database: str) -> str:
    return _DATABASE.substitute(db=database, home=_SCHEMA, hidden=_HIDDEN)


def tag_column(duck: Any, table: str, column: str, value: str) -> None:
    """Let TAG_REFERENCES say that ``DATABASE.SCHEMA.TABLE`` holds personal data there."""
    duck.execute(_TAG, [*table.split("."), column, value])


def after(connection: Any, tree: Expr, sql: str) -> None:
    """Note what the statement that has just run means for INFORMATION_SCHEMA."""
    kind = str(tree.args.get("kind") or "").upper()
    if not isinstance(tree, exp.Create | exp.Drop):
        return
    if isinstance(tree, exp.Create) and kind == "DATABASE":
        identifier = tree.find(exp.Identifier)
        if identifier is not None:
            connection._duck_conn.execute(database_creation_sql(identifier.name.upper()))  # noqa: SLF001
    if kind != "VIEW":
        return
    target = tree.find(exp.Table)
    if target is None:
        return
    key = [
        _stored(target.args.get("catalog")) or connection.database,
        _stored(target.args.get("db")) or connection.schema,
        _stored(target.this),
    ]
    keep_view_text(connection._duck_conn, key, sql if isinstance(tree, exp.Create) else None)  # noqa: SLF001


def keep_view_text(duck: Any, key: list[str], text: str | None) -> None:
    """Remember the text of the view ``key``, or forget it."""
    # A cursor of its own: DuckDB lets one transaction write to one attached file only.
    with duck.cursor() as own:
        own.execute(_FORGET_VIEW, key)
        if text is not None:
            own.execute(_KEEP_VIEW, [*key, text])


def _stored(node: Any) -> str:
    if not isinstance(node, exp.Identifier):
        return ""
    return node.name if node.quoted else node.name.upper()

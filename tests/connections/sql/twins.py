"""Warehouses that differ only in protected values, and what a statement gives in each.

Equal values stay equal and NULL stays NULL, so a text that reveals nothing protected gives the
same in each, to the last row. A statement runs on DuckDB itself, which is quick; what only the
emulator can express runs there, all its forms alike.
"""

from dataclasses import dataclass, field
from functools import lru_cache

import duckdb
import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from connections.sql.schema import catalogue_from_ddl
from tests.connections.sql.test_emulator import FIXTURE, _warehouse

MORE = """
CREATE VIEW PROD.CRM.V_CITIES AS SELECT CITY, COUNT(*) AS PEOPLE, MAX(EMAIL) AS TOP_EMAIL,
SUM(BALANCE) AS WEALTH FROM PROD.CRM.CUSTOMERS GROUP BY CITY;
CREATE VIEW PROD.CRM.V_NESTED AS SELECT ID, SPLIT_PART(CONTACT, '@', 1) AS MAILBOX, CONTACT
FROM PROD.CRM.V_CONTACTS WHERE CONTACT IS NOT NULL;
CREATE VIEW PROD.CRM.V_FLAGS AS SELECT ID, IFF(EMAIL LIKE '%pii%', 'known', NULL) AS FLAG,
NULLIF(SSN, '900-11-1111') AS SSN, LENGTH(EMAIL) AS SIZE FROM PROD.CRM.CUSTOMERS;
"""
# Rows that let joins, filters and groups meet: repeated values, and one that another table has.
ROWS = """
INSERT INTO PROD.CRM.CUSTOMERS VALUES
(5, 'canary-alice@pii.example', '900-11-1111', 'Eve Elm', 'Lima', 40.00),
(6, 'sales@paper.example', '900-22-2222', 'Fay Fir', 'Oslo', 40.00);
INSERT INTO PROD.CRM.EVENTS SELECT 2, 3, '2026-02-05 09:59:00'::TIMESTAMP,
PARSE_JSON('{"type":"view","n":7,"tags":["b"]}')
"""
# What the emulator's engine has under another name.
MACROS = "CREATE MACRO PROD.CRM.TRY_TO_TIMESTAMP(x) AS TRY_CAST(x AS TIMESTAMP)"
CATALOGUE = catalogue_from_ddl(FIXTURE + MORE)
# What the other warehouse of each pair has instead, in the columns that are protected there.
_OTHERS = {
    "people": {
        ("CUSTOMERS", "EMAIL"): """CASE EMAIL WHEN 'canary-alice@pii.example' THEN 'zz9@other.test'
            WHEN 'canary-bob@pii.example' THEN 'canary-alice@pii.example'
            WHEN 'canary-carol@pii.example' THEN '7'
            WHEN 'sales@paper.example' THEN 'x' END""",
        ("CUSTOMERS", "SSN"): """CASE SSN WHEN '900-11-1111' THEN 'a'
            WHEN '900-22-2222' THEN '123-45-6789' WHEN '900-33-3333' THEN 'Oslo' END""",
    },
    "business": {
        ("CUSTOMERS", "BALANCE"): "BALANCE * -3 + 17",
        ("ORDERS", "ORDER_TS"): "DATEADD(day, 400, ORDER_TS)",
        (
            "ORDERS",
            "STATUS",
        ): "CASE STATUS WHEN 'SHIPPED' THEN 'a' WHEN 'OPEN' THEN 'Oslo' ELSE '' END",
        ("EVENTS", "PAYLOAD"): """CASE EVENT_ID WHEN 1 THEN PARSE_JSON('{"type":"view","tags":[]}')
            ELSE PARSE_JSON('{"n":1,"tags":["a","Oslo","7"]}') END""",
        ("DELETED_ACCOUNTS", "EMAIL_OPT_IN"): "NOT EMAIL_OPT_IN",
    },
}
PROTECTED = {pair: tuple(columns) for pair, columns in _OTHERS.items()}
_UNABLE = (
    duckdb.ParserException,
    duckdb.CatalogException,
    duckdb.BinderException,
    duckdb.NotImplementedException,
)


@dataclass(frozen=True)
class Result:
    """What came back: headers and rows, or the error. ``text`` is all that an agent would see."""

    headers: tuple = ()
    rows: tuple = ()
    values: tuple = field(default=(), compare=False)
    error: str = ""
    text: str = ""

    @classmethod
    def made(cls, headers, rows):
        shown = tuple(sorted(map(repr, rows)))
        return cls(headers, shown, tuple(rows), text=repr((headers, shown)))

    @classmethod
    def of(cls, error):
        return cls(error=type(error).__name__, text=str(error))


class Twins:
    def __init__(self):
        self.connections = {name: _prepared(name) for name in ("", *_OTHERS)}

    def first(self, sql):
        """How this statement can be run, ``duckdb``, ``emulator`` or not at all, and its result."""
        try:
            found = self._duckdb(sql, "")
        except (*_UNABLE, SqlglotError):
            found = self.run(sql, "emulator")
            return ("" if _unable(found) else "emulator"), found
        except duckdb.Error as error:
            return "duckdb", Result.of(error)
        return "duckdb", found

    def run(self, sql, way, where=""):
        try:
            return (self._duckdb if way == "duckdb" else self._emulator)(sql, where)
        except Exception as error:  # noqa: BLE001 - its text must not leak either
            return Result.of(error)

    def _duckdb(self, sql, where):
        cursor = self.connections[where]._duck_conn.execute(translated(sql))
        return Result.made(tuple(d[0] for d in cursor.description), cursor.fetchall())

    def _emulator(self, sql, where):
        cursor = self.connections[where].cursor()
        cursor.execute(sql)
        return Result.made(tuple(d.name for d in cursor.description), cursor.fetchall())


def _prepared(name):
    connection = _warehouse()
    changes = (
        f"UPDATE PROD.CRM.{table} SET {column} = {value}"
        for (table, column), value in _OTHERS.get(name, {}).items()
    )
    for statement in [*(MORE + ROWS).split(";"), *changes, "USE SCHEMA PROD.CRM"]:
        if statement.strip():
            connection.cursor().execute(statement)
    connection._duck_conn.execute("SET threads = 1")
    connection._duck_conn.execute(MACROS)
    return connection


_WORDS = ("Binder Error", "Catalog Error", "Parser Error", "not implemented", "Expecting ")


def _unable(result):
    return any(word in result.text for word in _WORDS) if result.error else False


@lru_cache(64)
def translated(sql):
    """The statement for DuckDB, with what the generator of its dialect leaves out."""
    tree = sqlglot.parse_one(sql, dialect="snowflake")
    for node in list(tree.find_all(exp.TableFromRows, exp.Lateral)):
        inner = node.this
        if isinstance(inner, exp.Literal):
            table = exp.to_table(inner.this, dialect="snowflake")
            table.set("alias", node.args.get("alias"))
            node.replace(table)
        elif isinstance(inner, exp.Explode):
            node.set("this", _unnested(inner.this.args["expression"]))
            node.args["alias"].set("columns", [exp.to_identifier(n) for n in ("VALUE", "INDEX")])
    return tree.sql("duckdb", copy=False)


def _unnested(array):
    values = exp.cast(exp.func("TO_JSON", array), "ARRAY<JSON>", dialect="duckdb")
    places = exp.func("GENERATE_SUBSCRIPTS", values.copy(), exp.Literal.number(1)) - 1
    return exp.select(exp.func("UNNEST", values), places).subquery()


@lru_cache
def twins():
    return Twins()

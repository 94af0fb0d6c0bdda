"""Bare counts are true, also where the same column is used otherwise in the same query."""

import duckdb
import pytest
import sqlglot

from connections.management.commands.judge import judge_line
from connections.masking.verdict import Ruleset
from connections.policy.defaults import default_rules
from connections.policy.types import Protection
from tests.connections.sql.test_syntax import CATALOGUE, RULESET

ROWS = [(1, "a@x", "1"), (2, "b@x", "1"), (3, "b@x", "2"), (4, None, "3")]


@pytest.fixture(scope="module")
def warehouse():
    connection = duckdb.connect()
    connection.execute("ATTACH ':memory:' AS PROD; CREATE SCHEMA PROD.CRM;")
    connection.execute(
        "CREATE TABLE PROD.CRM.CUSTOMERS (ID INT, EMAIL TEXT, SSN TEXT, FULL_NAME TEXT, CITY TEXT,"
        " BALANCE INT)"
    )
    for id_, email, ssn in ROWS:
        values = [id_, email, ssn, "n", "Oslo", 1]
        connection.execute("INSERT INTO PROD.CRM.CUSTOMERS VALUES (?, ?, ?, ?, ?, ?)", values)
    yield connection
    connection.close()


def run(warehouse, sql, ruleset=RULESET):
    verdict = judge_line({"id": "t", "sql": sql}, CATALOGUE, ruleset)
    assert verdict["decision"] == "mask", verdict
    cursor = warehouse.execute(sqlglot.transpile(verdict["sql_sent"], "snowflake", "duckdb")[0])
    return [c[0] for c in cursor.description], cursor.fetchall()


@pytest.mark.parametrize(
    ("sql", "rows"),
    [
        ("SELECT COUNT(DISTINCT EMAIL), MAX(EMAIL) FROM PROD.CRM.CUSTOMERS", [(2, "***")]),
        (
            """SELECT c.EMAIL, COUNT(DISTINCT c.SSN) FROM PROD.CRM.CUSTOMERS c
            WHERE c.SSN <> '1' GROUP BY 1 ORDER BY 2""",
            [(None, 1), ("***", 2)],
        ),
        (
            """SELECT COUNT(DISTINCT a.EMAIL), COUNT(DISTINCT b.SSN), MIN(a.EMAIL), MIN(b.SSN)
            FROM PROD.CRM.CUSTOMERS a, PROD.CRM.CUSTOMERS b""",
            [(2, 3, "***", "***")],
        ),
        (
            """SELECT ID FROM PROD.CRM.CUSTOMERS WHERE EMAIL = 'a@x'
            OR (SELECT COUNT(DISTINCT SSN) + LENGTH(MAX(SSN)) FROM PROD.CRM.CUSTOMERS) <> 6""",
            [],
        ),
    ],
)
def test_counts_are_true_beside_masks(warehouse, sql, rows):
    assert run(warehouse, sql)[1] == rows


def test_headers_are_those_that_were_asked_for(warehouse):
    headers, _ = run(warehouse, "SELECT COUNT(DISTINCT EMAIL), MAX(EMAIL) FROM PROD.CRM.CUSTOMERS")
    assert headers == ["COUNT(DISTINCT EMAIL)", "MAX(EMAIL)"]


def test_null_tests_are_true_where_the_mask_is_empty(warehouse):
    emptied = Protection("p", "null", "PROD", "CRM", "CUSTOMERS", "EMAIL")
    ruleset = Ruleset(default_rules(), (emptied,), revision=1)
    sql = "SELECT ID, EMAIL FROM PROD.CRM.CUSTOMERS WHERE EMAIL IS NOT NULL ORDER BY ID"
    assert run(warehouse, sql, ruleset)[1] == [(1, None), (2, None), (3, None)]
    sql = "SELECT COUNT(EMAIL), MAX(EMAIL) FROM PROD.CRM.CUSTOMERS"
    assert run(warehouse, sql, ruleset)[1] == [(3, None)]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT *, COUNT(DISTINCT EMAIL) OVER () FROM PROD.CRM.CUSTOMERS",
        "SELECT OBJECT_CONSTRUCT(*), COUNT(DISTINCT EMAIL) OVER () FROM PROD.CRM.CUSTOMERS",
        "SELECT COUNT(DISTINCT c.EMAIL) OVER (), c.* FROM PROD.CRM.CUSTOMERS c",
        """SELECT COUNT(DISTINCT EMAIL) OVER (), EMAIL FROM
        (SELECT * FROM PROD.CRM.CUSTOMERS)""",
        "SELECT COUNT(DISTINCT EMAIL), MAX(EMAIL) FROM PROD.CRM.CUSTOMERS c (A, EMAIL, B, C, D, E)",
        "SELECT COUNT(DISTINCT E), MAX(E) FROM (SELECT EMAIL AS E FROM PROD.CRM.CUSTOMERS)",
    ],
)
def test_no_unmasked_column_stands_where_anything_else_finds_it(sql):
    verdict = judge_line({"id": "t", "sql": sql}, CATALOGUE, RULESET)
    assert '"EMAIL" AS "EMAIL (' not in str(verdict["sql_sent"])


def test_nobody_names_it():
    sql = 'SELECT MAX("EMAIL (0)"), COUNT(DISTINCT EMAIL), MAX(EMAIL) FROM PROD.CRM.CUSTOMERS'
    assert judge_line({"id": "t", "sql": sql}, CATALOGUE, RULESET)["decision"] == "deny"

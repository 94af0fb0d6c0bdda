"""The very texts that are sent."""

import logging

import pytest

from connections.judge import CACHE, Ruleset, SessionContext, judge
from connections.policy.defaults import default_rules
from connections.policy.types import Effect, Protection, Subject
from tests.connections.test_judge_corpora import CATALOGUE

PROTECTIONS = (
    Protection("email", "redact", "PROD", "CRM", "CUSTOMERS", "EMAIL"),
    Protection("ssn", "null", "PROD", "CRM", "CUSTOMERS", "SSN"),
)
RULESET = Ruleset(default_rules(), PROTECTIONS, 1)
MASKED = (
    '(SELECT "ID", CASE WHEN "EMAIL" IS NOT NULL THEN \'***\' END AS "EMAIL", '
    'CAST(NULL AS VARCHAR) AS "SSN", "FULL_NAME", "CITY", "BALANCE" '
    'FROM "PROD"."CRM".CUSTOMERS{0})'
)
SCAN = MASKED.format("")


def sent(sql):
    CACHE.clear()
    verdict = judge(
        sql,
        context=SessionContext(),
        catalogue=CATALOGUE,
        ruleset=RULESET,
        subject=Subject("agent", "a", "a"),
    )
    assert verdict.decision.effect != Effect.DENY, verdict.decision.reasons
    return verdict.sql_sent


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("SELECT ID FROM PROD.CRM.CUSTOMERS", f'SELECT ID FROM {SCAN} AS "CUSTOMERS"'),
        ("SELECT c.ID FROM PROD.CRM.CUSTOMERS c", f"SELECT c.ID FROM {SCAN} AS c"),
        (
            "SELECT c.X FROM PROD.CRM.CUSTOMERS c (ID, X)",
            f"SELECT c.X FROM {SCAN} AS c(ID, X)",
        ),
        (
            "SELECT ID FROM PROD.CRM.CUSTOMERS AT(OFFSET => -60)",
            f'SELECT ID FROM {MASKED.format(" AT (OFFSET => -60)")} AS "CUSTOMERS"',
        ),
        (
            "SELECT ID FROM PROD.CRM.CUSTOMERS SAMPLE (10)",
            f'SELECT ID FROM {MASKED.format(" TABLESAMPLE BERNOULLI (10)")} AS "CUSTOMERS"',
        ),
        (
            "SELECT * FROM PROD.CRM.CUSTOMERS PIVOT(MAX(ID) FOR CITY IN ('Oslo')) AS p",
            f"SELECT * FROM {SCAN} PIVOT(MAX(ID) FOR CITY IN ('Oslo')) AS p",
        ),
        (
            "SELECT a.ID FROM (PROD.CRM.CUSTOMERS a JOIN PROD.CRM.ORDERS b ON b.ORDER_ID = a.ID)",
            f'SELECT a.ID FROM ({SCAN} AS a JOIN "PROD"."CRM".ORDERS AS b ON b.ORDER_ID = a.ID)',
        ),
        (
            (
                "SELECT X FROM PROD.CRM.CUSTOMERS"
                " MATCH_RECOGNIZE (ORDER BY ID MEASURES LAST(ID) AS X"
                " ONE ROW PER MATCH PATTERN (A+) DEFINE A AS TRUE)"
            ),
            (
                f"SELECT X FROM {SCAN} MATCH_RECOGNIZE ( ORDER BY ID MEASURES LAST(ID) AS X"
                " ONE ROW PER MATCH PATTERN (A+) DEFINE A AS TRUE)"
            ),
        ),
        (
            "EXPLAIN USING TEXT SELECT ID FROM PROD.CRM.CUSTOMERS",
            f'EXPLAIN USING TEXT SELECT ID FROM {SCAN} AS "CUSTOMERS"',
        ),
        (
            "WITH w AS (SELECT * FROM PROD.CRM.CUSTOMERS) SELECT ID FROM w -- note",
            f'WITH w AS (SELECT * FROM {SCAN} AS "CUSTOMERS") SELECT ID FROM w AS w',
        ),
        (
            "INSERT INTO PROD.CRM.VENDORS (ID) SELECT ID FROM PROD.CRM.CUSTOMERS",
            'INSERT INTO "PROD"."CRM".VENDORS (ID) SELECT ID FROM "PROD"."CRM".CUSTOMERS',
        ),
        ("CALL PROD.CRM.P(1)", "CALL PROD.CRM.P(1)"),
        ("SELECT 1 /* a */ -- b", "SELECT 1"),
    ],
)
def test_text(given, expected):
    assert sent(given) == expected


def test_no_text_goes_to_a_log(caplog):
    with caplog.at_level(logging.DEBUG):
        for sql in ("EXPLAIN SELECT 'secret-7'", "CALL PROD.CRM.P('secret-7')"):
            sent(sql)
    assert "secret-7" not in caplog.text

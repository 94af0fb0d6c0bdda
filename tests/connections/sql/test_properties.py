"""Statements made by chance keep their meaning when nothing is protected, and keep canaries in
when something is. ``JUDGE_EXAMPLES`` sets how many are tried.
"""

import os

import pytest
from hypothesis import HealthCheck, given, settings

from connections.judge import Ruleset, SessionContext, judge
from connections.policy.defaults import default_rules
from connections.policy.types import Effect, Protection
from tests.connections.sql.canaries import leaks
from tests.connections.sql.grammar import statement
from tests.connections.sql.test_emulator import CANARIES, CATALOGUE, SUBJECT, _warehouse

pytestmark = pytest.mark.filterwarnings("ignore")

EXAMPLES = int(os.environ.get("JUDGE_EXAMPLES", "300"))
OPEN = Ruleset(default_rules(), revision=1)
MASKED = Ruleset(
    default_rules(),
    (
        Protection("e", "redact", "PROD", "CRM", "CUSTOMERS", "EMAIL"),
        Protection("s", "hash", "PROD", "CRM", "CUSTOMERS", "SSN"),
    ),
    revision=2,
    salt="property",
)
_WAREHOUSE = []


def _cursor():
    if not _WAREHOUSE:
        _WAREHOUSE.append(_warehouse())
    return _WAREHOUSE[0].cursor()


def _judge(sql, ruleset):
    return judge(
        sql, context=SessionContext(), catalogue=CATALOGUE, ruleset=ruleset, subject=SUBJECT
    )


def _run(sql):
    cursor = _cursor()
    try:
        cursor.execute(sql)
        return sorted(map(repr, cursor.fetchall()))
    except Exception as error:  # noqa: BLE001 - both sides may fail, and then fail alike
        return f"{type(error).__name__}"


_CHECKS = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize="JUDGE_EXAMPLES" not in os.environ,
    database=None,
)


@_CHECKS
@given(statement())
def test_rendering_keeps_the_rows(sql):
    verdict = _judge(sql, OPEN)
    assert verdict.decision.effect == Effect.ALLOW, (sql, verdict.decision.reasons)
    assert not verdict.masks
    assert _run(verdict.sql_sent) == _run(sql), (sql, verdict.sql_sent)


@_CHECKS
@given(statement())
def test_masks_keep_the_canaries(sql):
    verdict = _judge(sql, MASKED)
    assert verdict.decision.effect == Effect.ALLOW, (sql, verdict.decision.reasons)
    cursor = _cursor()
    try:
        cursor.execute(verdict.sql_sent)
        out = repr(([d.name for d in cursor.description], cursor.fetchall()))
    except Exception as error:  # noqa: BLE001 - whatever it is, its text must not leak
        out = str(error)
    assert leaks(out, CANARIES) == [], (sql, verdict.sql_sent)

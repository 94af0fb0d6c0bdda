"""TPC-H and TPC-DS: what the judge renders means what was written, and canaries stay in."""

import pytest

from connections.judge import Ruleset, SessionContext, judge
from connections.policy.defaults import default_rules
from connections.policy.types import Effect, Protection, Subject
from tests.connections.sql.canaries import leaks
from tests.connections.sql.tpc import (
    CANARIES,
    PROTECTED,
    ROOT,
    catalogue,
    needs_tpc,
    queries,
    rows,
    warehouse,
)

pytestmark = [needs_tpc, pytest.mark.filterwarnings("ignore")]

SUBJECT = Subject("agent", "a-1", "agent")
CONTEXT = SessionContext("TPC", "PUBLIC")
OPEN = Ruleset(default_rules(), revision=1)


def _cases():
    if not ROOT.exists():
        return []
    return [
        pytest.param(
            suite, title, id=title.replace(" ", "-"), marks=[pytest.mark.slow] * (suite != "tpc-h")
        )
        for suite in ("tpc-h", "tpc-ds")
        for title in queries(suite)
    ]


def _judge(suite, title, ruleset):
    return judge(
        queries(suite)[title],
        context=CONTEXT,
        catalogue=catalogue(suite),
        ruleset=ruleset,
        subject=SUBJECT,
    )


@pytest.mark.parametrize(("suite", "title"), _cases())
def test_rendered_query_gives_the_same_rows(suite, title):
    verdict = _judge(suite, title, OPEN)
    assert verdict.decision.effect == Effect.ALLOW, verdict.decision.reasons
    assert not verdict.masks
    connection = warehouse(suite)
    headers, found = rows(connection, verdict.sql_sent)
    given, expected = rows(connection, queries(suite)[title])
    assert found == expected
    # An output without a name is headed by its text, which the engine spells as it likes.
    named = [i for i, name in enumerate(verdict.output_names) if name == given[i].upper()]
    assert [headers[i] for i in named] == [given[i] for i in named]
    assert len(headers) == len(given) == len(verdict.output_names)


@pytest.mark.parametrize("strategy", ["redact", "hash", "null"])
@pytest.mark.parametrize(("suite", "title"), _cases())
def test_no_canary_leaves(suite, title, strategy):
    protections = tuple(
        Protection(f"{t}-{c}", strategy, "TPC", "PUBLIC", t, c) for t, c in PROTECTED[suite]
    )
    verdict = _judge(suite, title, Ruleset(default_rules(), protections, 1, "tpc"))
    assert verdict.decision.effect == Effect.ALLOW, verdict.decision.reasons
    try:
        headers, found = rows(warehouse(suite), verdict.sql_sent)
    except Exception as error:  # noqa: BLE001 - whatever it is, its text must not leak
        headers, found = [str(error)], []
    assert leaks(repr((headers, found)), CANARIES[suite]) == []

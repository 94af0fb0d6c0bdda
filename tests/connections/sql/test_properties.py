"""Statements made by chance keep their meaning when nothing is protected, and keep what is
protected in when something is. ``JUDGE_EXAMPLES`` sets how many are tried.
"""

import os
from collections import Counter
from dataclasses import dataclass
from itertools import cycle

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from connections.judge import Ruleset, SessionContext, judge
from connections.policy.defaults import default_rules
from connections.policy.types import Effect, Protection, Subject
from connections.sql.facts import Use
from tests.connections.sql.canaries import leaks
from tests.connections.sql.grammar import statements
from tests.connections.sql.test_emulator import CANARIES
from tests.connections.sql.twins import CATALOGUE, PROTECTED, twins

pytestmark = pytest.mark.filterwarnings("ignore")

EXAMPLES = int(os.environ.get("JUDGE_EXAMPLES", "2000"))
# What earlier runs have found wrong, each as small as it could be made.
FOUND = (
    """SELECT (SELECT COUNT(*) FROM PROD.CRM.CUSTOMERS c,
        LATERAL FLATTEN(input => ARRAY_CONSTRUCT(c.EMAIL)) f) AS A""",
    "SELECT INSERT(EMAIL, 1, 2, 'zz') AS A FROM PROD.CRM.CUSTOMERS",
    "WITH w AS (SELECT ID FROM PROD.CRM.CUSTOMERS WHERE EMAIL LIKE '%a%') SELECT ID FROM w",
    """WITH RECURSIVE w (N) AS (SELECT 1 UNION ALL SELECT w.N + 1 FROM w
        JOIN PROD.CRM.CUSTOMERS c ON c.ID = w.N AND c.SSN LIKE '9%') SELECT N FROM w""",
    """SELECT c.ID FROM PROD.CRM.CUSTOMERS c, LATERAL FLATTEN(input => SPLIT(c.EMAIL, '-')) f""",
    "SELECT COUNT(DISTINCT TOP_EMAIL) AS A FROM PROD.CRM.V_CITIES",
    "SELECT ID FROM PROD.CRM.V_FLAGS WHERE FLAG IS NULL",
    "SELECT FLAG, SSN, SIZE FROM PROD.CRM.V_FLAGS",
    """SELECT COUNT(DISTINCT X) AS A FROM (SELECT EMAIL AS X FROM PROD.CRM.CUSTOMERS
        UNION ALL SELECT EMAIL FROM PROD.CRM.VENDORS)""",
)
CONTEXT = SessionContext("PROD", "CRM")
SUBJECT = Subject("agent", "a-1", "agent")
OPEN = Ruleset(default_rules(), revision=1)


@dataclass(frozen=True)
class Mask:
    """A pair of warehouses, and how its protected columns are masked. ``blind`` masks tell nothing
    but NULL; the others tell of the value what they are meant to tell.
    """

    pair: str
    blind: bool
    ruleset: Ruleset

    @classmethod
    def of(cls, revision, pair, *strategies):
        protections = tuple(
            Protection(f"{table}-{column}", strategy, "PROD", "CRM", table, column)
            for (table, column), strategy in zip(PROTECTED[pair], cycle(strategies), strict=False)
        )
        blind = set(strategies) <= {"redact", "null", "constant"}
        return cls(pair, blind, Ruleset(default_rules(), protections, revision, salt="property"))


MASKS = (
    Mask.of(2, "people", "redact"),
    Mask.of(3, "people", "redact", "null"),
    Mask.of(4, "people", "constant", "redact"),
    Mask.of(5, "people", "redact", "hash"),
    Mask.of(6, "people", "hash"),
    Mask.of(7, "business", "redact"),
    Mask.of(8, "business", "null", "constant"),
    Mask.of(9, "business", "bucket", "date", "partial"),
)
# Uses that do not choose rows: with these alone, a changed value changes its own output only.
_FLOWING = {Use.PROJECTED, Use.ARGUMENT, Use.AGGREGATED, Use.NULL_TESTED, Use.COUNTED}


def _judge(sql, ruleset):
    return judge(sql, context=CONTEXT, catalogue=CATALOGUE, ruleset=ruleset, subject=SUBJECT)


def check(sql, mask):
    """All properties of one statement; what became of it, in a few words."""
    plain, masked = _judge(sql, OPEN), _judge(sql, mask.ruleset)
    if plain.decision.effect == Effect.DENY:  # closed is safe; how often is held below
        return f"denied, {plain.decision.reasons[0].code}"
    for verdict in (plain, masked):
        assert verdict.decision.effect == Effect.ALLOW, verdict.decision.reasons
    assert not plain.masks
    way, before = twins().first(sql)
    if not way:
        return "not for the emulator"
    after = twins().run(plain.sql_sent, way)
    assert (after.rows, after.error) == (before.rows, before.error), plain.sql_sent
    if not before.error:
        assert len(plain.output_names) == len(before.headers)
        for name, header in zip(plain.output_names, before.headers, strict=True):
            # DuckDB numbers the later ones of several columns of one name that a star finds.
            twice = plain.output_names.count(name) > 1 and header.upper().startswith(f"{name}_")
            assert twice or name in ("", header.upper()), (plain.output_names, before.headers)
    here = twins().run(masked.sql_sent, way)
    if mask.pair == "people":
        assert leaks(here.text, CANARIES) == [], masked.sql_sent
    if mask.blind:
        assert here == twins().run(masked.sql_sent, way, mask.pair), masked.sql_sent
    if before.error or here.error:
        return f"{way}: error"
    _named(sql, mask, masked, way, before)
    return f"{way}: {'rows' if before.rows else 'no rows'}{', masked' * masked.masks}"


def _named(sql, mask, masked, way, before):
    """What the verdict says of the statement is so: ``allow`` only where nothing protected is
    used, and every output that a protected value would change is among the masked ones.
    """
    there = twins().run(sql, way, mask.pair)
    if not masked.masks:
        assert there == before, "protected values are used"
    elif _flows_only(masked, mask) and not there.error:
        changed = _changed(before, there)
        assert changed <= set(masked.masked_outputs), (changed, masked.masked_outputs)


def _flows_only(verdict, mask):
    """Whether protected values choose no rows."""
    return all(
        use.use in _FLOWING and use.function != "FLATTEN"
        for use in verdict.facts.columns
        if (use.column.object.name, use.column.column) in PROTECTED[mask.pair]
    )


def _changed(before, there):
    """The positions whose values differ, each column by itself."""
    columns = [
        [Counter(map(repr, (row[i] for row in result.values))) for i in range(len(before.headers))]
        for result in (before, there)
    ]
    return {i for i, (a, b) in enumerate(zip(*columns, strict=True)) if a != b}


def test_rows_are_kept_and_canaries_stay_in():
    seen = Counter()

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize="JUDGE_EXAMPLES" not in os.environ,
        database=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
    )
    @given(statements(), st.sampled_from(MASKS))
    def holds(sql, mask):
        seen[check(sql, mask)] += 1

    holds()
    print(dict(seen))  # noqa: T201 - what a run of many examples has covered
    if EXAMPLES >= _ENOUGH:
        total = seen.total()
        shares = {w: sum(n for k, n in seen.items() if w in k) / total for w in _SHARES}
        assert all(shares[w] >= least for w, least in _SHARES.items()), shares


# A test that mostly skips proves nothing: what part of the statements runs, finds rows, is masked.
_SHARES = {": ": 0.93, ": rows": 0.5, "masked": 0.4}
_ENOUGH = 300


@pytest.mark.parametrize("sql", FOUND)
def test_what_was_found_stays_repaired(sql):
    for mask in MASKS:
        assert check(sql, mask)

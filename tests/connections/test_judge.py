"""The verdict as a whole: texts sent, facts, sessions, copies, the cache and the processes."""

import re
import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import sqlglot
from sqlglot.errors import UnsupportedError

from connections import judge as module
from connections.judge import PriorResult, Ruleset, SessionContext, judge
from connections.masking import judgement
from connections.masking.pool import WorkerPool
from connections.masking.verdict import Request
from connections.policy.defaults import default_rules
from connections.policy.types import AppliedProtection, Effect, Protection, Rule, Subject
from connections.sql.catalogue import Catalogue, Column, Table
from connections.sql.facts import ColumnName, ObjectName, Use
from tests.connections.test_judge_corpora import CATALOGUE

CUSTOMERS = ObjectName("PROD", "CRM", "CUSTOMERS")
EMAIL, SSN = ColumnName(CUSTOMERS, "EMAIL"), ColumnName(CUSTOMERS, "SSN")
SUBJECT = Subject("agent", "a-1", "robo", connection="warehouse", door="rest")
PROTECTIONS = (
    Protection("email", "redact", "PROD", "CRM", "CUSTOMERS", "EMAIL"),
    Protection("ssn", "hash", "PROD", "CRM", "CUSTOMERS", "SSN"),
)
RULESET = Ruleset(default_rules(), PROTECTIONS, 1, "salt")


@pytest.fixture(autouse=True)
def _cold():
    """Each verdict is made anew."""
    module.CACHE.clear()


def ask(sql, *, context=None, catalogue=CATALOGUE, ruleset=RULESET, subject=SUBJECT, **more):
    return judge(
        sql,
        context=context or SessionContext(),
        catalogue=catalogue,
        ruleset=ruleset,
        subject=subject,
        **more,
    )


def codes(verdict):
    return [r.code for r in verdict.decision.reasons]


def uses(verdict, column):
    return {c.use for c in verdict.facts.columns if c.column == column}


# the text that is sent


def test_comments_are_gone_and_names_are_pinned():
    verdict = ask("SELECT /* a */ ID -- b\nFROM CRM.ORDERS o", context=SessionContext("PROD"))
    assert verdict.decision.effect == Effect.DENY  # ORDERS has no ID
    verdict = ask("SELECT /* a */ ORDER_ID -- b\nFROM crm.orders o", context=SessionContext("PROD"))
    assert verdict.sql_sent == 'SELECT ORDER_ID FROM "PROD"."CRM".orders AS o'


def test_a_masked_scan_keeps_name_columns_and_order():
    verdict = ask("SELECT * FROM PROD.CRM.CUSTOMERS")
    tree = sqlglot.parse_one(verdict.sql_sent, dialect="snowflake")
    subquery = tree.args["from_"].this
    assert subquery.alias == "CUSTOMERS"
    assert [s.alias_or_name for s in subquery.this.selects] == [
        "ID",
        "EMAIL",
        "SSN",
        "FULL_NAME",
        "CITY",
        "BALANCE",
    ]
    assert verdict.output_names == ("ID", "EMAIL", "SSN", "FULL_NAME", "CITY", "BALANCE")
    assert verdict.masked_outputs == (1, 2)


def test_two_tables_of_one_name_stay_apart():
    other = Table(ObjectName("PROD", "OLD", "CUSTOMERS"), (Column("ID", "INT"), Column("X", "INT")))
    catalogue = Catalogue.of([*CATALOGUE.tables.values(), other], 9)
    verdict = ask(
        "SELECT PROD.CRM.CUSTOMERS.SSN, PROD.OLD.CUSTOMERS.X"
        " FROM PROD.CRM.CUSTOMERS, PROD.OLD.CUSTOMERS",
        catalogue=catalogue,
    )
    assert verdict.masked_outputs == (0,)
    assert 'AS "CUSTOMERS__1"' in verdict.sql_sent
    assert '"CUSTOMERS__1".X' in verdict.sql_sent


def test_time_travel_and_samples_stay_with_the_scan():
    sent = ask("SELECT SSN FROM PROD.CRM.CUSTOMERS AT(OFFSET => -60) SAMPLE (10)").sql_sent
    inner = sent[sent.index("(SELECT") : sent.rindex(")")]
    assert "OFFSET" in inner
    assert "SAMPLE" in inner


def test_salts_are_sent_and_not_shown():
    verdict = ask("SELECT SSN FROM PROD.CRM.CUSTOMERS")
    assert "(salt)" in verdict.sql_shown
    assert "(salt)" not in verdict.sql_sent
    assert len(verdict.sql_shown) < len(verdict.sql_sent)


def test_counts_and_null_tests_see_what_is_there():
    counted = ask("SELECT COUNT(DISTINCT EMAIL) FROM PROD.CRM.CUSTOMERS")
    assert not counted.masks
    inner = counted.sql_sent
    assert '"EMAIL",' in inner  # the scan gives the column itself, for nothing but its count
    assert "'***'" not in inner
    tested = ask("SELECT ID FROM PROD.CRM.CUSTOMERS WHERE EMAIL IS NULL")
    assert not tested.masks
    assert "'***'" in tested.sql_sent


def test_a_count_of_what_is_also_computed_is_not_raw():
    verdict = ask(
        "SELECT COUNT(DISTINCT E)"
        " FROM (SELECT EMAIL AS E, EMAIL::DATE AS D FROM PROD.CRM.CUSTOMERS)"
    )
    assert "'***'" in verdict.sql_sent


def test_denied_means_nothing_is_sent():
    verdict = ask("DROP USER X")
    assert (verdict.sql_sent, verdict.sql_shown, verdict.masked_outputs) == (None, None, ())


def test_placeholders_are_values():
    verdict = ask("SELECT ORDER_ID FROM PROD.CRM.ORDERS WHERE STATUS = ? AND CHANNEL = :2")
    assert verdict.decision.effect == Effect.ALLOW
    assert "?" in verdict.sql_sent
    assert ":2" in verdict.sql_sent


# facts


def test_uses_are_told_apart():
    verdict = ask(
        "SELECT UPPER(EMAIL), MAX(SSN), COUNT(FULL_NAME) FROM PROD.CRM.CUSTOMERS"
        " WHERE EMAIL LIKE 'a%' AND SSN IS NOT NULL GROUP BY EMAIL ORDER BY EMAIL"
    )
    assert uses(verdict, EMAIL) == {
        Use.PROJECTED,
        Use.ARGUMENT,
        Use.FILTERED,
        Use.GROUPED,
        Use.ORDERED,
    }
    assert uses(verdict, SSN) == {Use.PROJECTED, Use.AGGREGATED, Use.NULL_TESTED}
    assert uses(verdict, ColumnName(CUSTOMERS, "FULL_NAME")) == {Use.COUNTED}
    assert set(verdict.facts.functions) >= {"UPPER", "MAX", "COUNT"}
    joined = ask("SELECT 1 FROM PROD.CRM.CUSTOMERS c JOIN PROD.CRM.VENDORS v ON v.EMAIL = c.EMAIL")
    assert uses(joined, EMAIL) == {Use.JOINED}


def test_a_view_is_judged_through_its_definition():
    verdict = ask("SELECT CONTACT FROM PROD.CRM.V_CONTACTS")
    assert {str(o) for o in verdict.facts.reads} == {"PROD.CRM.CUSTOMERS", "PROD.CRM.V_CONTACTS"}
    assert uses(verdict, EMAIL) == {Use.PROJECTED}
    assert verdict.masked_outputs == (0,)
    assert [p.protection for p in verdict.decision.protections] == ["email"]
    assert "masked" in codes(verdict)


@pytest.mark.parametrize(
    ("definition", "code"),
    [
        ("SELECT ID, EMAIL, CITY FROM PROD.CRM.GONE", "unknown-table"),
        ("SELECT ID, EMAIL FROM PROD.CRM.CUSTOMERS", "stale-catalogue"),
        ("SELECT * FROM V", "view-cycle"),
        ("SELEC", "unreadable-view"),
        ("", "unreadable-view"),
        ("SELECT PROD.CRM.F(ID), EMAIL, CITY FROM PROD.CRM.CUSTOMERS", "unknown-function"),
    ],
)
def test_a_view_that_cannot_be_judged_is_not_read(definition, code):
    view = Table(
        ObjectName("PROD", "CRM", "V", "view"),
        tuple(Column(c, "VARCHAR") for c in ("A", "B", "C")),
        definition,
    )
    catalogue = Catalogue.of([*CATALOGUE.tables.values(), view], 7)
    for _ in range(2):
        verdict = ask("SELECT A FROM PROD.CRM.V", catalogue=catalogue)
        assert verdict.decision.effect == Effect.DENY
        assert code in codes(verdict)


def test_a_partial_mask_is_no_mask_for_what_is_derived():
    view = Table(
        ObjectName("PROD", "CRM", "V", "view"),
        (Column("A", "VARCHAR"), Column("B", "VARCHAR")),
        "CREATE VIEW V AS SELECT SSN, REVERSE(SSN) FROM CUSTOMERS",
    )
    catalogue = Catalogue.of([*CATALOGUE.tables.values(), view], 8)
    protections = (Protection("ssn", "partial", "PROD", "CRM", "CUSTOMERS", "SSN"),)
    sent = ask(
        "SELECT A, B FROM PROD.CRM.V",
        catalogue=catalogue,
        ruleset=Ruleset(default_rules(), protections, 2),
    ).sql_sent
    assert 'RIGHT("A", 4)' in sent
    assert 'RIGHT("B", 4)' not in sent


# sessions


def test_a_session_remembers_its_place_and_its_variables():
    context = SessionContext()
    for sql in ("USE DATABASE prod", "USE SCHEMA crm", "SET (a, b) = (1, 'x')", "SET c = 1 + 1"):
        context = context.after(ask(sql, context=context).facts)
    assert (context.database, context.schema) == ("PROD", "CRM")
    assert context.variables == {"A": 1, "B": "x", "C": None}
    verdict = ask("SELECT $a, $c, ID FROM CUSTOMERS", context=context)
    assert verdict.decision.effect == Effect.ALLOW
    assert codes(ask("SELECT $d", context=context)) == ["unknown-variable"]
    assert context.after(ask("USE DATABASE other").facts).schema == "PUBLIC"


def test_an_earlier_result_keeps_what_protects_it():
    first = ask("SELECT EMAIL, CITY FROM PROD.CRM.CUSTOMERS")
    context = SessionContext().after(first.facts, query_id="01-a", keep_result=True)
    again = ask("SELECT EMAIL, CITY FROM TABLE(RESULT_SCAN(LAST_QUERY_ID()))", context=context)
    assert again.decision.effect == Effect.ALLOW
    assert again.masked_outputs == (0,)
    assert "'01-a'" in again.sql_sent
    assert "result-reuse" in again.facts.flags
    by_id = ask("SELECT CITY FROM TABLE(RESULT_SCAN('01-a'))", context=context)
    assert by_id.decision.effect == Effect.ALLOW
    assert not by_id.masks
    for text in ("'01-b'", "LAST_QUERY_ID(-2)", "?"):
        sql = f"SELECT * FROM TABLE(RESULT_SCAN({text}))"
        assert ask(sql, context=context).decision.effect == Effect.DENY


def test_a_listing_may_be_scanned_again():
    context = SessionContext(results=(PriorResult(open=True),))
    sql = 'SELECT "name" FROM TABLE(RESULT_SCAN(LAST_QUERY_ID()))'
    assert ask(sql, context=context).decision.effect == Effect.ALLOW


# copies


COPY = "CREATE TABLE ANALYTICS.SCRATCH.C AS SELECT ID, EMAIL AS E FROM PROD.CRM.CUSTOMERS"


def test_a_reviewed_copy_carries_its_protections():
    rule = Rule("copies", Effect.REVIEW, 1, match={"flags": ["copies-protected"]})
    ruleset = Ruleset((rule, *default_rules()), PROTECTIONS, 3)
    verdict = ask(COPY, ruleset=ruleset)
    assert verdict.decision.effect == Effect.REVIEW
    target = ColumnName(ObjectName("ANALYTICS", "SCRATCH", "C"), "E")
    assert verdict.copies == ((target, "email"),)
    assert "'***'" not in verdict.sql_sent
    assert not verdict.masks


def test_a_copy_is_never_allowed_without_review_or_by_default():
    assert ask(COPY).decision.effect == Effect.DENY
    wide = Ruleset((Rule("all", Effect.ALLOW, 1),), PROTECTIONS, 4)
    assert codes(ask(COPY, ruleset=wide)) == ["copies-protected"]
    named = Rule("all", Effect.ALLOW, 1, match={"flags": ["copies-protected"]})
    masked = ask(COPY, ruleset=Ruleset((named,), PROTECTIONS, 5))
    assert masked.copies == ()
    assert "'***'" in masked.sql_sent


# the cache


TAGGED = Catalogue.of(
    [
        Table(
            CUSTOMERS,
            (
                Column("ID", "NUMBER"),
                Column("EMAIL", "VARCHAR", ("PII",)),
                Column("CITY", "VARCHAR"),
            ),
        )
    ]
)
ALL = Rule("all", Effect.ALLOW, 9)
PII = (Protection("pii", "redact", tag="PII"),)


def test_tags_protect_columns_and_decide():
    read = "SELECT ID, EMAIL FROM PROD.CRM.CUSTOMERS"
    verdict = ask(read, catalogue=TAGGED, ruleset=Ruleset((ALL,), PII, 1, "salt"))
    assert (verdict.masks, verdict.masked_outputs) == (True, (1,))
    ruled = Ruleset((Rule("pii", Effect.DENY, 1, match={"tags": ["PII"]}), ALL), (), 1, "salt")
    assert ask(read, catalogue=TAGGED, ruleset=ruled).decision.effect == Effect.DENY
    other = "SELECT CITY FROM PROD.CRM.CUSTOMERS"
    assert ask(other, catalogue=TAGGED, ruleset=ruled).decision.effect == Effect.ALLOW


def test_a_view_passes_tags_on():
    view = Table(
        ObjectName("PROD", "CRM", "V"),
        (Column("MAIL", "VARCHAR"),),
        definition="SELECT EMAIL AS MAIL FROM PROD.CRM.CUSTOMERS",
    )
    catalogue = Catalogue.of([*TAGGED.tables.values(), view])
    verdict = ask(
        "SELECT MAIL FROM PROD.CRM.V", catalogue=catalogue, ruleset=Ruleset((ALL,), PII, 1, "salt")
    )
    assert verdict.masked_outputs == (0,)


def test_estimates_decide():
    large = Rule("large", Effect.REVIEW, 1, match={"min_rows": 100})
    ruleset = Ruleset((large, ALL), (), 1, "salt")
    read = "SELECT CITY FROM PROD.CRM.CUSTOMERS"
    assert ask(read, ruleset=ruleset, estimate={"rows": 100}).decision.effect == Effect.REVIEW
    assert ask(read, ruleset=ruleset, estimate={"rows": 99}).decision.effect == Effect.ALLOW
    assert ask(read, ruleset=ruleset).decision.effect == Effect.REVIEW


def test_what_was_applied_is_told():
    verdict = ask("SELECT SSN, EMAIL FROM PROD.CRM.CUSTOMERS WHERE EMAIL LIKE 'a%'")
    assert verdict.decision.protections == (
        AppliedProtection("email", "PROD.CRM.CUSTOMERS.EMAIL", "redact", ("filtered", "projected")),
        AppliedProtection("ssn", "PROD.CRM.CUSTOMERS.SSN", "hash", ("projected",)),
    )
    reason = verdict.decision.reasons[-1]
    assert (reason.code, reason.text, reason.way_out) == (
        "masked",
        (
            "Masked wherever the statement uses them: PROD.CRM.CUSTOMERS.EMAIL, "
            "PROD.CRM.CUSTOMERS.SSN."
        ),
        "Null tests and bare counts of these columns are true; all else sees the mask.",
    )


@pytest.mark.parametrize(
    ("sql", "effect", "names"),
    [
        ("SELECT ID AS A, CITY FROM PROD.CRM.CUSTOMERS", Effect.ALLOW, ("A", "CITY")),
        ("SELECT AI_COMPLETE('m', CITY) AS X FROM PROD.CRM.CUSTOMERS", Effect.DENY, ("X",)),
        ("DELETE FROM PROD.CRM.ORDERS WHERE ORDER_ID = 1", Effect.REVIEW, ()),
    ],
)
def test_a_verdict_carries_what_was_given_and_what_comes_out(sql, effect, names):
    verdict = ask(sql)
    assert verdict.decision.effect == effect
    assert (verdict.sql_given, verdict.output_names) == (sql, names)
    assert verdict.facts.statement_class == sql.split()[0].lower()


TESTS = Rule("tests", Effect.ALLOW, 1, match={"flags": ["tests-protected"]})


@pytest.mark.parametrize(
    ("sql", "rules", "code", "words"),
    [
        (
            "UPDATE PROD.CRM.CUSTOMERS SET CITY = 'x' WHERE EMAIL LIKE 'a%'",
            (TESTS,),
            "mask-impossible",
            "PROD.CRM.CUSTOMERS.EMAIL is used where no mask can stand",
        ),
        (
            "SELECT a.EMAIL FROM PROD.CRM.CUSTOMERS a, PROD.CRM.CUSTOMERS b WHERE a.SSN = b.SSN",
            (ALL,),
            "too-complex",
            "grow too large",
        ),
    ],
)
def test_what_cannot_be_masked_is_denied_whatever_rules_say(sql, rules, code, words, monkeypatch):
    monkeypatch.setattr(judgement, "MAX_REWRITTEN", 11)
    verdict = ask(sql, ruleset=Ruleset(rules, PROTECTIONS, 1, "salt"))
    assert (verdict.decision.effect, verdict.sql_sent) == (Effect.DENY, None)
    (reason,) = verdict.decision.reasons
    assert (reason.code, bool(reason.way_out)) == (code, True)
    assert words in reason.text
    assert [(p.code, p.text) for p in verdict.facts.problems] == [(code, reason.text)]
    assert verdict.sql_given == sql


@pytest.mark.parametrize("failure", [UnsupportedError("clause"), RecursionError()])
def test_what_cannot_be_written_again_is_denied(failure, monkeypatch):
    def render(*_):
        raise failure

    monkeypatch.setattr(judgement, "render", render)
    verdict = ask("SELECT ID FROM PROD.CRM.CUSTOMERS")
    assert (verdict.decision.effect, verdict.sql_sent) == (Effect.DENY, None)
    (reason,) = verdict.decision.reasons
    assert (reason.code, bool(reason.text), bool(reason.way_out)) == ("unsendable", True, True)
    assert verdict.output_names == ("ID",)
    assert verdict.facts.statement_class == "select"


def test_the_same_question_gives_the_same_verdict():
    sql = "SELECT ID FROM PROD.CRM.CUSTOMERS"
    assert ask(sql) is ask(sql)


@pytest.mark.parametrize(
    "other",
    [
        {"context": SessionContext("PROD")},
        {"context": SessionContext(variables={"A": 1})},
        {"subject": replace(SUBJECT, id="a-2")},
        {"subject": replace(SUBJECT, groups=frozenset({"g"}))},
        {"subject": replace(SUBJECT, connection="other")},
        {"subject": replace(SUBJECT, door="mcp")},
        {"subject": replace(SUBJECT, on_behalf_of="p-1")},
        {"ruleset": Ruleset(default_rules(), (), 1, "salt")},
        {"ruleset": Ruleset(default_rules(), PROTECTIONS, 2, "salt")},
        {"ruleset": Ruleset(default_rules(), PROTECTIONS, 1, "pepper")},
        {"catalogue": Catalogue(CATALOGUE.tables, CATALOGUE.version + 1)},
        {"estimate": {"rows": 1}},
    ],
    ids=str,
)
def test_another_circumstance_is_another_verdict(other):
    sql = "SELECT SSN FROM PROD.CRM.CUSTOMERS"
    assert ask(sql) is not ask(sql, **other)


def test_versions_of_unnamed_connections_are_not_trusted():
    nameless = replace(SUBJECT, connection="")
    same = Catalogue(dict(CATALOGUE.tables), CATALOGUE.version)
    sql = "SELECT CITY FROM PROD.CRM.CUSTOMERS"
    assert ask(sql, subject=nameless) is not ask(sql, subject=nameless, catalogue=same)
    assert ask(sql) is ask(sql, catalogue=same)


def test_rules_with_hours_are_asked_each_time():
    night = Rule("night", Effect.ALLOW, 1, match={"hours": ["22:00-06:00"]})
    ruleset = Ruleset((night,), (), 6)

    def effect(hour):
        at = datetime(2026, 1, 1, hour, tzinfo=UTC)
        return ask("SELECT 1", ruleset=ruleset, subject=replace(SUBJECT, at=at)).decision.effect

    assert [effect(23), effect(12), effect(1)] == [Effect.ALLOW, Effect.DENY, Effect.ALLOW]


def test_the_cache_is_bounded_and_forgets_the_oldest():
    cache = module.VerdictCache(most=2)
    verdict = ask("SELECT 1")
    for sql in ("a", "b", "a", "c"):
        request = Request(sql, SessionContext(), CATALOGUE, RULESET, SUBJECT)
        if cache.find(cache.key(request), request) is None:
            cache.store(cache.key(request), request, verdict)
    assert len(cache) == 2
    kept = [
        s
        for s in "abc"
        if cache.find(cache.key(r := Request(s, SessionContext(), CATALOGUE, RULESET, SUBJECT)), r)
    ]
    assert kept == ["a", "c"]
    cache.clear()
    assert len(cache) == 0


# processes that can be ended


def _request(sql):
    return Request(sql, SessionContext(), CATALOGUE, RULESET, SUBJECT)


def test_large_statements_are_judged_by_another_process():
    sql = "SELECT SSN FROM PROD.CRM.CUSTOMERS WHERE ID IN (" + "1," * 4000 + "1)"
    verdict = ask(sql)
    assert verdict.decision.effect == Effect.ALLOW
    assert verdict.masked_outputs == (0,)
    assert "SHA2" in verdict.sql_sent


def test_what_takes_too_long_is_ended_and_the_next_is_judged():
    pool = WorkerPool(workers=1, seconds=0.5)
    try:
        chain = "SELECT 1" + " UNION ALL SELECT ID FROM PROD.CRM.CUSTOMERS" * 5000
        start = time.monotonic()
        verdict = pool.judge(_request(chain))
        assert verdict.decision.effect == Effect.DENY
        assert codes(verdict) == ["too-complex"]
        assert verdict.decision.reasons[0].way_out
        assert time.monotonic() - start < 30
        pool._seconds = 20
        assert pool.judge(_request("SELECT 1")).decision.effect == Effect.ALLOW
    finally:
        pool.close()


@pytest.mark.parametrize(
    "sql",
    [
        "(" * 8000 + "SELECT 1" + ")" * 8000,
        "SELECT " + "NOT " * 20_000 + "1",
        "SELECT * FROM " + "(SELECT * FROM " * 8000 + "t" + ")" * 8000,
        "SELECT * FROM " + "(SELECT *, * FROM " * 25 + "PROD.CRM.CUSTOMERS" + ")" * 25,
        "\ud800 SELECT 1",
        "SELECT '\ud800'",
        "\x00",
        "",
        "'",
        "SELECT " + "@" * 30,
        "SELECT $" + "9" * 400,
        "WITH a AS (SELECT 1) ",
        "SELECT FROM",
        "INSERT INTO",
        "CREATE",
        "CALL",
        "EXPLAIN",
        "EXPLAIN EXPLAIN SELECT 1",
        "USE",
        "SET",
        "MERGE INTO PROD.CRM.ORDERS",
        "SELECT * FROM PROD.CRM.CUSTOMERS PIVOT(MAX(ID) FOR (CITY) IN ())",
        "SELECT * REPLACE (1) FROM PROD.CRM.CUSTOMERS",
    ],
    ids=lambda s: re.sub(r"\W+", " ", s[:24], flags=re.ASCII),
)
def test_no_input_raises(sql):
    verdict = ask(sql)
    assert verdict.decision.effect in set(Effect)
    assert verdict.decision.reasons

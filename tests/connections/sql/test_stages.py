"""Statements about files: what is proved of them, what is sent, and that the rest is refused."""

import pytest

from connections import judge as module
from connections.judge import Ruleset, SessionContext, judge
from connections.policy.defaults import default_rules
from connections.policy.types import Effect, Protection, Rule, Subject
from connections.sql.analyse import analyse
from connections.sql.facts import Transfer, Use
from tests.connections.test_judge_corpora import CATALOGUE

CONTEXT = SessionContext("PROD", "CRM")
SUBJECT = Subject("agent", "a-1", "robo", connection="warehouse", door="snowflake")
PROTECTIONS = (Protection("email", "redact", "PROD", "CRM", "CUSTOMERS", "EMAIL"),)
ALL = ("put", "get", "list", "remove", "copy-in", "unload")


@pytest.fixture(autouse=True)
def _cold():
    """Each verdict is made anew."""
    module.CACHE.clear()


def ask(sql, *rules):
    ruleset = Ruleset((*rules, *default_rules()), PROTECTIONS, 1, "salt")
    return judge(
        sql, context=CONTEXT, catalogue=CATALOGUE, ruleset=ruleset, subject=SUBJECT, estimate=None
    )


def rule(effect=Effect.ALLOW, **match):
    return Rule("mine", effect, 1, match=match)


OPEN = rule(classes=list(ALL))


@pytest.mark.parametrize(
    ("sql", "sent", "transfer"),
    [
        (
            "PUT file:///tmp/a.csv @~",
            "PUT file:///tmp/a.csv @~",
            Transfer("put", "~", "", "file:///tmp/a.csv"),
        ),
        (
            "put 'file:///tmp/a b.csv'\n @st/x/y auto_compress = false OVERWRITE=TRUE parallel=4",
            (
                "PUT 'file:///tmp/a b.csv' @PROD.CRM.ST/x/y AUTO_COMPRESS = FALSE OVERWRITE = TRUE "
                "PARALLEL = 4"
            ),
            Transfer("put", "PROD.CRM.ST", "/x/y", "file:///tmp/a b.csv"),
        ),
        (
            "PUT file://C:\\temp\\x*.csv @%customers;",
            "PUT file://C:\\temp\\x*.csv @PROD.CRM.%CUSTOMERS",
            Transfer("put", "PROD.CRM.%CUSTOMERS", "", "file://C:\\temp\\x*.csv"),
        ),
        (
            "GET '@other.\"my st\"/a b/' 'file:///tmp/x y/' PATTERN='.*[.]csv'",
            "GET '@PROD.OTHER.\"my st\"/a b/' 'file:///tmp/x y/' PATTERN = '.*[.]csv'",
            Transfer("get", "PROD.OTHER.my st", "/a b/", "file:///tmp/x y/"),
        ),
        ("LS @~/x", "LIST @~/x", Transfer("list", "~", "/x")),
        (
            "rm @db.sc.st/dt=2024-01-01/ pattern='.*\\\\.csv'",
            "REMOVE @DB.SC.ST/dt=2024-01-01/ PATTERN = '.*\\\\.csv'",
            Transfer("remove", "DB.SC.ST", "/dt=2024-01-01/"),
        ),
        ('LIST @%"T x"', "LIST '@PROD.CRM.%\"T x\"'", Transfer("list", "PROD.CRM.%T x")),
        (
            "COPY INTO customers FROM @st/x FILE_FORMAT=(TYPE=CSV NULL_IF=('', '-')) PURGE=TRUE",
            (
                'COPY INTO "PROD"."CRM".customers FROM @PROD.CRM.ST/x '
                "FILE_FORMAT = (TYPE=CSV NULL_IF=('', '-')) PURGE = TRUE"
            ),
            Transfer("copy-in", "PROD.CRM.ST", "/x"),
        ),
        (
            "COPY INTO '@st/a b/' FROM (SELECT ORDER_ID FROM ORDERS) HEADER=TRUE",
            (
                "COPY INTO '@PROD.CRM.ST/a b/' FROM (SELECT ORDER_ID FROM "
                '"PROD"."CRM".ORDERS) HEADER = TRUE'
            ),
            Transfer("unload", "PROD.CRM.ST", "/a b/"),
        ),
    ],
)
def test_what_is_proved_is_sent_in_full(sql, sent, transfer):
    verdict = ask(sql, OPEN)
    assert verdict.decision.effect == Effect.ALLOW, verdict.decision.reasons
    assert verdict.facts.transfer == transfer
    assert verdict.facts.statement_class == transfer.direction
    assert verdict.sql_sent == sent
    # What is sent means the same wherever the session stands.
    again = analyse(sent, SessionContext("ELSEWHERE", "X"), CATALOGUE).facts
    assert again.transfer == transfer
    named = [str(o) for o in (*verdict.facts.reads, *verdict.facts.writes)]
    assert transfer.stage in named


@pytest.mark.parametrize(
    "sql",
    [
        "PUT file:///tmp/a.csv @~; DROP TABLE CUSTOMERS",
        "PUT file:///tmp/a.csv @~\nSELECT 1",
        "PUT file:///tmp/a.csv @st /* x */",
        "PUT /* x */ file:///tmp/a.csv @st",
        "/* x */ PUT file:///tmp/a.csv @st",
        "EXPLAIN PUT file:///tmp/a.csv @st",
        "PUT file:///tmp/a.csv @st/../other/x",
        "PUT file:///tmp/a.csv '@st/../other/x'",
        "PUT file:///tmp/a.csv @st//x",
        "PUT file:///tmp/a.csv @st--x",
        "PUT file:///tmp/a.csv @st/a--x",
        "PUT file:///tmp/a.csv @a.b.c.d",
        "PUT file:///tmp/a.csv @a..d",
        "PUT file:///tmp/a.csv @?",
        "PUT file:///tmp/a.csv ?",
        "PUT file:///tmp/a.csv $st",
        "PUT file:///tmp/a.csv @st UNKNOWN=1",
        "PUT file:///tmp/a.csv @st OVERWRITE=1",
        "PUT file:///tmp/a.csv @st OVERWRITE=TRUE OVERWRITE=FALSE",
        "PUT file:///tmp/\u0430.csv @st",
        "PUT file:///tmp/a.csv @st\u0430ge",
        "PUT 'file:///tmp/a\\x27.csv' @st",
        "PUT s3://bucket/a.csv @st",
        "GET snow://x/y file:///tmp",
        "GET @st",
        "LIST st",
        "REMOVE @st PATTERN=x",
        "COPY INTO customers FROM (SELECT $1, $2 FROM @st)",
        "COPY INTO customers FROM @st VALIDATION_MODE=RETURN_ERRORS",
        "COPY INTO customers FROM 's3://b/x' CREDENTIALS=(AWS_KEY_ID='x')",
        "COPY INTO customers FROM 's3://b/x' STORAGE_INTEGRATION=i",
        "COPY INTO customers FROM 's3://b/x'",
        "COPY INTO customers (nothing) FROM @st",
        "COPY INTO nowhere FROM @st",
        "COPY INTO 's3://b/x' FROM customers",
        "COPY INTO @st FROM customers PARTITION BY (email)",
        "COPY INTO @st FROM (SELECT $1 FROM @other)",
        "COPY INTO @st FROM (SELECT ID FROM CUSTOMERS) FILE_FORMAT=(TYPE=CSV FOO=(SELECT 1))",
        "COPY INTO @st FROM (SELECT ID FROM CUSTOMERS) MAX_FILE_SIZE=(SELECT 1)",
        "COPY INTO @st FROM (SELECT ID FROM CUSTOMERS) HEADER=TRUE HEADER=FALSE",
        "COPY INTO @st FROM (SELECT SYSTEM$WHITELIST())",
        "SELECT $1 FROM @st",
    ],
)
def test_what_is_not_proved_is_denied_whatever_the_rules_say(sql):
    verdict = ask(sql, OPEN, rule(flags=["stage"]), rule())
    assert verdict.decision.effect == Effect.DENY
    assert verdict.sql_sent is None
    assert verdict.facts.problems
    assert "stage" in verdict.facts.flags or verdict.facts.statement_class == "unknown"


@pytest.mark.parametrize(
    ("sql", "flags"),
    [
        ("PUT file:///a @~", {"stage", "user-stage"}),
        ("PUT file:///a @%t OVERWRITE=TRUE", {"stage", "table-stage", "overwrite"}),
        ("PUT file:///a @t OVERWRITE=FALSE", {"stage"}),
        ("COPY INTO customers FROM @~ PURGE=TRUE", {"stage", "user-stage", "purge"}),
        ("COPY INTO @t FROM (SELECT ID FROM CUSTOMERS) OVERWRITE=TRUE", {"stage", "overwrite"}),
    ],
)
def test_flags_tell_how_far_it_reaches(sql, flags):
    assert ask(sql).facts.flags == flags


SAMPLES = {
    "put": "PUT file:///a @st",
    "get": "GET @st file:///a/",
    "list": "LIST @st",
    "remove": "REMOVE @st",
    "copy-in": "COPY INTO customers FROM @st",
    "unload": "COPY INTO @st FROM (SELECT ID FROM CUSTOMERS)",
}


@pytest.mark.parametrize("name", ALL)
def test_only_a_rule_that_names_it_lets_it_pass(name):
    sql = SAMPLES[name]
    assert ask(sql).decision.effect == Effect.DENY
    assert ask(sql).decision.reasons[0].rule == "default-01"
    for other in (rule(), rule(classes=["*"]), rule(objects=["PROD.*"]), rule(flags=["s*"])):
        verdict = ask(sql, other)
        assert verdict.decision.effect == Effect.DENY
        assert [r.code for r in verdict.decision.reasons] == ["stage"]
    assert ask(sql, rule(classes=[name])).decision.effect == Effect.ALLOW
    assert ask(sql, rule(classes=name)).decision.effect == Effect.ALLOW
    assert ask(sql, rule(flags=["stage"])).decision.effect == Effect.ALLOW
    assert ask(sql, rule(Effect.REVIEW, classes=[name])).decision.effect == Effect.REVIEW
    one = rule(classes=[name], objects=["PROD.CRM.ST", "PROD.CRM.CUSTOMERS"])
    assert ask(sql, one).decision.effect == Effect.ALLOW
    assert ask(sql.replace("@st", "@other"), one).decision.effect == Effect.DENY


def test_what_is_unloaded_is_masked_as_rows_would_be():
    for sql in (
        "COPY INTO @st FROM CUSTOMERS",
        "COPY INTO @st FROM (SELECT ID, EMAIL FROM CUSTOMERS WHERE EMAIL LIKE 'a%')",
        "COPY INTO @st FROM (SELECT MAX(EMAIL) AS M FROM CUSTOMERS)",
    ):
        verdict = ask(sql, OPEN)
        assert verdict.decision.effect == Effect.ALLOW
        assert verdict.masks
        assert "'***'" in verdict.sql_sent
        assert any(r.code == "masked" for r in verdict.decision.reasons)
    plain = ask("COPY INTO @st FROM (SELECT ID FROM CUSTOMERS)", OPEN)
    assert not plain.masks


def test_a_load_writes_its_table():
    facts = ask("COPY INTO customers (ID, EMAIL) FROM @st").facts
    assert [str(o) for o in facts.writes] == ["PROD.CRM.CUSTOMERS"]
    assert [str(o) for o in facts.reads] == ["PROD.CRM.ST"]
    assert {c.column.column for c in facts.columns if c.use == Use.WRITTEN} == {"ID", "EMAIL"}

"""Rules to decisions: precedence, strictness, and no for whatever nothing says yes to."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from connections.policy.defaults import default_rules
from connections.policy.engine import decide
from connections.policy.matching import KEYS, Question, any_match, matches
from connections.policy.types import AppliedProtection, Effect, ReviewTerms, Rule, Subject
from connections.sql.facts import ColumnName, ColumnUse, Facts, ObjectName, Problem, Use

TABLE = ObjectName("PROD", "CRM", "CUSTOMERS")
SUBJECT = Subject(
    "agent",
    "a-1",
    "robo",
    groups=frozenset({"analysts"}),
    connection="warehouse",
    door="rest",
    at=datetime(2026, 11, 20, 22, 30, tzinfo=UTC),
)
FACTS = Facts(
    "select",
    reads=(TABLE,),
    writes=(ObjectName("PROD", "CRM", "ORDERS"),),
    columns=(ColumnUse(ColumnName(TABLE, "EMAIL"), Use.FILTERED),),
    functions=("LOWER",),
    flags=frozenset({"star"}),
)


def rule(effect, position=10, **match):
    return Rule(f"{effect}-{position}", Effect(effect), position, match=match, note="Because.")


def effect_of(*rules, facts=FACTS):
    return decide(facts, subject=SUBJECT, rules=rules).effect


@pytest.mark.parametrize(
    ("key", "hit", "miss"),
    [
        ("principals", "agent:robo", "agent:other"),
        ("principals", "a-1", "a-2"),
        ("principals", "ROBO", "rob"),
        ("groups", "analy*", "admins"),
        ("connections", "ware*", "other"),
        ("doors", "rest", "mcp"),
        ("classes", "select", "insert"),
        ("objects", "PROD.CRM.*", "PROD.HR.*"),
        ("objects", "*.orders", "*.invoices"),
        ("columns", "*.EMAIL", "*.SSN"),
        ("uses", "filtered", "projected"),
        ("flags", "star", "cross-join"),
        ("functions", "low?r", "upper"),
        ("tags", "PII", "PCI"),
        ("hours", "22:00-06:00", "06:00-22:00"),
        ("hours", "22:30-22:31", "22:31-22:30"),
        ("hours", "9:00-23:00", "22:00-22:30"),
        ("weekdays", "Friday", "mon"),
        ("min_bytes", 100, 101),
        ("min_rows", 7, 8),
    ],
)
def test_every_key_holds_or_not(key, hit, miss):
    question = Question(FACTS, SUBJECT, lambda: {"PII"}, {"bytes": 100, "rows": 7})
    assert matches(rule("review", **{key: hit if key.startswith("min") else [hit]}), question)
    assert not matches(rule("review", **{key: miss if key.startswith("min") else [miss]}), question)


@pytest.mark.parametrize("key", ["objects", "columns", "uses"])
def test_an_allow_rule_has_to_cover_all_that_a_stricter_rule_needs_to_meet_once(key):
    one, two = ObjectName("D", "A", "T"), ObjectName("D", "B", "T")
    facts = Facts(
        "select",
        reads=(one, two),
        columns=(
            ColumnUse(ColumnName(one, "X"), Use.PROJECTED),
            ColumnUse(ColumnName(two, "Y"), Use.FILTERED),
        ),
    )
    question = Question(facts, SUBJECT)
    first, *others = sorted(question.values(key))
    assert matches(rule("deny", **{key: [first]}), question)
    assert not matches(rule("allow", **{key: [first]}), question)
    assert matches(rule("allow", **{key: [first, *others]}), question)


def test_every_known_key_is_tried_above():
    tried = {
        "principals",
        "groups",
        "connections",
        "doors",
        "classes",
        "objects",
        "columns",
        "uses",
        "flags",
        "functions",
        "tags",
        "hours",
        "weekdays",
        "min_bytes",
        "min_rows",
    }
    assert tried == KEYS


def test_a_single_text_is_a_list_of_one():
    assert matches(rule("allow", classes="select"), Question(FACTS, SUBJECT))


def test_all_keys_must_hold():
    both = rule("allow", classes=["select"], doors=["mcp"])
    assert not matches(both, Question(FACTS, SUBJECT))


def test_windows_never_hold_without_a_clock():
    timeless = Question(FACTS, replace(SUBJECT, at=None))
    assert not matches(rule("allow", hours=["00:00-23:59"]), timeless)
    assert not matches(rule("allow", weekdays=["fri"]), timeless)


def test_an_unknown_estimate_counts_as_large():
    assert matches(rule("deny", min_bytes=10**12), Question(FACTS, SUBJECT))


def test_an_unknown_key_never_allows_and_always_restricts():
    assert not matches(rule("allow", phase_of_moon=["new"]), Question(FACTS, SUBJECT))
    assert matches(rule("deny", phase_of_moon=["new"]), Question(FACTS, SUBJECT))
    assert matches(rule("review", phase_of_moon=["new"]), Question(FACTS, SUBJECT))


def test_globs_do_not_mind_case():
    assert any_match(["PROD.CRM.X"], ["prod.*"])
    assert any_match(["Abc"], ["aBC"])
    assert not any_match(["abc"], ["ab"])
    assert not any_match([], ["*"])


def test_no_rules_deny():
    decision = decide(FACTS, subject=SUBJECT, rules=())
    assert decision.effect == Effect.DENY
    assert [r.code for r in decision.reasons] == ["no-rules"]
    assert decision.reasons[0].way_out


def test_no_match_denies_and_says_on_what():
    decision = decide(FACTS, subject=SUBJECT, rules=[rule("allow", classes=["insert"])])
    assert decision.effect == Effect.DENY
    assert decision.reasons[0].code == "no-rule-matches"
    assert "PROD.CRM.ORDERS" in decision.reasons[0].text


def test_the_first_position_wins():
    assert effect_of(rule("allow", 1), rule("deny", 2)) == Effect.ALLOW
    assert effect_of(rule("allow", 2), rule("deny", 1)) == Effect.DENY


def test_at_one_position_the_strictest_wins():
    assert effect_of(rule("allow"), rule("review")) == Effect.REVIEW
    assert effect_of(rule("review"), rule("deny"), rule("allow")) == Effect.DENY


def test_a_disabled_rule_is_no_rule():
    assert effect_of(replace(rule("allow"), enabled=False)) == Effect.DENY


def test_every_winning_rule_gives_its_reason():
    one, two = rule("deny"), replace(rule("deny"), id="two", note="")
    decision = decide(FACTS, subject=SUBJECT, rules=[one, two, rule("allow")])
    assert [r.rule for r in decision.reasons] == ["deny-10", "two"]
    assert "Because." in decision.reasons[0].text
    assert "two" in decision.reasons[1].text
    assert all(r.code == "rule-deny" and r.way_out for r in decision.reasons)


@pytest.mark.parametrize(
    ("effect", "words", "way_out"),
    [("allow", "may run", ""), ("review", "waits for a reviewer", ""), ("deny", "is denied", "x")],
)
def test_reasons_say_what_happens(effect, words, way_out):
    reason = decide(FACTS, subject=SUBJECT, rules=[rule(effect)]).reasons[0]
    assert words in reason.text
    assert bool(reason.way_out) == bool(way_out)


def test_terms_come_with_a_review_only():
    terms = ReviewTerms(("security",), 2, 15)
    asked = replace(rule("review"), terms=terms)
    assert decide(FACTS, subject=SUBJECT, rules=[asked]).terms == terms
    assert decide(FACTS, subject=SUBJECT, rules=[rule("allow")]).terms is None
    assert decide(FACTS, subject=SUBJECT, rules=[rule("deny")]).terms is None


def test_protections_come_unless_denied():
    applied = (AppliedProtection("p", "PROD.CRM.CUSTOMERS.EMAIL", "redact"),)
    for effect, given in (("allow", applied), ("review", applied), ("deny", ())):
        decision = decide(FACTS, subject=SUBJECT, rules=[rule(effect)], protections=applied)
        assert decision.protections == given


def test_a_problem_denies_whatever_the_rules_say():
    facts = replace(FACTS, problems=(Problem("unknown-table", "No.", "Refresh."),))
    decision = decide(facts, subject=SUBJECT, rules=[rule("allow")])
    assert decision.effect == Effect.DENY
    assert [(r.code, r.text, r.way_out) for r in decision.reasons] == [
        ("unknown-table", "No.", "Refresh.")
    ]


UNKNOWN = replace(
    FACTS,
    unknown_functions=("PROD.CRM.F",),
    problems=(Problem("unknown-function", "No.", "Ask."),),
)


def test_a_rule_that_names_a_function_vouches_for_it():
    assert effect_of(rule("allow", functions=["PROD.CRM.F"]), facts=UNKNOWN) == Effect.ALLOW
    assert effect_of(rule("review", functions=["PROD.CRM.*"]), facts=UNKNOWN) == Effect.REVIEW


@pytest.mark.parametrize(
    "rules",
    [
        [rule("allow")],
        [rule("allow", functions=["*"])],
        [rule("allow", functions=["OTHER"])],
        [rule("allow", 20, functions=["PROD.CRM.F"]), rule("allow", 10)],
        [rule("deny", functions=["PROD.CRM.F"])],
    ],
)
def test_nothing_else_vouches_for_an_unknown_function(rules):
    assert effect_of(*rules, facts=UNKNOWN) == Effect.DENY


def test_vouching_for_one_function_is_not_vouching_for_another():
    facts = replace(UNKNOWN, unknown_functions=("PROD.CRM.F", "PROD.CRM.G"))
    assert effect_of(rule("allow", functions=["PROD.CRM.F"]), facts=facts) == Effect.DENY


def test_vouching_waives_no_other_problem():
    facts = replace(UNKNOWN, problems=(*UNKNOWN.problems, Problem("unknown-table", "No.")))
    decision = decide(facts, subject=SUBJECT, rules=[rule("allow", functions=["PROD.CRM.F"])])
    assert [r.code for r in decision.reasons] == ["unknown-table"]


@pytest.mark.parametrize("flag", ["copies-protected", "tests-protected", "moves-protected"])
def test_only_a_rule_that_names_a_guarded_flag_lets_it_pass(flag):
    facts = replace(FACTS, flags=frozenset({flag}))
    refused = decide(facts, subject=SUBJECT, rules=[rule("allow")])
    assert refused.effect == Effect.DENY
    assert refused.reasons[0].code == flag
    assert refused.reasons[0].way_out
    assert effect_of(rule("allow", flags=["*"]), facts=facts) == Effect.DENY
    assert effect_of(rule("review", flags=[flag]), facts=facts) == Effect.REVIEW
    denied = decide(facts, subject=SUBJECT, rules=[rule("deny", flags=[flag])])
    assert denied.reasons[0].rule == "deny-10"
    assert denied.reasons[0].way_out == refused.reasons[0].way_out


def test_a_denying_rule_speaks_for_itself_whatever_is_guarded():
    facts = replace(FACTS, flags=frozenset({"copies-protected"}))
    decision = decide(facts, subject=SUBJECT, rules=[rule("deny")])
    assert [(r.code, r.rule) for r in decision.reasons] == [("rule-deny", "deny-10")]


STAGE = replace(FACTS, statement_class="put", flags=frozenset({"stage"}))


@pytest.mark.parametrize(
    ("match", "effect"),
    [
        ({}, Effect.DENY),
        ({"classes": ["put"]}, Effect.ALLOW),
        ({"classes": "put"}, Effect.ALLOW),
        ({"classes": ["get", "PUT"]}, Effect.ALLOW),
        ({"classes": ["*"]}, Effect.DENY),
        ({"flags": ["stage"]}, Effect.ALLOW),
        ({"flags": ["*"]}, Effect.DENY),
    ],
)
def test_files_move_where_a_rule_names_their_class_or_stages(match, effect):
    decision = decide(STAGE, subject=SUBJECT, rules=[rule("allow", **match)])
    assert decision.effect == effect
    if effect == Effect.DENY:
        assert [r.code for r in decision.reasons] == ["stage"]
        assert decision.reasons[0].text == "The statement reaches files of a stage."


def test_naming_the_class_vouches_for_stages_alone():
    facts = replace(STAGE, flags=frozenset({"stage", "copies-protected"}))
    decision = decide(facts, subject=SUBJECT, rules=[rule("allow", classes=["put"])])
    assert [r.code for r in decision.reasons] == ["copies-protected"]


def test_tags_and_estimates_are_asked_about():
    def effect(match, **given):
        rules = [rule("deny", 1, **match), rule("allow", 2)]
        return decide(FACTS, subject=SUBJECT, rules=rules, **given).effect

    assert effect({"tags": ["PII"]}, tags=lambda: ["PII"]) == Effect.DENY
    assert effect({"tags": ["PII"]}, tags=lambda: ["OTHER"]) == Effect.ALLOW
    assert effect({"tags": ["PII"]}) == Effect.ALLOW
    assert effect({"min_rows": 10}, estimate={"rows": 10}) == Effect.DENY
    assert effect({"min_rows": 10}, estimate={"rows": 9}) == Effect.ALLOW
    assert effect({"min_rows": 10}) == Effect.DENY


def test_tags_are_asked_for_once():
    asked = []

    def tags():
        asked.append(1)
        return ["PII"]

    rules = [rule("allow", n, tags=["OTHER"]) for n in range(3)]
    decide(FACTS, subject=SUBJECT, rules=rules, tags=tags)
    assert len(asked) == 1


def test_a_function_is_vouched_for_by_a_name_and_not_by_stars():
    facts = replace(UNKNOWN, unknown_functions=("X",))
    assert effect_of(rule("allow", functions=["X*"]), facts=facts) == Effect.ALLOW
    assert effect_of(rule("allow", functions=["**"]), facts=facts) == Effect.DENY


@pytest.mark.parametrize(
    ("rules", "text", "way_out"),
    [
        ([rule("allow")], "CREATE TABLE on P.S.T0, P.S.T1, P.S.T2 may run: Because.", ""),
        (
            [rule("review")],
            "CREATE TABLE on P.S.T0, P.S.T1, P.S.T2 waits for a reviewer: Because.",
            "",
        ),
        (
            [rule("deny")],
            "CREATE TABLE on P.S.T0, P.S.T1, P.S.T2 is denied: Because.",
            "Read with SELECT instead, or ask an admin of this connection for a rule.",
        ),
        (
            [rule("allow", classes=["x"])],
            (
                "No rule matches CREATE TABLE on P.S.T0, P.S.T1, P.S.T2, and what no rule matches "
                "is denied."
            ),
            "Ask an admin of this connection for a rule.",
        ),
        ([], "This connection has no rules.", "Ask an admin to add some."),
    ],
)
def test_reasons_to_the_letter(rules, text, way_out):
    """Agents act on these words, and reviewers read them."""
    facts = Facts("create-table", writes=tuple(ObjectName("P", "S", f"T{i}") for i in range(3)))
    (reason,) = decide(facts, subject=SUBJECT, rules=rules).reasons
    assert (reason.text, reason.way_out) == (text, way_out)


def test_a_window_may_run_over_midnight_and_never_is_one_without_length():
    def holds(window, hour, minute=0):
        at = datetime(2026, 11, 20, hour, minute, tzinfo=UTC)
        return matches(rule("allow", hours=[window]), Question(FACTS, replace(SUBJECT, at=at)))

    assert holds("22:00-06:00", 22)
    assert holds("22:00-06:00", 5, 59)
    assert not holds("22:00-06:00", 6)
    assert not holds("22:00-06:00", 21, 59)
    assert not holds("22:00-22:00", 22)
    assert not holds("22:00-22:00", 3)


def test_many_objects_are_named_in_part():
    reads = tuple(ObjectName("P", "S", f"T{i}") for i in range(5))
    facts = replace(FACTS, reads=reads, writes=())
    text = decide(facts, subject=SUBJECT, rules=[rule("allow")]).reasons[0].text
    assert "P.S.T2 and others" in text
    assert "T3" not in text
    none = decide(Facts("show"), subject=SUBJECT, rules=[rule("allow")]).reasons[0].text
    assert none.startswith("SHOW may run")


@pytest.mark.parametrize(
    ("statement_class", "effect"),
    [
        ("select", "allow"),
        ("show", "allow"),
        ("describe", "allow"),
        ("explain", "allow"),
        ("use-schema", "allow"),
        ("use-database", "allow"),
        ("set", "allow"),
        ("alter-session", "allow"),
        ("transaction", "allow"),
        ("insert", "review"),
        ("update", "review"),
        ("delete", "review"),
        ("merge", "review"),
        ("truncate", "review"),
        ("create-table", "review"),
        ("create-view", "review"),
        ("alter-table", "review"),
        ("drop-table", "review"),
        ("drop-database", "review"),
        ("undrop-table", "review"),
        ("comment", "review"),
        ("call", "review"),
        ("use-warehouse", "review"),
        ("unload", "deny"),
        ("copy-in", "deny"),
        ("put", "deny"),
        ("get", "deny"),
        ("list", "deny"),
        ("remove", "deny"),
        ("grant", "deny"),
        ("revoke", "deny"),
        ("use-role", "deny"),
        ("create-user", "deny"),
        ("alter-role", "deny"),
        ("drop-share", "deny"),
        ("execute-immediate", "deny"),
        ("scripting", "deny"),
        ("multi-statement", "deny"),
        ("unknown", "deny"),
    ],
)
def test_what_a_new_connection_lets_through(statement_class, effect):
    decision = decide(Facts(statement_class), subject=SUBJECT, rules=default_rules())
    assert decision.effect == effect
    assert decision.reasons


@pytest.mark.parametrize(
    ("change", "effect"),
    [
        ({"flags": frozenset({"stage"})}, "deny"),
        ({"flags": frozenset({"dynamic-sql"})}, "deny"),
        ({"flags": frozenset({"copies-protected"})}, "deny"),
        ({"flags": frozenset({"tests-protected"})}, "deny"),
        ({"flags": frozenset({"moves-protected"})}, "deny"),
        ({"flags": frozenset({"writes-mask"})}, "review"),
        ({"functions": ("SYSTEM$WAIT",)}, "deny"),
        ({"functions": ("AI_COMPLETE",)}, "deny"),
        ({"functions": ("SNOWFLAKE.CORTEX.COMPLETE",)}, "deny"),
        ({"functions": ("CORTEX_X",)}, "deny"),
        ({"functions": ("UPPER",)}, "allow"),
    ],
)
def test_what_a_new_connection_holds_back_in_a_read(change, effect):
    facts = replace(Facts("select"), **change)
    assert decide(facts, subject=SUBJECT, rules=default_rules()).effect == effect


def test_default_rules_have_stable_ids_and_an_order():
    rules = default_rules()
    assert [r.id for r in rules] == [f"default-{i:02}" for i in range(1, len(rules) + 1)]
    assert [r.position for r in rules] == [10 * i for i in range(1, len(rules) + 1)]
    assert all(r.note and r.enabled and set(r.match) <= KEYS for r in rules)

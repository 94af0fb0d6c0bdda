"""policy.yaml round-trips, and says where it is wrong."""

import pytest

from connections.policy.defaults import default_rules
from connections.policy.document import Document, DocumentError, dump, load
from connections.policy.types import Effect, Protection, ReviewTerms, Rule

FULL = Document(
    (
        Rule(
            "r1",
            Effect.REVIEW,
            5,
            revision=3,
            match={"classes": ["insert"], "min_bytes": 10},
            terms=ReviewTerms(("security",), 2, 15),
            note="Größe",
            enabled=False,
        ),
        *default_rules(),
    ),
    (
        Protection("p1", "partial", "PROD", "CRM", "C", "EMAIL", options={"keep": "domain"}),
        Protection("p2", "null", tag="PII", enabled=False),
    ),
)


def test_what_is_dumped_is_loaded_again():
    assert load(dump(FULL)) == FULL
    assert dump(load(dump(FULL))) == dump(FULL)
    assert "Größe" in dump(FULL)


def test_defaults_are_left_out():
    text = dump(Document((Rule("r", Effect.ALLOW, 10),), (Protection("p", "null", column="C"),)))
    for word in ("revision", "match", "terms", "note", "enabled", "database", "tag", "options"):
        assert word not in text


def test_an_empty_policy_is_one():
    assert load("version: 1") == Document()


def test_positions_follow_the_order_where_none_is_given():
    text = "version: 1\nrules:\n- {id: a, effect: allow}\n- {id: b, effect: deny}\n"
    assert [r.position for r in load(text).rules] == [10, 20]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("{", "YAML"),
        ("[]", "the document"),
        ("version: 2", "version"),
        ("{}", "version"),
        ("version: 1\nextra: 1", "extra"),
        ("version: 1\nrules: {}", "rules"),
        ("version: 1\nrules: [1]", "rules[0]"),
        ("version: 1\nrules: [{effect: allow}]", "rules[0].id"),
        ("version: 1\nrules: [{id: '', effect: allow}]", "rules[0].id"),
        ("version: 1\nrules: [{id: a, effect: maybe}]", "rules[0].effect"),
        ("version: 1\nrules: [{id: a}]", "rules[0].effect"),
        ("version: 1\nrules: [{id: a, effect: allow, position: -1}]", "rules[0].position"),
        ("version: 1\nrules: [{id: a, effect: allow, position: true}]", "rules[0].position"),
        ("version: 1\nrules: [{id: a, effect: allow, revision: 0}]", "rules[0].revision"),
        ("version: 1\nrules: [{id: a, effect: allow, match: {moon: [x]}}]", "rules[0].match"),
        ("version: 1\nrules: [{id: a, effect: allow, match: [x]}]", "rules[0].match"),
        ("version: 1\nrules: [{id: a, effect: review, terms: {votes: 0}}]", "rules[0].terms.votes"),
        ("version: 1\nrules: [{id: a, effect: review, terms: {reviewers: x}}]", "reviewers"),
        ("version: 1\nrules: [{id: a, effect: allow, enabled: 1}]", "rules[0].enabled"),
        ("version: 1\nrules: [{id: a, effect: allow}, {id: a, effect: deny}]", "a twice"),
        ("version: 1\nprotections: [{id: a, strategy: null}]", "column or a tag"),
        ("version: 1\nprotections: [{id: a, column: C}]", "protections[0].strategy"),
        ("version: 1\nprotections: [{id: a, column: C, strategy: s, options: 1}]", "options"),
        ("version: 1\nprotections: [{strategy: s, column: C}]", "protections[0].id"),
    ],
)
def test_faults_are_placed(text, place):
    with pytest.raises(DocumentError) as error:
        load(text)
    assert place in str(error.value)

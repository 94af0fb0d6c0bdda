"""policy.yaml round-trips, and says where it is wrong."""

import pytest

from connections.policy.defaults import default_rules
from connections.policy.document import Document, DocumentError, dump, load
from connections.policy.types import DetectorSetting, Effect, Protection, ReviewTerms, Rule

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
        Protection("p3", "hash", "PROD", "CRM", "ORDERS", "NOTE"),
    ),
    (
        DetectorSetting("email", "alert"),
        DetectorSetting("phone", "off"),
        DetectorSetting("staff", "mask", "Staff number", "S-[0-9]{6}"),
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
    assert load("version: 1\nrules:\nprotections:") == Document()


def test_detectors_not_spoken_of_are_not_detectors_chosen_away():
    assert load("version: 1").detectors is None
    assert load("version: 1\ndetectors:").detectors == ()
    assert "detectors" not in dump(Document())
    assert load(dump(Document(detectors=()))).detectors == ()


def test_a_detector_masks_unless_its_text_says_otherwise():
    text = "version: 1\ndetectors:\n- {name: email}\n- {name: iban, action: off}\n"
    assert load(text).detectors == (
        DetectorSetting("email", "mask"),
        DetectorSetting("iban", "off"),
    )


def test_what_a_detector_does_not_have_is_not_written():
    text = dump(Document(detectors=(DetectorSetting("email", "alert"),)))
    assert text.endswith("detectors:\n- name: email\n  action: alert\n")


def test_what_a_rule_leaves_out_has_its_default():
    [rule] = load("version: 1\nrules: [{id: a, effect: review, terms: {votes: 2}}]").rules
    assert rule == Rule("a", Effect.REVIEW, 10, terms=ReviewTerms(votes=2))
    assert (rule.revision, rule.note, rule.enabled, rule.match) == (1, "", True, {})


def test_what_a_protection_leaves_out_is_everything():
    text = "version: 1\nprotections: [{id: p, strategy: hash, column: C}]"
    assert load(text).protections == (Protection("p", "hash", "*", "*", "*", "C", "", {}, True),)


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
        ("version: 1\nprotections: [{id: a, tag: T, strategy: s, moon: 1}]", "unknown keys: moon"),
        ("version: 1\nprotections: [{id: a, tag: T, strategy: s, enabled: x}]", "[0].enabled"),
        ("version: 1\nprotections: [1]", "protections[0] must be a mapping"),
        ("version: 1\nprotections: {}", "protections must be a list"),
        (
            "version: 1\nprotections: [{id: a, tag: T, strategy: s}, {id: a, tag: U, strategy: s}]",
            "protections names a twice",
        ),
        ("version: 1\nrules: [{id: a, effect: review, terms: [x]}]", "rules[0].terms must be"),
        ("version: 1\nrules: [{id: a, effect: review, terms: {moon: 1}}]", "keys: moon"),
        (
            "version: 1\nrules: [{id: a, effect: review, terms: {expires_minutes: 0}}]",
            "rules[0].terms.expires_minutes",
        ),
        ("version: 1\nrules: [{id: a, effect: allow, b: 1, a: 1}]", "unknown keys: a, b."),
        ("version: 1\ndetectors: {}", "detectors must be a list"),
        ("version: 1\ndetectors: [1]", "detectors[0] must be a mapping"),
        ("version: 1\ndetectors: [{action: mask}]", "detectors[0].name"),
        ("version: 1\ndetectors: [{name: a, moon: 1}]", "unknown keys: moon"),
        ("version: 1\ndetectors: [{name: a, action: shout}]", "detectors[0].action must be"),
        ("version: 1\ndetectors: [{name: a, action: true}]", "detectors[0].action must be"),
        ("version: 1\ndetectors: [{name: a, label: 1}]", "detectors[0].label must be"),
        ("version: 1\ndetectors: [{name: a, pattern: [x]}]", "detectors[0].pattern must be"),
        ("version: 1\ndetectors: [{name: a}, {name: a}]", "detectors names a twice"),
    ],
)
def test_faults_are_placed(text, place):
    with pytest.raises(DocumentError) as error:
        load(text)
    assert place in str(error.value)

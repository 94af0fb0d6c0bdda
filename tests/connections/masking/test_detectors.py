"""Detectors as an admin chose them: what masks, what only counts, what may stand as a pattern."""

import string

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connections.masking.apply import scan, scan_text
from connections.masking.detectors import (
    BY_NAME,
    DETECTORS,
    MAX_INSTRUCTIONS,
    compiled,
    configured,
    own,
    strictest,
)
from connections.policy.types import DetectorSetting

BADGE = DetectorSetting("badge", "mask", "Badge", r"B-[0-9]{4}")
QUIET_BADGE = DetectorSetting("badge", "alert", "Badge", r"B-[0-9]{4}")
TEXT = "jane@example.com, B-1234, 123-45-6789"


def actions(settings_):
    return {d.name: d.action for d in configured(settings_)}


def test_without_a_choice_every_detector_masks():
    assert configured([]) == DETECTORS


def test_each_example_is_found_by_its_own_detector():
    for detector in DETECTORS:
        assert scan_text(detector.example, [detector])[0] == f"[{detector.name}]"
        assert detector.finds.endswith(".")


def test_a_choice_changes_one_detector():
    found = actions([DetectorSetting("email", "alert"), DetectorSetting("ssn", "off")])
    assert found == {name: "mask" for name in BY_NAME if name != "ssn"} | {"email": "alert"}


def test_own_patterns_come_after_those_built_in():
    """So that one's own take nothing from what the others find."""
    found = configured([DetectorSetting("at", "mask", "", "@"), BADGE])
    assert [d.name for d in found] == [*BY_NAME, "at", "badge"]
    assert scan_text(TEXT, found)[0] == "[email], [badge], [ssn]"


def test_an_own_pattern_rests_while_it_is_off():
    assert "badge" not in actions([DetectorSetting("badge", "off", "Badge", "B")])


@pytest.mark.parametrize(
    "setting",
    [
        DetectorSetting("email", "sometimes"),
        DetectorSetting("email", ""),
        DetectorSetting("who", "off"),
    ],
)
def test_a_choice_that_cannot_be_read_masks_by_default(setting):
    assert configured([setting]) == DETECTORS


@pytest.mark.parametrize(
    "setting",
    [
        DetectorSetting("badge", "alert", "", "B-("),
        DetectorSetting("badge", "sometimes", "", "B"),
        DetectorSetting("Bad Name", "mask", "", "B"),
    ],
)
def test_an_own_pattern_that_cannot_be_read_masks_every_text(setting):
    found = configured([setting])
    table, findings = scan(pa.table({"C": ["plain", "two\nlines", None], "N": [1, 2, 3]}), found)
    assert table[1].to_pylist() == [1, 2, 3]
    assert table[0].to_pylist() == [f"[{setting.name}]"] * 2 + [None]
    assert {f.detector for f in findings} == {setting.name}


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "cannot be read: missing )"),
        ("a(?=b)", "look-ahead and look-behind do not exist here"),
        (r"(a)\1", "back-references do not exist here"),
        ("a{2000}", "invalid repetition size"),
        ("\ud800", "surrogates not allowed"),
        ("x*", "matches the empty text"),
        (r"\b", "matches the empty text"),
        (r"\B", "matches the empty text"),
        ("(?m)^", "matches the empty text"),
        ("secret|$", "matches the empty text"),
        (r"secret|\b", "matches the empty text"),
        (r"\p{L}{1,100}", "too large to be quick"),
        ("(a|b|c|.){0,900}z", "too large to be quick"),
    ],
)
def test_a_pattern_that_cannot_work_is_refused_in_words(pattern, said):
    with pytest.raises(ValueError, match=r".") as caught:
        own("x", pattern)
    assert said in str(caught.value)
    assert "b'" not in str(caught.value)


def test_what_is_built_in_keeps_the_bounds_of_ones_own():
    for detector in DETECTORS:
        assert own("x", detector.pattern).pattern == detector.pattern
        assert compiled(detector.pattern).programsize < MAX_INSTRUCTIONS / 2


def test_the_strictest_of_two_choices():
    off = configured([DetectorSetting("email", "off"), DetectorSetting("ssn", "alert"), BADGE])
    quiet = configured([DetectorSetting("ssn", "alert"), QUIET_BADGE])
    both = {d.name: d.action for d in strictest(off, quiet)}
    assert both == dict.fromkeys(BY_NAME, "mask") | {"ssn": "alert", "badge": "mask"}
    assert strictest(off, quiet) == strictest(quiet, off)
    assert strictest(DETECTORS, configured([DetectorSetting("email", "off")])) == DETECTORS


# What a result may hold: made of pieces that are found, pieces that nearly are, and chance.
pieces = st.sampled_from(
    [d.example for d in DETECTORS] + ["B-1234", "B-12", "@", "a@b", "4111 1111 1111 1112", "plain"]
) | st.text(string.printable, max_size=12)
texts = st.none() | st.lists(pieces, max_size=4).map(" ".join)
columns = st.lists(texts, max_size=6)
choices = st.lists(
    st.sampled_from(
        [DetectorSetting(name, action) for name in BY_NAME for action in ("mask", "alert", "off")]
        + [BADGE, QUIET_BADGE]
    ),
    unique_by=lambda s: s.name,
)


@settings(max_examples=150, deadline=None)
@given(columns, choices)
def test_only_what_masks_changes_values_and_a_column_without_a_hit_is_the_same(column, chosen):
    detectors = configured(chosen)
    table = pa.table({"C": pa.array(column, pa.string())})
    cleaned, findings = scan(table, detectors)
    assert cleaned.schema == table.schema
    if not any(f.action == "mask" for f in findings):
        assert cleaned["C"] is table["C"] or cleaned["C"].equals(table["C"])
    if not findings:
        assert cleaned["C"].chunk(0).buffers() == table["C"].chunk(0).buffers()
    one_by_one = [None if text is None else scan_text(text, detectors)[0] for text in column]
    assert cleaned["C"].to_pylist() == one_by_one


@settings(max_examples=100, deadline=None)
@given(columns)
def test_alerts_never_change_a_value_and_count_what_masks_would(column):
    table = pa.table({"C": pa.array(column, pa.string())})
    for detector in (*DETECTORS, own("badge", BADGE.pattern)):
        built_in = detector.name in BY_NAME
        quiet = DetectorSetting(detector.name, "alert", "", "" if built_in else detector.pattern)
        (alert,) = (d for d in configured([quiet]) if d.name == detector.name)
        kept, told = scan(table, [alert])
        assert kept["C"].to_pylist() == column
        _, masked = scan(table, [detector])
        assert [(f.detector, f.column, f.count) for f in told] == [
            (f.detector, f.column, f.count) for f in masked
        ]
        assert all(f.action == "alert" for f in told)


@settings(max_examples=100, deadline=None)
@given(columns)
def test_an_own_pattern_leaves_nothing_that_it_matches(column):
    table = pa.table({"C": pa.array(column, pa.string())})
    cleaned, _ = scan(table, configured([BADGE]))
    rest = [text for text in cleaned["C"].to_pylist() if text]
    assert not any(compiled(BADGE.pattern).search(text) for text in rest)

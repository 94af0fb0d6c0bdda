"""Masks computed by the emulator: the type stays, NULL stays NULL, and the value does not."""

import pytest
import sqlglot
from fakesnow.instance import FakeSnow
from sqlglot import exp

from connections.masking.strategies import STRATEGIES, column_salt, masked, strictest
from connections.masking.types import Family, cast, family, width

pytestmark = pytest.mark.filterwarnings("ignore")

SAMPLES = {
    "VARCHAR": "'canary-alice@pii.example'",
    "VARCHAR(30)": "'canary-alice@pii.example'",
    "NUMBER(38,0)": "73918",
    "NUMBER(12,2)": "7391.84",
    "FLOAT": "7391.84::FLOAT",
    "DATE": "'2021-08-17'::DATE",
    "TIMESTAMP_NTZ": "'2021-08-17 10:11:12'::TIMESTAMP_NTZ",
    "TIME": "'10:11:12'::TIME",
    "BOOLEAN": "TRUE",
    "VARIANT": "PARSE_JSON('{\"a\": 73918}')",
    "ARRAY": "ARRAY_CONSTRUCT(73918)",
    "OBJECT": "OBJECT_CONSTRUCT('a', 73918)",
}
_SHARED = []


def cursor():
    if not _SHARED:
        _SHARED.append(FakeSnow().connect(database="DB", schema="PUBLIC"))
    return _SHARED[0].cursor()


def run(strategy, type_, value, options=None, *, derived=False):
    column = exp.column("C", quoted=True)
    mask = masked(strategy, column, type_, "salt", options, derived=derived).sql("snowflake")
    text = f'SELECT {mask} AS M FROM (SELECT {value} AS "C")'
    assert sqlglot.parse_one(text, dialect="snowflake").sql("snowflake")
    return cursor().execute(text).fetchone()[0]


@pytest.mark.parametrize("strategy", sorted(STRATEGIES))
@pytest.mark.parametrize("type_", sorted(SAMPLES))
def test_null_stays_null(strategy, type_):
    assert run(strategy, type_, f"CAST(NULL AS {type_})") is None


@pytest.mark.parametrize("strategy", sorted(set(STRATEGIES) - {"null"}))
@pytest.mark.parametrize("type_", sorted(SAMPLES))
def test_a_value_becomes_another_value(strategy, type_):
    found = run(strategy, type_, SAMPLES[type_])
    assert found is not None
    if type_ != "BOOLEAN":
        assert str(found) != str(cursor().execute(f"SELECT {SAMPLES[type_]}").fetchone()[0])
    assert "alice" not in str(found)
    assert "73918" not in str(found)


@pytest.mark.parametrize("type_", sorted(SAMPLES))
def test_empty_hides_that_there_was_a_value(type_):
    assert run("null", type_, SAMPLES[type_]) is None


@pytest.mark.parametrize(
    ("strategy", "type_", "value", "options", "expected"),
    [
        ("redact", "VARCHAR", "'abc'", None, "***"),
        ("redact", "VARCHAR(2)", "'ab'", None, "**"),
        ("redact", "NUMBER(38,0)", "5", None, 0),
        ("redact", "BOOLEAN", "TRUE", None, False),
        ("partial", "VARCHAR", "'900-11-1234'", None, "****1234"),
        ("partial", "VARCHAR", "'1234567'", None, "****"),
        ("partial", "VARCHAR", "'12345678'", None, "****5678"),
        ("partial", "VARCHAR", "'a@b.c'", {"keep": "domain"}, "***@b.c"),
        ("partial", "VARCHAR", "'a@b@c'", {"keep": "domain"}, "***@b"),
        ("partial", "VARCHAR", "'nothing'", {"keep": "domain"}, "****"),
        ("partial", "VARCHAR(3)", "'900-11-1234'", None, "***"),
        ("partial", "VARCHAR", "'900-11-1234'", {"keep": "all"}, "****1234"),
        ("bucket", "NUMBER(38,0)", "7391", None, 7300),
        ("bucket", "NUMBER(38,0)", "-1", None, -100),
        ("bucket", "NUMBER(38,0)", "7391", {"size": 1000}, 7000),
        ("bucket", "NUMBER(38,0)", "7391", {"size": 0}, 7300),
        ("bucket", "NUMBER(38,0)", "7391", {"size": "x"}, 7300),
        ("constant", "VARCHAR", "'abc'", {"value": "it's"}, "it's"),
        ("constant", "VARCHAR(3)", "'abc'", None, "hid"),
        ("constant", "NUMBER(38,0)", "5", {"value": "7"}, 7),
        ("constant", "NUMBER(38,0)", "5", None, 0),
        ("hash", "NUMBER(38,0)", "5", None, 0),
    ],
)
def test_what_a_mask_shows(strategy, type_, value, options, expected):
    assert run(strategy, type_, value, options) == expected


@pytest.mark.parametrize(
    ("unit", "expected"),
    [("year", "2021-01-01"), ("quarter", "2021-07-01"), ("month", "2021-08-01")],
)
def test_dates_are_cut(unit, expected):
    assert str(run("date", "DATE", SAMPLES["DATE"], {"unit": unit})) == expected
    found = str(run("date", "TIMESTAMP_NTZ", SAMPLES["TIMESTAMP_NTZ"], {"unit": unit}))
    assert found.startswith(expected)


def test_hashes_are_salted_equal_for_equal_values_and_fit():
    one = run("hash", "VARCHAR", "'abc'")
    assert one == run("hash", "VARCHAR", "'abc'") != run("hash", "VARCHAR", "'abd'")
    assert len(one) == 64
    assert len(run("hash", "VARCHAR(10)", "'abc'")) == 10
    assert column_salt("s", "A.B") != column_salt("s", "A.C") != column_salt("t", "A.C")


@pytest.mark.parametrize("strategy", ["partial", "date", "bucket"])
def test_what_is_only_derived_is_redacted(strategy):
    assert run(strategy, "VARCHAR", "'900-11-1234'", derived=True) == "***"


def test_an_unknown_strategy_shows_nothing():
    assert run("rot13", "VARCHAR", "'abc'") is None


@pytest.mark.parametrize(
    ("names", "name"),
    [
        (["partial", "redact"], "redact"),
        (["hash", "null"], "null"),
        (["bucket"], "bucket"),
        (["rot13"], "null"),
        (["partial", "rot13"], "null"),
    ],
)
def test_of_two_masks_the_stricter_stands(names, name):
    assert strictest(names) == name


@pytest.mark.parametrize(
    ("strategy", "value", "options", "shown"),
    [
        ("redact", "abc", None, "***"),
        ("redact", 7, None, 0),
        ("redact", True, None, False),
        ("null", "abc", None, None),
        ("partial", "900-11-1234", None, "****1234"),
        ("partial", "a@b.c", {"keep": "domain"}, "***@b.c"),
        ("partial", "abc", {"keep": "domain"}, "****"),
        ("partial", "1234567", None, "****"),
        ("date", "2021-08-17", None, "2021-01-01"),
        ("date", "2021-08-17", {"unit": "quarter"}, "2021-07-01"),
        ("date", "2021-08-17", {"unit": "month"}, "2021-08-01"),
        ("bucket", 7391, None, 7300),
        ("bucket", 1.7, {"size": 0.5}, 1.5),
        ("bucket", "x", None, 0),
        ("constant", "abc", {"value": "v"}, "v"),
    ],
)
def test_examples_show_what_the_mask_would(strategy, value, options, shown):
    assert STRATEGIES[strategy].example(value, options) == shown
    assert STRATEGIES[strategy].example(None) is None


def test_every_strategy_can_be_shown_in_a_form():
    for name, strategy in STRATEGIES.items():
        assert strategy.name == name
        assert strategy.label
        assert strategy.description
        assert strategy.families
        assert strategy.settings(None) == {o.name: o.default for o in strategy.options}
    assert len(STRATEGIES["hash"].example("a")) == 64


@pytest.mark.parametrize(
    ("type_", "kind", "chars"),
    [
        ("VARCHAR(16777216)", Family.TEXT, 16777216),
        ("varchar", Family.TEXT, None),
        ("NUMBER(38,0)", Family.NUMBER, None),
        ("TIMESTAMP_TZ(9)", Family.TIMESTAMP, None),
        ("GEOGRAPHY", Family.OTHER, None),
        ("", Family.OTHER, None),
    ],
)
def test_types_have_families(type_, kind, chars):
    assert family(type_) is kind
    assert width(type_) == chars


def test_a_type_that_cannot_be_spelled_is_left_alone():
    assert cast(exp.null(), "NOT A TYPE (").sql() == "NULL"

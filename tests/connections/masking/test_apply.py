"""Detectors over Arrow columns, headers and texts."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connections.masking.apply import scan, scan_text
from connections.masking.detectors import BY_NAME, DETECTORS, Finding, own

HITS = [
    ("email", "write to bob.o'neil+x@mail.example.org today"),
    ("card", "4111 1111 1111 1111"),
    ("card", "5500-0000-0000-0004"),
    ("iban", "DE89 3704 0044 0532 0130 00"),
    ("iban", "NO9386011117947"),
    ("ssn", "900-11-1111"),
    ("ssn", "123 45 6789"),
    ("phone", "+47 22 33 44 55"),
    ("phone", "(212) 555-0199"),
    ("jwt", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln"),
    ("cloud-key", "AKIAIOSFODNN7EXAMPLE"),
    ("cloud-key", "ghp_" + "a1" * 18),
    ("private-key", "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----"),
    ("private-key", "-----BEGIN PRIVATE KEY-----\ncut off"),
]
MISSES = [
    "4111 1111 1111 1112",
    "0000 0000 0000 0000",
    "DE89 3704 0044 0532 0130 02",
    "000-11-1111",
    "666-11-1111",
    "900-00-1111",
    "900-11-0000",
    "2026-01-05 10:00:00",
    "user at example dot com",
    "1234567890",
    "a-b-c",
    "3.14159",
    "",
]


@pytest.mark.parametrize(("name", "text"), HITS)
def test_hits_are_masked_alike_in_texts_and_columns(name, text):
    cleaned, found = scan_text(text)
    assert name in {f.detector for f in found}
    assert f"[{name}]" in cleaned
    table, findings = scan(pa.table({"c": ["plain", text, None]}))
    assert table["c"].to_pylist() == ["plain", cleaned, None]
    assert Finding(name, "c", 1) in findings


@pytest.mark.parametrize("text", MISSES)
def test_what_only_looks_alike_stays(text):
    assert scan_text(text) == (text, ())
    table, findings = scan(pa.table({"c": [text]}))
    assert table["c"].to_pylist() == [text]
    assert findings == ()


def test_alerts_change_nothing():
    alert = own("badge", r"B-\d{4}", action="alert", label="Badge")
    table, findings = scan(pa.table({"c": ["B-1234", "x"]}), [alert])
    assert table["c"].to_pylist() == ["B-1234", "x"]
    assert findings == (Finding("badge", "c", 1, "alert"),)
    assert scan_text("B-1234", [alert]) == ("B-1234", (Finding("badge", "", 1, "alert"),))


def test_own_patterns_mask():
    badge = own("badge", r"B-\d{4}")
    assert scan_text("see B-1234 and B-9999", [badge]) == (
        "see [badge] and [badge]",
        (Finding("badge", "", 2),),
    )


@pytest.mark.parametrize(
    ("name", "pattern", "action"),
    [
        ("Bad Name", "x", "mask"),
        ("", "x", "mask"),
        ("a", "(", "mask"),
        ("a", "x*", "mask"),
        ("a", r"(?=x)", "mask"),
        ("a", "x", "drop"),
    ],
)
def test_faulty_patterns_are_refused(name, pattern, action):
    with pytest.raises(ValueError, match=r"\w"):
        own(name, pattern, action=action)


def test_types_metadata_and_untouched_columns_stay():
    schema = pa.schema(
        [
            pa.field("n", pa.int64(), metadata={b"k": b"v"}),
            pa.field("t", pa.string(), metadata={b"logicalType": b"TEXT"}),
            pa.field("l", pa.large_string()),
            pa.field("d", pa.dictionary(pa.int32(), pa.string())),
        ],
        metadata={b"schema": b"kept"},
    )
    values = ["a@b.example", "plain"]
    table = pa.table(
        [
            pa.array([1, 2]),
            values,
            pa.array(values, pa.large_string()),
            pa.array(values).dictionary_encode(),
        ],
        schema=schema,
    )
    cleaned, findings = scan(table)
    assert cleaned.schema == table.schema
    assert cleaned.schema.metadata == {b"schema": b"kept"}
    assert cleaned.schema.field("t").metadata == {b"logicalType": b"TEXT"}
    assert cleaned["n"] == table["n"]
    for name in "tld":
        assert cleaned[name].to_pylist() == ["[email]", "plain"]
    assert {(f.column, f.count) for f in findings} == {("t", 1), ("l", 1), ("d", 1)}
    plain, none = scan(pa.table({"d": pa.array(["x"]).dictionary_encode()}))
    assert none == ()
    assert plain["d"].type == pa.dictionary(pa.int32(), pa.string())


def test_chunks_empty_tables_and_many_rows():
    column = pa.chunked_array([["a"], ["4111111111111111", None], []], type=pa.string())
    cleaned, findings = scan(pa.table({"c": column}))
    assert cleaned["c"].to_pylist() == ["a", "[card]", None]
    assert findings == (Finding("card", "c", 1),)
    empty, none = scan(pa.table({"c": pa.array([], pa.string())}))
    assert (empty.num_rows, none) == (0, ())


def test_headers_are_texts_too():
    table, findings = scan(pa.table({"bob@mail.example": [1]}))
    assert table.column_names == ["[email]"]
    assert findings == (Finding("email", "bob@mail.example", 1),)


def test_every_detector_is_named_once_and_tried_above():
    assert set(BY_NAME) == {d.name for d in DETECTORS} == {name for name, _ in HITS}
    assert all(d.label and d.action == "mask" for d in DETECTORS)


OWN = [
    own("whole", r"^secret$"),
    own("start", r"\Asecret"),
    own("end", r"secret\z"),
    own("flag", r"(?-m)^secret$"),
    own("word", r"\bsecret\b"),
]
PIECES = st.sampled_from(["secret", " ", "\n", "a", "4111 1111 1111 1111", "", "-", "x@y.org"])


@given(
    st.lists(st.none() | st.lists(PIECES, max_size=4).map("".join), max_size=6),
    st.lists(st.sampled_from([*OWN, *DETECTORS]), min_size=1, max_size=4, unique=True),
)
def test_columns_hide_nothing_from_any_pattern(values, chosen):
    for rows in (values, [None, "z"] * 130 + values + ["z"]):
        _scan_equals_texts(rows, chosen)


def _scan_equals_texts(values, chosen):
    column = pa.table({"c": pa.array(values, pa.string())})
    alone = [scan_text(value, chosen)[0] if value is not None else None for value in values]
    assert scan(column, chosen)[0].column("c").to_pylist() == alone


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
@pytest.mark.parametrize("place", [0, 137, 399])
@pytest.mark.parametrize(("name", "text"), HITS)
def test_one_among_many_rows_is_found_wherever_it_stands(kind, place, name, text):
    """Rows before and after end and begin with what must not run together with it."""
    rows = ["x9", None, "", "Ünö-1"] * 100
    rows[place] = text
    column = pa.chunked_array([pa.array(["of a slice", *rows], kind)[1:], pa.array([], kind)])
    cleaned, findings = scan(pa.table({"c": column}))
    assert name in {f.detector for f in findings}
    rows[place] = scan_text(text)[0]
    assert cleaned["c"].to_pylist() == rows
    assert cleaned["c"].type == kind


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_many_rows_without_a_hit_come_back_as_they_are(kind):
    for rows in (["4111", None, "1111 1111", "1111"] * 100, [None] * 400, [""] * 400):
        table = pa.table({"c": pa.array(rows, kind)})
        cleaned, findings = scan(table)
        assert cleaned["c"].chunk(0) is table["c"].chunk(0) or cleaned.equals(table)
        assert findings == ()


def test_patterns_too_many_for_one_expression_are_looked_for_one_by_one():
    many = [own(f"own-{n}", rf"x{n}[a-z]{{900}}y") for n in range(800)]
    chosen = [*many, BY_NAME["email"]]
    table, findings = scan(pa.table({"c": ["plain", "x@y.org"]}), chosen)
    assert table["c"].to_pylist() == ["plain", "[email]"]
    assert findings == (Finding("email", "c", 1),)

"""The cheap look: what is measured, and what must not stand in a text."""

import time

import pytest

from connections.sql import guard

NBSP, ZWSP, RLO, WIDE_S, CYRILLIC_A = "\u00a0", "\u200b", "\u202e", "\uff33", "\u0410"


@pytest.mark.parametrize(
    ("text", "code", "position"),
    [
        (f"SELECT{NBSP}1", "confusable", 6),
        (f"SELECT S{ZWSP}SN", "confusable", 8),
        (f"SELECT {WIDE_S}SN", "confusable", 7),
        (f"SELECT {RLO}1", "confusable", 7),
        ("SELECT \x00 1", "control-character", 7),
        ("SELECT \x1b[1m", "control-character", 7),
        (f'SELECT "{CYRILLIC_A}BC"', "confusable", 7),
        (f'SELECT "{WIDE_S}SN"', "confusable", 7),
        (f'SELECT "{WIDE_S}{WIDE_S}"', "confusable", 7),
        (f'SELECT "a{ZWSP}b"', "confusable", 7),
        ('SELECT "a\tb"', "confusable", 7),
        ("SELECT /* a /* b */ 1", "nested-comment", 7),
        ("SELECT 'abc", "unbalanced", 7),
        ('SELECT "abc', "unbalanced", 7),
        ("SELECT $$abc", "unbalanced", 7),
        ("SELECT $$abc$$ $$", "unbalanced", 15),
        ("SELECT 1 /* abc", "unbalanced", 9),
        ("SELECT 'a\\' FROM t", "unbalanced", 7),
        ("SELECT 1 ->> SELECT 2", "flow-operator", 9),
        ("SELECT {{ x }}", "template", 7),
        ("SELECT {% if %}", "template", 7),
        ("SELECT {# x #}", "template", 7),
    ],
)
def test_what_deceives_is_named_with_its_position(text, code, position):
    found = guard.scan(text)
    assert [(p.code, p.position) for p in found.problems[:1]] == [(code, position)]
    assert str(position) in found.problems[0].text
    assert found.problems[0].way_out


@pytest.mark.parametrize(
    "text",
    [
        f"SELECT '{ZWSP}{RLO}{NBSP}'",
        f"SELECT 1 -- {RLO}",
        f"SELECT 1 /* {RLO} */",
        f"SELECT $${ZWSP}$$",
    ],
)
def test_in_literals_and_comments_it_is_only_noted(text):
    found = guard.scan(text)
    assert found.problems == ()
    assert found.hidden is (text != f"SELECT '{NBSP}'")


@pytest.mark.parametrize(
    "text",
    [
        'SELECT "größe", "日本語", "Δ Total Market Value", "Straße №5", "naïve"',
        "SELECT 'it''s', 'a\\'b', 'c:\\\\'",
        "SELECT 1 // comment",
        "SELECT 'a; b' -- ; c",
        'SELECT "a""b", $$it\'s ; -- $$',
        "SELECT a:b, x -> x + 1, {'a': {'b': 1}}",
        "SELECT 1;\n",
    ],
)
def test_ordinary_texts_are_clean(text):
    found = guard.scan(text)
    assert found.problems == ()
    assert found.statements == 1
    assert found.small


@pytest.mark.parametrize(
    ("text", "statements"),
    [("", 0), (" ;; -- x", 0), ("SELECT 1", 1), (";SELECT 1;;", 1), ("SELECT 1; SELECT 2", 2)],
)
def test_statements_are_counted(text, statements):
    assert guard.scan(text).statements == statements


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        ("SELECT 1", 0),
        ("SELECT ((1))", 2),
        ("SELECT [{'a': (1)}]", 4),
        ("SELECT CASE WHEN 1 THEN CASE 1 WHEN 2 THEN 3 END END", 2),
        ("SELECT NOT NOT NOT 1", 3),
        ("SELECT - - - 1", 3),
        ("SELECT '((((', \"((((\" -- ((((", 0),
    ],
)
def test_nesting_is_measured_outside_literals(text, depth):
    assert guard.scan(text).depth == depth


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("SELECT " + "(" * 61 + "1" + ")" * 61, "too-complex"),
        ("SELECT " + "NOT " * 70 + "1", "too-complex"),
        ("SELECT " + "1," * 25_000 + "1", "too-complex"),
        ("SELECT '" + "x" * 300_000 + "'", "too-large"),
        ("SELECT '" + "\u00e9" * 140_000 + "'", "too-large"),
    ],
)
def test_what_is_too_much_is_refused_at_once(text, code):
    start = time.process_time()
    found = guard.scan(text)
    assert [p.code for p in found.problems] == [code]
    assert time.process_time() - start < 1


@pytest.mark.parametrize(
    ("text", "small"),
    [
        ("SELECT " + "(" * 32 + "1" + ")" * 32, True),
        ("SELECT " + "(" * 33 + "1" + ")" * 33, False),
        ("SELECT " + "a," * 2900 + "1", True),
        ("SELECT " + "a," * 3000 + "1", False),
        ("SELECT 1" + " + 1" * 360, True),
        ("SELECT 1" + " + 1" * 410, False),
        ("SELECT 1" + " UNION SELECT 1" * 410, False),
    ],
)
def test_only_small_texts_are_judged_in_this_process(text, small):
    found = guard.scan(text)
    assert found.problems == ()
    assert found.small is small


def test_problems_are_few():
    assert len(guard.scan(f"SELECT {NBSP * 50}1").problems) == 5


def test_no_text_takes_the_scan_long():
    for piece in ("'\\", '"', "$", "$ $", "/*", "*/", "-", "/", "\\'", "''", "(", "a.", ";"):
        start = time.process_time()
        guard.scan(piece * (250_000 // len(piece)))
        assert time.process_time() - start < 2, piece

"""Bound values of several statements: each part gets its own, and none is left over."""

import pytest

from connections.sql import guard
from gateway.snowflake.errors import Refusal
from gateway.snowflake.part_binds import distribute


def bound(*values):
    return {str(n): {"type": "TEXT", "value": v} for n, v in enumerate(values, start=1)}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("SELECT ?, '?' , ? -- ?", (2, set())),
        ('SELECT $$ ? $$, "?" /* ? */', (0, set())),
        ("SELECT :1, a:b, a::INT, x[1]:c, :name, ':2'", (0, {"1", "name"})),
        (":1", (0, {"1"})),
        ("SELECT f(x):a, {'a':1}, (:2)", (0, {"2"})),
        ('SELECT "a":b, $1:c, ?:d', (1, set())),
    ],
)
def test_placeholders_are_found_in_code_only(text, found):
    assert guard.placeholders(text) == found


def test_each_mark_takes_the_next_value():
    parts = ("SELECT ?", "SELECT '?'", "SELECT ?, ?")
    given = bound("a", "b", "c")
    assert distribute(parts, given) == (bound("a"), {}, bound("b", "c"))
    assert distribute(parts, {}) == ({}, {}, {})


def test_a_number_or_a_name_means_the_same_everywhere():
    given = bound("a", "b")
    assert distribute(("SELECT :2", "SELECT 1", "SELECT :1"), given) == (given, {}, bound("a"))
    named = {"WHO": {"type": "TEXT", "value": "x"}, "OTHER": {"type": "TEXT", "value": "y"}}
    assert distribute(("SELECT :who", "SELECT 1"), named) == ({"WHO": named["WHO"]}, {})


@pytest.mark.parametrize(
    "given", [bound("a"), bound("a", "b", "c"), {"x": {"type": "TEXT", "value": "a"}}]
)
def test_a_missing_or_a_spare_value_is_refused(given):
    with pytest.raises(Refusal, match="2 placeholders"):
        distribute(("SELECT ?", "SELECT ?"), given)


def test_many_rows_are_not_bound_to_several_statements():
    with pytest.raises(Refusal, match="one by one"):
        distribute(("SELECT ?", "SELECT 1"), {"1": {"type": "FIXED", "value": ["1", "2"]}})

"""Python values as bindings, by position and by name."""

import datetime as dt
from decimal import Decimal

import pytest

from connections.upstream.binds import to_bindings


@pytest.mark.parametrize(
    ("value", "kind", "text"),
    [
        (None, "ANY", None),
        (True, "BOOLEAN", "true"),
        (7, "FIXED", "7"),
        (10**30, "FIXED", str(10**30)),
        (Decimal("2.50"), "TEXT", "2.50"),
        (0.1, "REAL", "0.1"),
        ("x", "TEXT", "x"),
        (b"\xff", "BINARY", "ff"),
        (dt.date(1970, 1, 2), "DATE", "86400000"),
        (dt.time(0, 0, 1), "TIME", "1000000000"),
        (dt.datetime(1970, 1, 1, 0, 0, 1), "TIMESTAMP_NTZ", "1000000000"),  # noqa: DTZ001
        (
            dt.datetime(1970, 1, 1, 2, tzinfo=dt.timezone(dt.timedelta(hours=2))),
            "TIMESTAMP_TZ",
            "0 1560",
        ),
    ],
)
def test_each_type_has_its_binding(value, kind, text):
    assert to_bindings([value]) == {"1": {"type": kind, "value": text}}


def test_positions_names_and_ready_bindings():
    assert list(to_bindings(["a", "b"])) == ["1", "2"]
    assert to_bindings({"who": "a"}) == {"who": {"type": "TEXT", "value": "a"}}
    ready = {"1": {"type": "FIXED", "value": "3"}}
    assert to_bindings(ready) == ready


@pytest.mark.parametrize("value", [[1], {"a": 1}, float("nan"), object()])
def test_what_cannot_be_bound_says_so(value):
    with pytest.raises(ValueError, match=r"bind|bound"):
        to_bindings([value])

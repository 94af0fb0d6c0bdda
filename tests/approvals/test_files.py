"""What a reviewer reads about statements that move files."""

import pytest

from approvals.files import said_of


@pytest.mark.parametrize(
    ("direction", "text"),
    [
        ("put", "does not pass the gateway: nobody looks at it"),
        ("get", "nothing in it is masked"),
        ("remove", "does not give back"),
        ("copy-in", "Nobody has looked"),
        ("unload", "with masks where columns are protected"),
    ],
)
def test_it_is_said_plainly_what_is_not_seen(direction, text):
    said = said_of({"transfer": {"direction": direction, "stage": "~"}})
    assert said is not None
    assert text in said["text"]


@pytest.mark.parametrize(
    "facts", [{}, {"transfer": None}, {"transfer": "x"}, {"transfer": {"direction": "list"}}]
)
def test_where_nothing_moves_nothing_is_said(facts):
    assert said_of(facts) is None

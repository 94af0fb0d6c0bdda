"""A part that somebody asks for says so; one that a page fetches by itself does not."""

import pytest

pytestmark = [pytest.mark.browser]


def part_of(path):
    return lambda request: path in request.url and "hx-request" in request.headers


def test_only_what_a_hand_began_is_marked(open_as):
    page = open_as("rita", "/sessions/")
    with page.expect_request(part_of("q=porto")) as typed:
        page.locator("form[data-filters] input[type=search]").press_sequentially("porto")
    assert typed.value.headers["x-by-hand"] == "1"
    page.wait_for_url("**q=porto**")
    with page.expect_request(part_of("/sessions/")) as live:
        page.evaluate("document.body.dispatchEvent(new CustomEvent('live:resync'))")
    assert "x-by-hand" not in live.value.headers

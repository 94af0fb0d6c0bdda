"""One address, two answers."""

import json

import pytest
from django.http import HttpResponse
from django.test import RequestFactory

from hoopweb.lib.htmx import go_to, is_part, part_or_page, say


@pytest.mark.parametrize(
    ("headers", "part"),
    [
        ({}, False),
        ({"HX-Request": "true"}, True),
        ({"HX-Request": "true", "HX-Boosted": "true"}, False),
        ({"HX-Request": "true", "HX-History-Restore-Request": "true"}, False),
    ],
)
def test_who_gets_the_part(headers, part):
    assert is_part(RequestFactory().get("/", headers=headers)) is part


def test_part_or_page(settings):
    settings.TEMPLATES = [
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "loaders": [
                    (
                        "django.template.loaders.locmem.Loader",
                        {"page.html": "page {{ n }}", "_part.html": "part {{ n }}"},
                    )
                ]
            },
        }
    ]
    page = part_or_page(RequestFactory().get("/"), "page.html", "_part.html", {"n": 1})
    part = part_or_page(
        RequestFactory().get("/", headers={"HX-Request": "true"}),
        "page.html",
        "_part.html",
        {"n": 1},
        status=422,
    )
    assert page.content == b"page 1"
    assert part.content == b"part 1"
    assert part.status_code == 422
    assert "HX-Request" in part["Vary"]


def test_go_to_for_forms_and_for_htmx():
    form = go_to(RequestFactory().post("/"), "/there/")
    part = go_to(RequestFactory().post("/", headers={"HX-Request": "true"}), "/there/")
    assert (form.status_code, form["Location"]) == (303, "/there/")
    assert (part.status_code, part["HX-Redirect"]) == (204, "/there/")


def test_say_adds_a_toast_and_keeps_other_events():
    response = HttpResponse(headers={"HX-Trigger": json.dumps({"saved": 1})})
    events = json.loads(say(response, "Grant revoked.", "warning")["HX-Trigger"])
    assert events == {"saved": 1, "toast": {"text": "Grant revoked.", "level": "warning"}}

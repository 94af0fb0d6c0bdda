"""The page of detectors: chosen with a click, tried on a text that nobody keeps."""

from datetime import timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import User
from accounts.principal import Role
from connections import services
from connections.models import Connection, PolicyRevision
from gateway.models import Statement
from recordings.models import AuditEntry, Session
from tests import factories

pytestmark = pytest.mark.django_db
CANARY = "canary-4711@example.com"
PART = {"HX-Request": "true"}


@pytest.fixture
def row() -> Connection:
    return factories.connection("shop")


@pytest.fixture
def client() -> Client:
    client = Client()
    client.force_login(factories.person("ada", Role.ADMIN))
    return client


def at(name: str, row: Connection, *more: Any) -> str:
    return reverse(f"connections:{name}", args=[row.name, *more])


def text(response: Any) -> str:
    return unescape(response.content.decode())


def choose(client: Client, row: Connection, detector: str, action: str, **more: Any) -> Any:
    asked = {"detector": detector, "action": action, **more}
    return client.post(at("detector-action", row), asked, follow=True)


def test_the_page_shows_every_detector_with_an_example_of_its_own(
    client: Client, row: Connection
) -> None:
    page = text(client.get(at("detectors", row)))
    for item in services.chosen_detectors(row):
        assert item.label in page
        assert item.finds in page
        assert f"[{item.name}]" in page
    assert "No patterns of your own" in page
    assert "do not mask" not in page


def test_a_choice_is_said_and_stands_out(client: Client, row: Connection) -> None:
    page = text(choose(client, row, "phone", "off", revision=0))
    assert "From the next statement on, phone is off" in page
    assert "1 of 8 built-in detectors does not mask" in page
    page = text(choose(client, row, "email", "alert", revision=0))
    assert "2 of 8 built-in detectors do not mask" in page
    assert "E-mail address: alert only; Phone number: off." in page
    # Someone who still has the page of before.
    assert "while you were editing" in text(choose(client, row, "phone", "mask", revision=0))
    choose(client, row, "phone", "mask", revision=1)
    assert "not mask" not in text(choose(client, row, "email", "mask", revision=1))
    assert not row.detectors.exists()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"detector": "phone", "action": "loud"}, "does one of: mask, alert, off"),
        ({"detector": "nobody", "action": "off"}, "Someone deleted"),
        ({}, "does one of"),
        ({"detector": "\0", "action": "off"}, "Someone deleted"),
    ],
)
def test_what_cannot_be_chosen_is_said(
    client: Client, row: Connection, asked: dict[str, str], said: str
) -> None:
    response = client.post(at("detector-action", row), asked, follow=True)
    assert said in text(response)
    assert not row.detectors.exists()


def test_an_own_pattern_is_added_changed_and_deleted(client: Client, row: Connection) -> None:
    asked = {"name": "badge", "label": "Badge", "pattern": "B-[0-9]{4}", "action": "mask"}
    page = text(client.post(at("new-detector", row), asked, follow=True))
    assert "badge masks what it finds" in page
    assert "B-[0-9]{4}" in page
    item = row.detectors.get()
    url = at("edit-detector", row, item.pk)
    assert 'value="B-[0-9]{4}"' in text(client.get(url))
    change = {"label": "Badge", "pattern": "C-[0-9]+", "action": "alert", "revision": "1"}
    assert "is saved and in force" in text(client.post(url, change, follow=True))
    late = text(client.post(url, change | {"pattern": "D", "revision": "1"}))
    assert "while you were editing" in late
    assert 'value="D"' in late
    assert "is deleted" in text(
        client.post(at("delete-detector", row, item.pk), {"revision": "2"}, follow=True)
    )
    assert not row.detectors.exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"pattern": "B-("}, "The pattern cannot be read: missing ): B-(."),
        ({"pattern": "a|"}, "The pattern matches the empty text."),
        ({"pattern": "(?<!a)b"}, "look-ahead and look-behind do not exist here"),
        ({"pattern": ""}, "required"),
        ({"pattern": "x" * 501}, "at most 500"),
        ({"name": "Badge!"}, "lower case letters, digits and hyphens"),
        ({"name": "email"}, "a detector called email already"),
        ({"name": "\0"}, "Null characters"),
        ({"action": "loud"}, "not one of the available choices"),
    ],
)
def test_a_pattern_that_cannot_stand_says_so_and_keeps_what_was_typed(
    client: Client, row: Connection, change: dict[str, str], said: str
) -> None:
    asked = {"name": "badge", "label": "Door badge", "pattern": "B", "action": "mask"} | change
    response = client.post(at("new-detector", row), asked)
    assert response.status_code == 422
    assert said in text(response)
    assert 'value="Door badge"' in text(response)
    assert not row.detectors.exists()


def test_a_pattern_is_tried_on_a_text_and_nothing_of_it_is_kept(
    client: Client, row: Connection
) -> None:
    before = (AuditEntry.objects.count(), PolicyRevision.objects.count())
    asked = {
        "try": "1",
        "pattern": "[a-z0-9-]+@[a-z.]+",
        "sample": f"<b>to {CANARY} and {CANARY}</b>",
    }
    part = client.post(at("new-detector", row), asked, headers=PART)
    assert part.status_code == 200
    assert b"<html" not in part.content
    assert "2 values" in text(part)
    assert part.content.decode().count(f"<mark>{CANARY}</mark>") == 2
    assert b"&lt;b&gt;to " in part.content
    page = text(client.post(at("new-detector", row), asked))
    assert f"<mark>{CANARY}</mark>" in page
    assert "Nothing was saved" not in page
    assert (AuditEntry.objects.count(), PolicyRevision.objects.count()) == before
    assert not row.detectors.exists()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"pattern": "(", "sample": "x"}, "cannot be read"),
        ({"pattern": "y", "sample": "x"}, "Nothing in this text is found"),
        ({"pattern": "", "sample": "x"}, ""),
        ({"pattern": "y", "sample": ""}, ""),
        ({}, ""),
        ({"pattern": "x", "sample": "x" * 50_000}, "20,000 values"),
        ({"pattern": "x\0", "sample": "\0"}, "NUL"),
    ],
)
def test_a_trial_answers_whatever_is_given(
    client: Client, row: Connection, asked: dict[str, str], said: str
) -> None:
    part = client.post(at("new-detector", row), {"try": "1"} | asked, headers=PART)
    assert part.status_code == 200
    assert said in text(part)
    assert text(part).count("<mark>") <= 200


def ran(
    row: Connection, days_ago: int, *findings: dict[str, Any], owner: User | None = None
) -> Statement:
    agent = factories.agent(owner=owner or factories.person())
    who: dict[str, Any] = {
        "principal_kind": "agent",
        "principal_id": agent.pk,
        "principal_name": agent.name,
        "owner_id": agent.owner_id,
        "door": "rest",
    }
    session = Session.objects.create(connection_id=row.pk, connection_name=row.name, **who)
    return Statement.objects.create(
        session=session,
        connection=row,
        **who,
        request_id=f"r{Statement.objects.count()}",
        sql_given="SELECT 1",
        received_at=timezone.now() - timedelta(days=days_ago),
        findings=list(findings),
    )


def found(name: str, count: int, *, masked: bool = True) -> dict[str, Any]:
    return {"detector": name, "column": CANARY, "count": count, "masked": masked}


def test_what_was_found_lately_is_counted_by_day_and_names_no_column(
    client: Client, row: Connection
) -> None:
    url = reverse("detectors-found", args=["shop"])
    assert "Nothing was found" in text(client.get(url))
    ran(row, 0, found("email", 4), found("phone", 1, masked=False), found("email", 1))
    ran(row, 3, found("email", 20))
    ran(row, 40, found("email", 1_000))
    ran(factories.connection("other"), 0, found("email", 7_000))
    ran(row, 1, found("long-gone", 2))
    page = text(client.get(url))
    days = [0] * 10 + [20, 0, 0, 5]
    assert f"Values a day, oldest first: {', '.join(map(str, days))}" in page
    assert page.index("E-mail address") < page.index("long-gone") < page.index("Phone number")
    assert "deleted" in page
    assert CANARY not in page


def test_others_are_told_of_the_statements_that_they_may_see(row: Connection) -> None:
    owner = factories.person("olga", Role.DEVELOPER)
    factories.allow(row, owner)
    ran(row, 0, found("email", 3), owner=owner)
    ran(row, 0, found("iban", 9))
    client = Client()
    client.force_login(owner)
    page = text(client.get(reverse("detectors-found", args=["shop"])))
    assert "E-mail address" in page
    assert "IBAN" not in page
    assert "that you may see" in page


def test_a_revision_says_what_became_of_detectors(client: Client, row: Connection) -> None:
    services.create_detector(connection=row, by=None, name="badge", pattern="B-[0-9]{4}")
    services.set_detector_action(connection=row, name="email", action="off", by=None)
    page = text(client.get(at("revision", row, 3)))
    assert "Detector email is off" in page
    assert "Action was" in page
    page = text(client.get(at("revision", row, 2)))
    assert "<code>B-[0-9]{4}</code>" in page

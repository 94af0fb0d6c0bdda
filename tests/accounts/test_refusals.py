"""What somebody was refused stands in the trail; so do votes."""

import pytest
from django.test import Client
from django.urls import reverse

from recordings.models import AuditEntry
from tests.gateway.rest.conftest import WRITE, as_person, send, token_of, with_token

pytestmark = pytest.mark.django_db


def refusals():
    return list(AuditEntry.objects.filter(action="access-refused").order_by("number"))


def test_a_page_that_is_not_theirs_is_written_down_once(cast):
    browser = Client()
    browser.force_login(cast.auditor)
    for _ in range(3):
        assert browser.get(reverse("accounts:people"), REMOTE_ADDR="192.0.2.9").status_code == 403
    [entry] = refusals()
    assert entry.actor_id == cast.auditor.pk
    assert entry.object_id == "GET settings/"
    assert entry.object_name == "/settings/"
    assert entry.address == "192.0.2.9"
    browser.post(reverse("accounts:person-new"))
    assert len(refusals()) == 2


def test_an_agent_that_asks_for_policy(cast):
    api = with_token(token_of(cast.agent).text)
    assert api.get("rules").status_code == 403
    [entry] = refusals()
    assert entry.actor["kind"] == "agent"
    assert entry.actor_id == cast.agent.pk


def test_what_is_not_there_and_nobody_at_all_leave_nothing(cast):
    Client().get(reverse("accounts:people"))
    browser = Client()
    browser.force_login(cast.stranger)
    browser.get(reverse("connections:detail", args=["shop"]))
    assert refusals() == []


def test_votes_are_in_the_trail_with_their_address(cast):
    asked = send(with_token(token_of(cast.agent).text), WRITE).json()
    request = as_person(cast.reviewer).get(f"approvals/{asked['approval']['id']}").json()
    answer = as_person(cast.reviewer).post(
        f"approvals/{request['id']}/votes", {"choice": "approve", "digest": request["digest"]}
    )
    assert answer.status_code == 201
    entry = AuditEntry.objects.get(action="vote-cast")
    assert entry.after == {"choice": "approve", "grant_minutes": None}
    assert entry.object_id == request["id"]
    assert entry.address == "127.0.0.1"


def test_an_admin_learns_that_duties_stay_apart_until_they_are_filled(cast):
    from accounts.models import RoleGrant

    browser = Client()
    browser.force_login(cast.admin)
    assert "Duties stay apart" not in browser.get("/").content.decode()
    RoleGrant.objects.exclude(user=cast.admin).delete()
    page = browser.get("/").content.decode()
    assert "There is no reviewer and no auditor yet" in page
    browser.force_login(cast.stranger)
    assert "Duties stay apart" not in browser.get("/").content.decode()

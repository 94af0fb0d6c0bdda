"""How long a browser stays signed in: hours at most, and half an hour that nobody uses it."""

import time
from datetime import timedelta

import pytest
from django.contrib.auth import get_user
from django.test import Client
from django.utils import timezone

from accounts.console import ACTIVE_AT, BY_HAND, is_signed_in
from accounts.models import SignIn
from accounts.principal import Role
from recordings.models import AuditEntry
from tests import factories
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db
PAGE = {"Accept": "text/html"}
HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/approvals/?state=pending"}


@pytest.fixture
def nina():
    return factories.person("nina", Role.DEVELOPER)


@pytest.fixture
def client(nina):
    """Nina's browser, signed in by the form."""
    client = Client()
    answer = client.post("/sign-in/", {"name": "nina", "password": PASSWORD})
    assert answer.status_code == 303
    return client


def left_alone(client, minutes):
    """So long ago she did something."""
    session = client.session
    session[ACTIVE_AT] = int(time.time()) - int(minutes * 60)
    session.save()
    then = timezone.now() - timedelta(minutes=minutes)
    SignIn.objects.filter(session_key=session.session_key).update(active_at=then)


def idle(client):
    return (time.time() - client.session[ACTIVE_AT]) / 60


def signed_in(client):
    request = type("Request", (), {"session": client.session})()
    return get_user(request).is_authenticated


def test_a_browser_that_nobody_used_is_signed_out(client):
    left_alone(client, 31)
    answer = client.get("/agents/?owner=me")
    assert answer.status_code == 303
    assert answer["Location"] == "/sign-in/?ended=idle&next=%2Fagents%2F%3Fowner%3Dme"
    assert answer["Clear-Site-Data"] == '"cache"'
    assert not signed_in(client)
    assert not SignIn.objects.open().exists()
    entry = AuditEntry.objects.latest("number")
    assert (entry.action, entry.after) == ("sign-out", {"by": "inactivity"})
    assert "Nobody used this browser" in client.get(answer["Location"]).content.decode()


def test_one_that_is_used_goes_on(client):
    left_alone(client, 29)
    assert client.get("/agents/", headers=PAGE).status_code == 200
    assert idle(client) < 1
    assert SignIn.objects.get().active_at > timezone.now() - timedelta(minutes=1)


@pytest.mark.parametrize(
    ("headers", "counts"),
    [
        ({"Accept": "text/html"}, True),
        ({"Sec-Fetch-Mode": "navigate", "Sec-Fetch-User": "?1"}, True),
        # A page that loads itself anew, a script, an image.
        ({"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}, False),
        ({"Sec-Fetch-Mode": "cors", "Sec-Fetch-User": "?1"}, False),
        ({"Accept": "*/*"}, False),
        # A part that refetches itself, and one that somebody asked for.
        (HTMX, False),
        ({**HTMX, BY_HAND: "1"}, True),
    ],
)
def test_only_what_a_person_does_counts(client, headers, counts):
    left_alone(client, 20)
    assert client.get("/approvals/", headers=headers).status_code == 200
    assert (idle(client) < 1) is counts


def test_a_form_counts_and_a_late_one_does_nothing(client, nina):
    left_alone(client, 20)
    client.post("/sign-out-nowhere/", {})
    assert idle(client) < 1
    left_alone(client, 31)
    form = {"name": "made", "description": ""}
    answer = client.post("/agents/new/", form)
    assert answer["Location"] == "/sign-in/?ended=idle"
    assert not nina.agents.exists()


def test_a_part_leads_the_page_to_the_sign_in(client):
    left_alone(client, 31)
    answer = client.get("/approvals/", headers=HTMX)
    assert answer.status_code == 401
    assert answer["HX-Redirect"] == ("/sign-in/?ended=idle&next=%2Fapprovals%2F%3Fstate%3Dpending")


def test_the_api_answers_in_its_own_words(client):
    left_alone(client, 31)
    answer = client.get("/api/v1/connections")
    assert (answer.status_code, answer.json()["code"]) == (401, "not-authenticated")


def test_a_socket_or_a_waiting_call_does_not_keep_it(client):
    key = client.session.session_key
    left_alone(client, 29)
    assert is_signed_in(key)
    assert idle(client) > 28
    left_alone(client, 31)
    assert not is_signed_in(key)
    assert not is_signed_in("no-such-session")


def test_it_can_be_switched_off(client, settings):
    settings.CONSOLE_IDLE_MINUTES = 0
    left_alone(client, 600)
    assert client.get("/agents/").status_code == 200
    assert is_signed_in(client.session.session_key)


def test_hours_after_the_sign_in_it_ends_however_much_it_is_used(client, settings):
    ends = client.session.get_expiry_date()
    hours = (ends - timezone.now()) / timedelta(hours=1)
    assert hours == pytest.approx(12, abs=0.01)
    left_alone(client, 5)
    assert client.get("/agents/", headers=PAGE).status_code == 200
    assert idle(client) < 1, "the session was written"
    assert client.session.get_expiry_date() == ends
    session = client.session
    session.set_expiry(timezone.now() - timedelta(seconds=1))
    session.save()
    assert client.get("/agents/").status_code == 302


def test_signing_out_has_the_browser_forget(client):
    answer = client.post("/sign-out/")
    assert answer["Clear-Site-Data"] == '"cache"'
    assert "Clear-Site-Data" not in Client().get("/sign-in/")

"""The provider is asked again, unseen, whether its session still lasts."""

import time
from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client

from accounts.models import SignIn, User
from accounts.oidc import provider
from accounts.oidc.renewal import GRACE_SECONDS, RENEWED_AT
from hoopweb.local.ports import free_port
from recordings.models import AuditEntry
from tests import factories

pytestmark = pytest.mark.django_db

PAGE = {"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}
FETCH = {"Sec-Fetch-Mode": "cors", "Accept": "*/*"}
HTMX = {**FETCH, "HX-Request": "true"}


@pytest.fixture
def nora(client, issuer, enter):
    """Signed in by the provider just now."""
    factories.team("analysts")
    assert enter("nora").status_code == 302
    return User.objects.get(username="nora")


@pytest.fixture
def later(client, settings):
    """``later(60)``: a minute after the provider should have been asked."""

    def moved(seconds):
        session = client.session
        session[RENEWED_AT] = time.time() - settings.OIDC_RENEW_MINUTES * 60 - seconds
        session.save()

    return moved


def test_nothing_is_asked_before_the_time(client, nora):
    assert client.get("/profile/", headers=PAGE).status_code == 200
    assert client.get("/profile/", headers=HTMX).status_code == 200


def test_a_page_goes_by_the_provider_and_comes_back(client, nora, browser, later):
    later(1)
    keys = SignIn.objects.values_list("session_key", "ended_at")
    before = list(keys)
    asked = client.get("/profile/?a=1", headers=PAGE)
    assert asked.status_code == 302
    query = parse_qs(urlsplit(asked["Location"]).query)
    assert query["prompt"] == ["none"]
    assert query["code_challenge_method"] == ["S256"]
    back = client.get(browser.walk(asked["Location"]))
    assert (back.status_code, back["Location"]) == (302, "/profile/?a=1")
    assert client.get("/profile/", headers=PAGE).status_code == 200
    # The same session went on: forms in other tabs stay good, and nobody signed in anew.
    assert list(keys) == before
    assert AuditEntry.objects.filter(action="sign-in").count() == 1


def test_two_tabs_come_back_each_to_its_own_page(client, nora, browser, later):
    later(1)
    first = client.get("/profile/", headers=PAGE)["Location"]
    second = client.get("/agents/", headers=PAGE)["Location"]
    assert client.get(browser.walk(first))["Location"] == "/profile/"
    assert client.get(browser.walk(second))["Location"] == "/agents/"


def test_groups_are_read_again(client, nora, browser, later):
    factories.team("everybody")
    later(1)
    client.get(browser.walk(client.get("/profile/", headers=PAGE)["Location"]))
    nora.forget_access()
    assert nora.team_slugs == {"analysts", "everybody"}


def test_when_the_providers_session_is_over_so_is_this_one(client, nora, later):
    later(1)
    asked = client.get("/agents/", headers=PAGE)["Location"]
    # Without the provider's cookie: it would have to ask for a name.
    from tests.accounts.oidc.conftest import Browser

    answer = client.get(Browser().walk(asked))
    assert answer.status_code == 302
    assert answer["Location"] == "/sign-in/?ended=1&next=%2Fagents%2F"
    assert "ended" in client.get(answer["Location"]).content.decode()
    assert client.get("/profile/").status_code == 302
    assert SignIn.objects.get().ended_at is not None
    entry = AuditEntry.objects.filter(action="sign-out").get()
    assert entry.after == {"by": "provider's session over"}


def test_nobody_is_signed_out_by_an_address_that_somebody_sends(client, nora, later):
    later(1)
    client.get("/profile/", headers=PAGE)
    assert client.get("/oidc/callback/?error=login_required&state=x").status_code == 400
    later(-60)
    assert client.get("/profile/").status_code == 200


@pytest.mark.parametrize("headers", [HTMX, FETCH])
def test_what_a_page_fetches_is_served_a_little_longer(client, nora, later, headers):
    later(GRACE_SECONDS - 30)
    assert client.get("/profile/", headers=headers).status_code == 200


def test_htmx_is_told_to_load_the_page_anew(client, nora, later):
    later(GRACE_SECONDS + 1)
    for answer in (
        client.get("/profile/", headers=HTMX),
        client.post("/settings/teams/new/", headers=HTMX),
        client.get("/profile/", headers={**HTMX, "HX-Boosted": "true"}),
    ):
        assert answer.status_code == 401
        assert answer["HX-Refresh"] == "true"
        assert "Location" not in answer


def test_the_api_says_it_in_its_own_form(client, nora, later):
    later(GRACE_SECONDS + 1)
    answer = client.get("/api/v1/connections", headers=FETCH)
    assert answer.status_code == 401
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["code"] == "not-authenticated"


def test_a_form_is_not_sent_into_nothing(client, nora, later):
    later(GRACE_SECONDS + 1)
    sent = {**PAGE, "Referer": "http://testserver/profile/"}
    answer = client.post("/profile/password/", {"old": "x"}, headers=sent)
    assert answer.status_code == 401
    shown = answer.content.decode()
    assert "Nothing was done" in shown
    assert 'href="http://testserver/profile/"' in shown
    elsewhere = client.post("/profile/password/", headers={**PAGE, "Referer": "https://evil.test"})
    assert "evil.test" not in elsewhere.content.decode()


def test_signing_out_waits_for_nothing(client, nora, later):
    later(GRACE_SECONDS + 1)
    assert client.post("/sign-out/", headers=PAGE).status_code == 200


def test_local_accounts_have_no_provider_to_ask(client, issuer):
    factories.person("olga")
    client.post("/sign-in/", {"name": "olga", "password": factories.PASSWORD})
    session = client.session
    session[RENEWED_AT] = 0
    session.save()
    assert client.get("/profile/", headers=PAGE).status_code == 200


def test_it_can_be_switched_off(client, nora, later, settings):
    later(GRACE_SECONDS + 1)
    settings.OIDC_RENEW_MINUTES = 0
    assert client.get("/profile/", headers=PAGE).status_code == 200


def test_a_provider_that_is_away_is_said(client, nora, later, settings):
    later(GRACE_SECONDS + 1)
    settings.OIDC_ISSUER = f"http://127.0.0.1:{free_port()}"
    provider.forget()
    assert client.get("/profile/", headers=PAGE).status_code == 503


def test_somebody_else_at_the_provider_is_somebody_else_here(client, nora, later):
    from tests.accounts.oidc.conftest import Browser

    other = Browser()
    elsewhere = Client()
    other.walk(elsewhere.get("/oidc/authenticate/")["Location"], login="dora", password="any")
    later(1)
    asked = client.get("/profile/", headers=PAGE)["Location"]
    client.get(other.walk(asked))
    assert "Dora" in client.get("/profile/", headers=PAGE).content.decode()
    assert AuditEntry.objects.filter(action="sign-in").count() == 2

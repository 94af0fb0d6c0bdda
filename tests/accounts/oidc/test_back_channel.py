"""The provider says that a session is over, and the console session is, at once."""

import time
from datetime import timedelta

import jwt
import pytest
import requests
from django.test import Client

from accounts import attempts
from accounts.models import SignIn, User
from accounts.oidc import provider
from accounts.services import Vouched, keep_sign_in
from recordings.models import AuditEntry
from tests import factories
from tests.accounts.oidc.conftest import Browser, running_provider
from tests.accounts.oidc.test_id_token import (
    CLIENT,
    EC_KEY,
    ISSUER,
    KEYS,
    OTHER_RSA_KEY,
    RSA_KEY,
)

PATH = "/oidc/backchannel-logout/"
EVENT = "http://schemas.openid.net/event/backchannel-logout"


@pytest.fixture
def here(db, settings, monkeypatch):
    """This installation's provider, whose keys are the test's own."""
    settings.OIDC_ISSUER = ISSUER
    settings.OIDC_CLIENT_ID = CLIENT
    monkeypatch.setattr(provider, "keys", lambda **_: KEYS)


def signed_in(user, *, subject, session, issuer=ISSUER):
    """A browser in which the provider vouched for ``user``."""
    client = Client()
    client.force_login(user)

    class Request:
        META = {"REMOTE_ADDR": "10.0.0.1"}
        headers = {}

    Request.session = client.session
    keep_sign_in(request=Request, user=user, vouched=Vouched("provider", issuer, subject, session))
    return client


def claims(**changed):
    now = int(time.time())
    told = {
        "iss": ISSUER,
        "aud": CLIENT,
        "iat": now,
        "exp": now + 120,
        "jti": "one",
        "events": {EVENT: {}},
        "sub": "nora",
        **changed,
    }
    return {
        name: now + int(value.total_seconds()) if isinstance(value, timedelta) else value
        for name, value in told.items()
        if value is not None
    }


def token(body=None, *, key=RSA_KEY, algorithm="RS256", kid="r1", typ="logout+jwt"):
    return jwt.encode(body or claims(), key, algorithm, headers={"kid": kid, "typ": typ})


def tell(text):
    return Client(enforce_csrf_checks=True).post(PATH, {"logout_token": text})


def is_in(client):
    return client.get("/profile/").status_code == 200


def test_a_session_ends_by_its_name(here):
    nora = factories.person("nora")
    one, other = (signed_in(nora, subject="nora", session=name) for name in ("s1", "s2"))
    assert is_in(one)
    assert is_in(other)
    answer = tell(token(claims(sub=None, sid="s1")))
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    assert not is_in(one)
    assert is_in(other)
    entry = AuditEntry.objects.filter(action="sign-out").order_by("-number").first()
    assert entry.after == {"by": "logout token", "issuer": ISSUER, "console_sessions_ended": 1}
    assert entry.object_id == str(nora.pk)


def test_all_sessions_of_a_subject_end_and_nobody_elses(here):
    nora, olga = factories.person("nora"), factories.person("olga")
    mine = [signed_in(nora, subject="nora", session=name) for name in ("s1", "s2")]
    local = Client()
    local.post("/sign-in/", {"name": "nora", "password": factories.PASSWORD})
    others = [
        local,
        signed_in(olga, subject="olga", session="s1"),
        signed_in(nora, subject="nora", session="s1", issuer="https://other.example.com"),
    ]
    assert tell(token()).status_code == 200
    assert [is_in(client) for client in mine] == [False, False]
    assert [is_in(client) for client in others] == [True, True, True]


def test_one_session_of_a_subject_ends_when_both_are_named(here):
    nora = factories.person("nora")
    one, other = (signed_in(nora, subject="nora", session=name) for name in ("s1", "s2"))
    assert tell(token(claims(sid="s1"))).status_code == 200
    assert (is_in(one), is_in(other)) == (False, True)


def test_nobody_signed_in_is_no_fault(here):
    assert tell(token()).status_code == 200


@pytest.mark.parametrize(
    ("changed", "why"),
    [
        ({"aud": "another"}, "wrong_audience"),
        ({"iss": "https://evil.example.com"}, "wrong_issuer"),
        ({"exp": timedelta(minutes=-1)}, "expired_token"),
        ({"exp": None}, "incomplete_token"),
        ({"exp": timedelta(hours=2)}, "lives_too_long"),
        ({"iat": timedelta(minutes=5)}, "token_not_yet_valid"),
        ({"iat": None}, "incomplete_token"),
        ({"jti": None}, "incomplete_token"),
        ({"jti": ""}, "incomplete_token"),
        ({"events": None}, "incomplete_token"),
        ({"events": {}}, "wrong_event"),
        ({"events": EVENT}, "wrong_event"),
        ({"events": {"http://schemas.openid.net/event/other": {}}}, "wrong_event"),
        ({"nonce": "n"}, "unexpected_nonce"),
        ({"sub": None}, "nobody_named"),
        ({"sid": ["s1"]}, "incomplete_token"),
    ],
)
def test_a_token_that_does_not_hold_ends_nothing(here, changed, why):
    nora = signed_in(factories.person("nora"), subject="nora", session="s1")
    answer = tell(token(claims(**changed)))
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_request"
    entry = AuditEntry.objects.order_by("-number").first()
    assert entry.after == {"why": why, "by": "logout token"}
    assert is_in(nora)


@pytest.mark.parametrize(
    ("made", "why"),
    [
        (lambda: token(key=OTHER_RSA_KEY), "wrong_signature"),
        (lambda: token(key=EC_KEY, algorithm="ES256", kid="unknown"), "unknown_key"),
        (lambda: jwt.encode(claims(), None, "none"), "wrong_algorithm"),
        (lambda: jwt.encode(claims(), "x" * 32, "HS256", {"kid": "r1"}), "wrong_algorithm"),
        (lambda: token(typ="at+jwt"), "wrong_type"),
        (lambda: "no token", "unreadable_token"),
        (lambda: "", "unreadable_token"),
    ],
)
def test_what_the_provider_did_not_sign_so_is_refused(here, made, why):
    assert tell(made()).status_code == 400
    assert AuditEntry.objects.order_by("-number").first().after["why"] == why


def test_a_token_is_taken_once(here):
    sent = token()
    assert tell(sent).status_code == 200
    later = signed_in(factories.person("nora"), subject="nora", session="s1")
    assert tell(sent).status_code == 400
    assert is_in(later)


def test_too_many_tokens_that_do_not_hold_are_not_looked_at(here):
    for _ in range(attempts.PER_ADDRESS_OF_ANSWERS):
        assert tell("no token").status_code == 400
    assert tell(token()).status_code == 429
    # Signing in by a form is counted apart.
    factories.person("nora")
    answer = Client().post("/sign-in/", {"name": "nora", "password": factories.PASSWORD})
    assert answer.status_code == 303


def test_nothing_is_there_without_a_provider(db, settings):
    assert tell(token()).status_code == 404
    assert Client().get(PATH).status_code == 404


def test_a_form_of_another_kind_is_not_taken(here):
    assert Client().get(PATH).status_code == 405


@pytest.mark.django_db(transaction=True)
def test_signing_out_at_the_provider_signs_out_here(
    live_server, provider_modules, configure, tmp_path
):
    factories.team("analysts")
    site = live_server.url
    uri = {"backchannel_logout_uri": site + PATH, "backchannel_logout_session_required": True}
    with running_provider(provider_modules, tmp_path, site, **uri) as issuer:
        configure(issuer)
        # One at her desk, one at her laptop: the provider ends the first session only.
        desk, laptop = (_walk_in(site) for _ in range(2))
        assert SignIn.objects.exclude(provider_session="").count() == 2
        end = desk.session.get(f"{issuer}/session/end", timeout=10)
        assert desk.submit(end, logout="yes").ok
        assert not _is_in(desk)
        assert _is_in(laptop)
    nora = User.objects.get(username="nora")
    entry = AuditEntry.objects.filter(action="sign-out").get()
    assert (entry.object_id, entry.after["by"]) == (str(nora.pk), "logout token")


def _walk_in(site):
    browser = Browser(site)
    start = browser.session.get(f"{site}/oidc/authenticate/", allow_redirects=False, timeout=10)
    back = browser.walk(start.headers["Location"], login="nora", password="any")
    assert browser.session.get(back, timeout=10).ok
    return browser


def _is_in(browser):
    answer = browser.session.get(f"{browser.site}/profile/", allow_redirects=False, timeout=10)
    return answer.status_code == requests.codes.ok

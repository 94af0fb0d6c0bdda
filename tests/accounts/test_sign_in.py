"""Into the console: who gets in, who waits, where one lands, and what is written down."""

from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import attempts, services
from accounts.models import SignIn, SignInAttempt, User
from accounts.principal import Role
from recordings.models import AuditEntry
from tests import factories
from tests.factories import PASSWORD

pytestmark = pytest.mark.django_db

SIGN_IN = "/sign-in/"


@pytest.fixture
def nina() -> User:
    return factories.person("nina", Role.DEVELOPER)


def enter(client: Client, name: str = "nina", password: str = PASSWORD, **kw):
    address = kw.pop("address", "10.0.0.1")
    return client.post(SIGN_IN, {"name": name, "password": password, **kw}, REMOTE_ADDR=address)


@pytest.mark.parametrize("name", ["nina", "NINA", " nina ", "nina@hoopweb.example"])
def test_by_user_name_or_e_mail(client, nina, name):
    answer = enter(client, name)
    assert (answer.status_code, answer["Location"]) == (303, "/")
    assert client.get(reverse("accounts:profile")).status_code == 200
    assert AuditEntry.objects.get().action == "sign-in"
    assert SignIn.objects.get().address == "10.0.0.1"


@pytest.mark.parametrize(
    ("name", "password"),
    [("nina", "hunter2"), ("nobody", PASSWORD), ("nina", PASSWORD + " "), ("nina\u200b", PASSWORD)],
)
def test_a_refusal_tells_a_wrong_name_from_a_wrong_password_to_nobody(client, nina, name, password):
    right = enter(client, "nina", "x").content.decode()
    answer = enter(client, name, password)
    assert answer.status_code == 422
    shown = answer.content.decode()
    assert "do not belong together" in shown
    assert "do not belong together" in right
    assert PASSWORD not in shown
    entry = AuditEntry.objects.order_by("-number").first()
    assert entry.action == "sign-in-refused"
    assert password not in str(entry.after)


def test_a_disabled_person_stays_out(client, nina):
    services.disable_user(user=nina, by=None)
    assert enter(client).status_code == 422


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"name": "nina"},
        {"name": "\0", "password": "x"},
        {"name": "x" * 201, "password": "x"},
        {"name": "nina", "password": "x" * 257},
    ],
)
def test_a_form_that_is_not_filled_in(client, nina, data):
    assert client.post(SIGN_IN, data).status_code == 422


@pytest.mark.parametrize(
    ("wanted", "lands"),
    [
        ("/sessions/?q=1", "/sessions/?q=1"),
        ("http://testserver/agents/", "http://testserver/agents/"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
        ("http:///evil.example", "/"),
        ("\thttps://evil.example", "/"),
        ("", "/"),
    ],
)
def test_next_leads_nowhere_else(client, nina, wanted, lands):
    assert enter(client, next=wanted)["Location"] == lands
    assert client.get(SIGN_IN, {"next": wanted})["Location"] == lands, "when signed in already"


def test_the_page_asked_for_is_remembered(client, nina):
    answer = client.get("/agents/")
    assert answer["Location"] == f"{SIGN_IN}?next=/agents/"
    assert b'value="/agents/"' in client.get(answer["Location"]).content


def test_five_tries_and_then_a_wait(client, nina):
    for _ in range(attempts.PER_PAIR):
        assert enter(client, password="x").status_code == 422
    answer = enter(client)
    assert answer.status_code == 429, "the right password does not help either"
    assert answer["Retry-After"] == "900"
    assert enter(Client(), address="10.0.0.2").status_code == 303, "a colleague is not locked out"
    SignInAttempt.objects.update(at=timezone.now() - timedelta(minutes=16))
    assert enter(client).status_code == 303


def test_the_wait_has_an_end_however_often_one_tries(client, nina):
    for _ in range(attempts.PER_PAIR + 20):
        enter(client, password="x")
    assert SignInAttempt.objects.count() == attempts.PER_PAIR


def test_one_address_cannot_try_many_names(client, nina):
    for n in range(attempts.PER_ADDRESS):
        assert enter(client, f"name{n}", "x").status_code == 422
    assert enter(client).status_code == 429


def test_many_addresses_cannot_try_one_name(nina):
    for n in range(attempts.PER_NAME):
        assert enter(Client(), password="x", address=f"10.1.0.{n}").status_code == 422
    assert enter(Client(), address="10.2.0.1").status_code == 429


def test_names_typed_at_sign_in_are_not_kept(client):
    enter(client, "my-password-in-the-wrong-field", "x")
    assert "my-password" not in str(SignInAttempt.objects.values())
    assert "my-password" not in str(AuditEntry.objects.values())


def test_without_local_accounts_there_is_no_form_and_no_way_round_it(client, nina, settings):
    settings.LOCAL_ACCOUNTS = False
    page = client.get(SIGN_IN)
    assert b'name="password"' not in page.content
    assert b"OIDC_ISSUER" in page.content
    assert b"local account" not in page.content
    refused = enter(client)
    assert (refused.status_code, refused["Allow"]) == (405, "GET, HEAD")
    assert not SignIn.objects.exists()
    assert client.get("/sign-in/local-accounts/").status_code == 404
    client.force_login(nina)
    assert client.get("/profile/password/").status_code == 404
    assert client.post("/profile/password/").status_code == 404


def test_a_page_says_why_production_should_not_use_local_accounts(client, db):
    assert b'href="/sign-in/local-accounts/"' in client.get(SIGN_IN).content
    shown = client.get("/sign-in/local-accounts/").content.decode()
    assert "second factor" in shown
    assert "LOCAL_ACCOUNTS=0" in shown


def test_passwords_are_kept_by_scrypt():
    """Tests hash in a hurry; the product does not."""
    from hoopweb import settings as product

    assert product.PASSWORD_HASHERS == ["django.contrib.auth.hashers.ScryptPasswordHasher"]


def test_the_page_offers_what_is_set_up(client, db, settings):
    settings.OIDC_ISSUER = "https://id.example.com"
    assert b"Sign in with your provider" in client.get(SIGN_IN).content
    settings.SAML_IDP_ENTITY_ID = "https://id.example.com"
    both = client.get(f"{SIGN_IN}?next=/agents/").content.decode()
    assert 'href="/oidc/authenticate/?next=/agents/"' in both
    assert 'href="/saml/start/?next=/agents/"' in both
    assert 'name="password"' in both
    settings.LOCAL_ACCOUNTS = False
    only = client.get(SIGN_IN).content.decode()
    assert 'name="password"' not in only
    assert "/saml/start/" in only


def test_signing_out(client, nina):
    enter(client)
    assert client.get("/sign-out/").status_code == 405
    answer = client.post("/sign-out/")
    assert answer.status_code == 303
    assert b"You are signed out" in client.get(answer["Location"]).content
    assert client.get("/profile/").status_code == 302
    assert list(AuditEntry.objects.values_list("action", flat=True)) == ["sign-out", "sign-in"]


def test_forged_posts_are_refused(nina):
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(SIGN_IN, {"name": "nina", "password": PASSWORD}).status_code == 403
    strict.force_login(nina)
    assert strict.post("/sign-out/").status_code == 403


def test_disabling_a_person_ends_their_browsers_at_once(client, nina):
    enter(client)
    services.disable_user(user=nina, by=None)
    assert client.get("/profile/").status_code == 302
    assert SignIn.objects.get().ended_at


def test_another_browser_is_signed_out_from_the_profile(client, nina):
    other = Client()
    enter(client)
    enter(other)
    there = SignIn.objects.order_by("at").last()
    stranger = Client()
    stranger.force_login(factories.person("stan"))
    assert stranger.post(f"/profile/browsers/{there.pk}/end/").status_code == 404
    assert client.post(f"/profile/browsers/{there.pk}/end/").status_code == 302
    assert other.get("/profile/").status_code == 302
    assert client.get("/profile/").status_code == 200


def test_a_new_password_ends_the_other_browsers(client, nina):
    other = Client()
    enter(client)
    enter(other)
    new = "an altogether different phrase"
    wrong = {"old": "x", "new": new, "again": new}
    assert client.post("/profile/password/", wrong).status_code == 422
    common = {"old": PASSWORD, "new": "password1234", "again": "password1234"}
    assert client.post("/profile/password/", common).status_code == 422
    differs = {"old": PASSWORD, "new": new, "again": new + "!"}
    assert client.post("/profile/password/", differs).status_code == 422
    answer = client.post("/profile/password/", {"old": PASSWORD, "new": new, "again": new})
    assert answer.status_code == 302, answer.content
    assert client.get("/profile/").status_code == 200
    assert other.get("/profile/").status_code == 302
    assert enter(Client(), password=new).status_code == 303
    assert SignIn.objects.open().count() == 2

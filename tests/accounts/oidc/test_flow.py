"""In by a real provider, refused by name, and out again at both."""

from urllib.parse import parse_qs, urlsplit

import pytest
from django.test import Client
from django.utils.html import escape

from accounts import services
from accounts.models import Identity, SignIn, User
from accounts.oidc import provider
from accounts.principal import Role
from hoopweb.local.ports import free_port
from recordings.models import AuditEntry
from tests import factories
from tests.accounts.oidc.conftest import SITE

pytestmark = pytest.mark.django_db


@pytest.fixture
def analysts():
    return factories.team("analysts")


def last_entry(action):
    return AuditEntry.objects.filter(action=action).order_by("-number").first()


def test_nothing_is_there_without_a_provider(client):
    assert client.get("/oidc/authenticate/").status_code == 404
    assert client.get("/oidc/callback/?code=1&state=1").status_code == 404


def test_the_request_carries_state_nonce_and_a_challenge(client, issuer):
    assert b"/oidc/authenticate/" in client.get("/sign-in/").content
    asked = parse_qs(urlsplit(client.get("/oidc/authenticate/")["Location"]).query)
    assert asked["code_challenge_method"] == ["S256"]
    assert len(asked["code_challenge"][0]) == 43
    assert len(asked["state"][0]) >= 32
    assert len(asked["nonce"][0]) >= 32
    assert asked["scope"] == ["openid email profile groups"]
    assert asked["redirect_uri"] == [f"{SITE}/oidc/callback/"]


def test_sign_in_makes_the_account_in_the_teams_of_its_groups(client, issuer, analysts, enter):
    services.grant_role(role=Role.REVIEWER, team=analysts, by=None)
    answer = enter("nora", "/oidc/authenticate/?next=/profile/")
    assert (answer.status_code, answer["Location"]) == (302, "/profile/")
    assert client.get("/profile/").status_code == 200
    nora = Identity.objects.get(issuer=issuer, subject="nora").user
    assert (nora.username, nora.name, nora.email) == ("nora", "Nora", "nora@company.example")
    assert not nora.has_usable_password()
    assert nora.team_slugs == {"analysts"}
    assert nora.reviews.everywhere
    assert SignIn.objects.get(user=nora).session_key == client.session.session_key
    entry = last_entry("sign-in")
    assert entry.actor_id == nora.pk
    assert entry.after == {"by": "provider", "issuer": issuer, "teams": ["analysts"]}


def test_teams_follow_the_groups_at_each_sign_in(client, issuer, analysts, enter):
    enter("nora")
    nora = User.objects.get(username="nora")
    services.set_teams(user=nora, teams=[factories.team("by-hand")], by=None)
    factories.team("everybody")
    enter("nora")
    nora.forget_access()
    assert nora.team_slugs == {"analysts", "everybody"}
    assert Identity.objects.count() == User.objects.count() == 1


def test_without_a_mapped_group_one_page_says_whom_to_ask(client, issuer, analysts, enter):
    answer = enter("stan")
    shown = answer.content.decode()
    assert answer.status_code == 403
    assert "Ask an admin" in shown
    assert "strangers" in shown
    assert escape("<b>bold</b>") in shown
    assert not User.objects.exists()
    entry = last_entry("sign-in-refused")
    assert entry.after["why"] == "no_team"
    assert entry.after["groups"] == ["strangers", "<b>bold</b>"]
    assert client.get("/profile/").status_code == 302


def test_the_page_names_whom_the_operator_has_named(client, issuer, analysts, enter, settings):
    settings.ACCESS_CONTACT = "data-team@company.example"
    shown = enter("stan").content.decode()
    assert "Ask data-team@company.example to give" in shown
    assert 'href="mailto:data-team@company.example"' in shown


def test_without_any_group_the_page_says_so(client, issuer, enter):
    answer = enter("lone")
    assert answer.status_code == 403
    assert "named no groups" in answer.content.decode()


def test_who_left_the_last_group_leaves_every_browser(client, issuer, analysts, enter):
    enter("nora")
    nora = User.objects.get()
    elsewhere = Client()
    elsewhere.cookies = client.cookies.copy()
    client.cookies.clear()
    assert elsewhere.get("/profile/").status_code == 200
    analysts.delete()
    assert enter("nora").status_code == 403
    assert elsewhere.get("/profile/").status_code == 302
    assert not nora.teams.exists()


def test_who_left_the_last_group_leaves_this_browser_too(client, issuer, analysts, enter):
    enter("nora")
    analysts.delete()
    assert enter("nora").status_code == 403
    assert client.get("/profile/").status_code == 302


def test_a_disabled_person_stays_out(client, issuer, analysts, enter):
    enter("dora")
    dora = User.objects.get()
    services.disable_user(user=dora, by=None)
    assert client.get("/profile/").status_code == 302
    answer = enter("dora")
    assert answer.status_code == 403
    assert "disabled" in answer.content.decode()
    entry = last_entry("sign-in-refused")
    assert (entry.after["why"], entry.object_id) == ("disabled", str(dora.pk))
    assert client.get("/profile/").status_code == 302


def test_disabling_cuts_a_session_that_the_backend_would_restore(client, issuer, analysts, enter):
    enter("dora")
    # Not through the service, which also ends the browser's session.
    User.objects.update(is_active=False)
    assert client.get("/profile/").status_code == 302


def test_a_local_account_is_not_taken_over_by_its_name(client, issuer, analysts, enter):
    olga = factories.person("olga", Role.ADMIN)
    answer = enter("olga")
    assert answer.status_code == 409
    assert last_entry("sign-in-refused").after["why"] == "name_taken"
    assert list(User.objects.all()) == [olga]
    assert not Identity.objects.exists()


def test_local_accounts_still_sign_in_beside_the_provider(client, issuer):
    factories.person("olga")
    wrong = client.post("/sign-in/?code=1&state=1", {"name": "olga", "password": "wrong"})
    assert wrong.status_code == 422
    right = client.post("/sign-in/", {"name": "olga", "password": factories.PASSWORD})
    assert right.status_code == 303
    out = client.post("/sign-out/")
    assert (out.status_code, out["Location"]) == (303, "/sign-in/?signed-out=1")


def test_a_wrong_state_is_refused(client, issuer, analysts, come_back):
    url = come_back("nora")
    state = parse_qs(urlsplit(url).query)["state"][0]
    assert client.get(url.replace(state, "x" * 32)).status_code == 400
    assert last_entry("sign-in-refused").after["why"] == "wrong_state"
    # Another browser, to which somebody sends this address.
    assert Client().get(url).status_code == 400
    assert not User.objects.exists()


def test_an_answer_is_taken_once(client, issuer, analysts, come_back):
    url = come_back("nora")
    assert client.get(url).status_code == 302
    assert client.get(url).status_code == 400


def test_an_answer_of_another_issuer_is_refused(client, issuer, analysts, come_back):
    url = come_back("nora")
    assert "iss=" in url
    other = url.partition("iss=")[0] + "iss=https://id.example.com"
    assert client.get(other).status_code == 400
    assert last_entry("sign-in-refused").after["why"] == "wrong_issuer"


@pytest.mark.parametrize(
    ("field", "why"), [("nonce", "wrong_nonce"), ("code_verifier", "code_refused")]
)
@pytest.mark.usefixtures("issuer", "analysts")
def test_a_token_of_another_sign_in_is_refused(client, come_back, field, why):
    url = come_back("nora")
    session = client.session
    for kept in session["oidc_states"].values():
        kept[field] = "x" * 64
    session.save()
    assert client.get(url).status_code == 403
    assert last_entry("sign-in-refused").after["why"] == why
    assert not User.objects.exists()


def test_keys_that_the_provider_has_changed_are_asked_for_again(
    client, issuer, analysts, come_back
):
    url = come_back("nora")
    name = f"keys {provider.discovered().jwks_uri}"
    provider._kept[name] = (float("inf"), [{"kty": "RSA", "kid": "an old one"}])
    assert client.get(url).status_code == 302
    assert provider._kept[name][1] == provider.keys(fresh=True)


def test_what_the_provider_says_instead_is_shown(client, issuer):
    start = client.get("/oidc/authenticate/")
    state = parse_qs(urlsplit(start["Location"]).query)["state"][0]
    answer = client.get(f"/oidc/callback/?state={state}&error=access_denied")
    assert answer.status_code == 403
    assert "access_denied" in answer.content.decode()
    assert last_entry("sign-in-refused").after["why"] == "refused_by_provider"


def test_signing_out_ends_the_providers_session_too(client, browser, issuer, analysts, enter):
    enter("nora")
    nora = User.objects.get()
    stored = str(dict(client.session.items()))
    answer = client.post("/sign-out/")
    url = answer["Refresh"].partition("url=")[2]
    hint = parse_qs(urlsplit(url).query)["id_token_hint"][0]
    assert hint not in stored  # sealed
    assert client.get("/profile/").status_code == 302
    assert last_entry("sign-out").actor_id == nora.pk
    # The provider remembers her until she leaves there as well.
    again = Client().get("/oidc/authenticate/")["Location"]
    assert "code=" in browser.walk(again, login="nobody")
    assert browser.walk(url, logout="yes") == f"{SITE}/sign-in/?signed-out=1"
    left = browser.session.get(again, timeout=10)
    assert 'name="login"' in left.text


def test_an_unreachable_provider_is_one_page_and_no_trace(client, configure):
    configure(f"http://127.0.0.1:{free_port()}")
    answer = client.get("/oidc/authenticate/")
    assert answer.status_code == 503
    assert "does not answer" in answer.content.decode()
    # The rest of the console does not need it.
    assert client.get("/sign-in/").status_code == 200


def test_a_provider_that_calls_itself_otherwise_is_not_used(client, issuer, settings):
    settings.OIDC_ISSUER = f"{issuer}/"
    assert client.get("/oidc/authenticate/").status_code == 503


def test_signing_out_here_works_without_the_provider(client, issuer, analysts, enter, settings):
    enter("nora")
    settings.OIDC_ISSUER = f"http://127.0.0.1:{free_port()}"
    provider.forget()
    assert client.post("/sign-out/").status_code == 303
    assert client.get("/profile/").status_code == 302

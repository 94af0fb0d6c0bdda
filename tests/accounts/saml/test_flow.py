"""In by a real SAML provider, refused by name, and out again at both."""

from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
import requests
from django.test import Client

from accounts import services
from accounts.models import Identity, SamlSignIn, SignIn, User
from accounts.principal import Role
from recordings.models import AuditEntry
from tests import factories
from tests.accounts.saml.conftest import ENTITY_ID

pytestmark = pytest.mark.django_db


@pytest.fixture
def nora(ask, bring):
    """Signed in by the provider just now."""
    assert bring(ask("nora")).status_code == 302
    return User.objects.get(username="nora")


def last_entry(action):
    return AuditEntry.objects.filter(action=action).order_by("-number").first()


@pytest.mark.parametrize(
    "path",
    ["start/", "acs/", "logout/", "metadata/", "finish/00000000-0000-0000-0000-000000000000/"],
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_nothing_is_there_without_a_provider(client, path, method):
    assert getattr(client, method)(f"/saml/{path}").status_code == 404


def test_metadata_says_what_a_provider_has_to_know(client, place):
    answer = client.get("/saml/metadata/")
    assert answer["Content-Type"] == "application/samlmetadata+xml"
    shown = answer.content.decode()
    assert 'entityID="http://testserver/saml/metadata/"' in shown
    assert 'Location="http://testserver/saml/acs/"' in shown
    assert 'WantAssertionsSigned="true"' in shown
    assert 'AuthnRequestsSigned="true"' in shown
    assert "PRIVATE" not in shown


def test_the_request_is_signed_and_carries_nothing_that_tells(client, place):
    assert b"/saml/start/" in client.get("/sign-in/?next=/agents/").content
    start = client.get("/saml/start/?next=/agents/")
    query = parse_qs(urlsplit(start["Location"]).query)
    assert query["SigAlg"] == ["http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"]
    row = SamlSignIn.objects.get()
    assert query["RelayState"] == [str(row.pk)]
    assert row.target == "/agents/"


def test_an_address_begins_only_so_many_sign_ins_in_a_minute(client, place, monkeypatch):
    counts = {}

    def count(key, _window=None):
        counts[key] = counts.get(key, 0) + 1
        return counts[key]

    monkeypatch.setattr("hoopweb.lib.rate.count", count)
    monkeypatch.setattr("accounts.views.saml.STARTS_PER_MINUTE", 2)
    started = [client.get("/saml/start/").status_code for _ in range(3)]
    assert started == [302, 302, 429]
    refused = client.get("/saml/start/")
    assert refused["Retry-After"] == "60"
    assert "Wait a minute" in refused.content.decode()
    assert SamlSignIn.objects.count() == 2
    assert client.get("/saml/start/", REMOTE_ADDR="192.0.2.9").status_code == 302


def test_sign_in_makes_the_account_where_its_groups_put_it(client, analysts, ask, bring):
    services.grant_role(role=Role.REVIEWER, team=analysts, by=None)
    answer = bring(ask("nora", "/saml/start/?next=/profile/"))
    assert (answer.status_code, answer["Location"]) == (302, "/profile/")
    assert client.get("/profile/").status_code == 200
    nora = Identity.objects.get(issuer=ENTITY_ID, subject="nora").user
    assert (nora.username, nora.name, nora.email) == ("nora", "Nora", "nora@company.example")
    assert not nora.has_usable_password()
    assert nora.team_slugs == {"analysts"}
    assert nora.reviews.everywhere
    found = SignIn.objects.get(user=nora)
    assert (found.issuer, found.subject) == (ENTITY_ID, "nora")
    assert found.provider_session.startswith("s-nora-")
    entry = last_entry("sign-in")
    assert entry.after == {"by": "saml", "issuer": ENTITY_ID, "teams": ["analysts"]}
    # Nothing of it is kept on the way.
    assert not SamlSignIn.objects.exists()


@pytest.mark.parametrize("cipher", ["aes256-gcm", "aes128-cbc"])
def test_an_encrypted_assertion_is_opened(client, ask, bring, cipher):
    space = "2009/xmlenc11" if cipher.endswith("gcm") else "2001/04/xmlenc"
    answer = ask("nora", encrypt=f"http://www.w3.org/{space}#{cipher}")
    assert "nora" not in answer.xml
    assert bring(answer).status_code == 302
    assert client.get("/profile/").status_code == 200


def test_a_signed_message_around_a_signed_assertion_is_taken(client, ask, bring):
    assert bring(ask("nora", options={"signResponse": True})).status_code == 302


def test_what_is_kept_on_the_way_is_sealed(client, ask):
    answer = ask("nora")
    Client().post("/saml/acs/", {"SAMLResponse": answer.message, "RelayState": answer.relay_state})
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT answer FROM accounts_samlsignin")
        assert "nora" not in cursor.fetchone()[0]


def test_without_a_place_one_page_says_whom_to_ask(client, ask, bring):
    answer = bring(ask("stan"))
    assert answer.status_code == 403
    assert "strangers" in answer.content.decode()
    assert not User.objects.exists()
    assert last_entry("sign-in-refused").after["why"] == "no_team"


def test_a_disabled_person_stays_out(client, ask, bring):
    bring(ask("nora"))
    services.disable_user(user=User.objects.get(), by=None)
    assert client.get("/profile/").status_code == 302
    assert bring(ask("nora")).status_code == 403


def test_only_the_browser_that_began_is_let_in(client, ask):
    """Else somebody could have a colleague work under a name that is not theirs."""
    answer = ask("nora")
    posted = client.post(
        "/saml/acs/", {"SAMLResponse": answer.message, "RelayState": answer.relay_state}
    )
    victim = Client()
    assert victim.get(posted["Location"]).status_code == 400
    assert last_entry("sign-in-refused").after["why"] == "another_browser"
    assert victim.get("/profile/").status_code == 302
    # Whoever began is not hurt by that.
    assert client.get(posted["Location"]).status_code == 302
    assert client.get(posted["Location"]).status_code == 400


def test_the_session_ends_when_the_providers_word_does(client, ask, bring):
    bring(ask("nora"))
    assert client.session.get_expiry_age() > 3600


def test_signing_out_signs_out_at_the_provider_too(client, place, ask, bring):
    bring(ask("nora"))
    answer = client.post("/sign-out/")
    url = answer["Refresh"].partition("url=")[2]
    assert url.startswith(f"{place}/logout?SAMLRequest=")
    assert "Signature=" in url
    assert client.get("/profile/").status_code == 302
    said = requests.get(url, allow_redirects=False, timeout=10)
    assert said.status_code == 302, said.text
    back = said.headers["Location"]
    assert back.startswith("http://testserver/saml/logout/?SAMLResponse=")
    assert client.get(back)["Location"] == "/sign-in/?signed-out=1"


def test_signing_out_at_the_provider_signs_out_here(client, place, ask, bring):
    bring(ask("nora"))
    nora = User.objects.get()
    # Another browser of hers, of which this provider knows nothing.
    elsewhere = Client()
    elsewhere.force_login(nora)
    url = requests.get(f"{place}/logout", allow_redirects=False, timeout=10).headers["Location"]
    provider = Client()  # the browser sends no cookie of ours from there, and needs none
    answer = provider.get(url)
    assert answer.status_code == 302
    assert answer["Location"].startswith(f"{place}/logout?SAMLResponse=")
    assert "Signature=" in answer["Location"]
    assert client.get("/profile/").status_code == 302
    assert elsewhere.get("/profile/").status_code == 200
    assert last_entry("sign-out").after["by"] == "logout request"
    assert requests.get(answer["Location"], timeout=10).ok
    # Once.
    assert provider.get(url).status_code == 400


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda query: {k: v for k, v in query.items() if k != "Signature"}, "unsigned"),
        (lambda query: {**query, "RelayState": "another"}, "wrong_signature"),
        (
            lambda query: {
                **query,
                "SigAlg": "http://www.w3.org/2000/09/xmldsig#rsa-sha1",
            },
            "wrong_algorithm",
        ),
        (lambda query: {**query, "SAMLRequest": "x"}, "unreadable_message"),
    ],
)
def test_a_logout_request_that_does_not_hold_ends_nothing(client, place, nora, spoil, why):
    url = requests.get(f"{place}/logout", allow_redirects=False, timeout=10).headers["Location"]
    query = spoil(dict(parse_qsl(urlsplit(url).query)))
    assert Client().get("/saml/logout/", query).status_code == 400
    assert last_entry("sign-in-refused").after["why"] == why
    assert client.get("/profile/").status_code == 200


def test_a_second_spelling_of_a_signed_part_is_refused(client, place, ask, bring):
    bring(ask("nora"))
    url = requests.get(f"{place}/logout", allow_redirects=False, timeout=10).headers["Location"]
    for forged in ("SAMLRequest=x", "%53AMLRequest=x"):
        assert Client().get(f"{url}&{forged}").status_code == 400
    assert last_entry("sign-in-refused").after["why"] == "ambiguous_query"
    assert client.get("/profile/").status_code == 200


def test_without_a_key_of_our_own_it_works_without_logout(client, settings, place, ask, bring):
    settings.SAML_SP_KEY = settings.SAML_SP_CERTIFICATE = ""
    assert bring(ask("nora")).status_code == 302
    assert client.post("/sign-out/")["Location"] == "/sign-in/?signed-out=1"


def test_values_serve_instead_of_metadata(settings, place, keys, ask, bring):
    settings.SAML_IDP_METADATA = ""
    settings.SAML_IDP_ENTITY_ID = ENTITY_ID
    settings.SAML_IDP_SSO_URL = f"{place}/sso"
    settings.SAML_IDP_CERTIFICATE = keys["other"]["cert"] + keys["own"]["cert"]
    # Two, while the provider changes from one to the other.
    assert bring(ask("nora")).status_code == 302


def test_other_names_of_attributes_are_known(client, settings, ask, bring):
    settings.SAML_GROUPS_ATTRIBUTE = "memberOf"
    named = {
        "memberOf": ["analysts"],
        "groups": ["strangers"],
        "email": [""],
        "uid": [""],
        "displayName": [""],
        "sub": "olga",
        "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress": "n@company.example",
    }
    factories.team("strangers")
    assert bring(ask("nora", attributes=named)).status_code == 302
    nora = Identity.objects.get(subject="nora").user
    assert (nora.email, nora.team_slugs) == ("n@company.example", {"analysts"})


def test_a_local_account_is_not_taken_over_by_its_name(client, ask, bring):
    olga = factories.person("olga", Role.REVIEWER)
    refused = bring(ask("olga"))
    assert refused.status_code == 409
    assert "an admin has to say" in refused.content.decode()
    assert list(User.objects.all()) == [olga]
    assert not Identity.objects.exists()
    # Until an admin says so.
    ada = factories.person("ada", Role.ADMIN)
    services.link_identity(newcomer=olga.newcomers.get(), by=ada)
    assert bring(ask("olga")).status_code == 302
    assert "Olga" in client.get("/profile/").content.decode()
    assert SignIn.objects.get().user == olga

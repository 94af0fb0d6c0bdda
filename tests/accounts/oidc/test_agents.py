"""Agents with the tokens of a real provider, through REST: by client credentials, on behalf of a
person by token exchange, while its keys change, and while it is away.
"""

import contextlib
import hashlib
import json
import secrets
import shutil
from base64 import urlsafe_b64encode
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from django.test import Client
from django.utils import timezone

from accounts.models import Identity, Issuer
from accounts.services import issuer_keys
from accounts.services.identities import add_identity
from accounts.services.issuers import create_issuer
from gateway.models import Statement
from hoopweb.lib import rate
from hoopweb.local.ports import free_port
from hoopweb.local.processes import Program, Supervisor
from recordings.models import AuditEntry
from tests import factories
from tests.accounts import jwts
from tests.accounts.jwts import jwk
from tests.accounts.oidc.conftest import HERE, SITE, Browser

pytestmark = pytest.mark.django_db
RESOURCE = "https://hoopweb.example.com"
SECRET = "a secret of this test"
EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
FIRST, SECOND = (rsa.generate_private_key(65537, 2048) for _ in range(2))


def client(name, *grants, **more):
    return {
        "client_id": name,
        "client_secret": SECRET,
        "grant_types": list(grants),
        "redirect_uris": [],
        "response_types": [],
        **more,
    }


CLIENTS = [
    client("loader", "client_credentials", EXCHANGE),
    client("planner", "client_credentials", EXCHANGE),
    client(
        "portal",
        "authorization_code",
        redirect_uris=[f"{SITE}/back"],
        response_types=["code"],
    ),
]


class Provider:
    """The provider in a process of its own, which a test may stop and start with other keys."""

    def __init__(self, modules, directory):
        for name in ("package.json", "agents.js"):
            shutil.copy(HERE / name, directory)
        (directory / "node_modules").symlink_to(modules / "node_modules")
        self.directory, self.port = directory, free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.supervisor = Supervisor(directory)

    def start(self, *keys, seconds=300):
        told = {
            "port": self.port,
            "clients": CLIENTS,
            "jwks": {"keys": [jwk(key, kid, private=True) for kid, key in keys]},
            "resource": RESOURCE,
            "seconds": seconds,
        }
        self.supervisor.start(
            Program(
                "agents",
                (shutil.which("node"), "agents.js", json.dumps(told)),
                cwd=self.directory,
                ready=self._ready,
                patience=20,
            )
        )

    def stop(self):
        self.supervisor.stop("agents")

    def _ready(self):
        with contextlib.suppress(requests.RequestException):
            return requests.get(f"{self.issuer}/jwks", timeout=2).ok
        return False

    def token(self, by="loader", **asked):
        told = {"grant_type": "client_credentials", "resource": RESOURCE, **asked}
        answer = requests.post(f"{self.issuer}/token", data=told, auth=(by, SECRET), timeout=10)
        assert answer.ok, answer.text
        return answer.json()["access_token"]

    def exchanged(self, subject_token, by="loader"):
        return self.token(
            by,
            grant_type=EXCHANGE,
            subject_token=subject_token,
            subject_token_type=ACCESS_TOKEN,
        )

    def persons_token(self, name):
        """What a portal gets when a person signs in there."""
        verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(verifier.encode()).digest()
        asked = {
            "client_id": "portal",
            "response_type": "code",
            "scope": "openid",
            "resource": RESOURCE,
            "redirect_uri": f"{SITE}/back",
            "code_challenge": urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        url = requests.Request("GET", f"{self.issuer}/auth", params=asked).prepare().url
        browser = Browser()
        back = browser.walk(url, login=name, password="any")
        browser.session.close()
        return self.token(
            "portal",
            grant_type="authorization_code",
            code=parse_qs(urlsplit(back).query)["code"][0],
            redirect_uri=f"{SITE}/back",
            code_verifier=verifier,
        )


@pytest.fixture(scope="module")
def _provider(provider_modules, tmp_path_factory):
    found = Provider(provider_modules, tmp_path_factory.mktemp("agents"))
    found.start(("k1", FIRST))
    yield found
    found.supervisor.stop_all()


@pytest.fixture
def provider(_provider, monkeypatch):
    monkeypatch.setattr(rate, "count", lambda _key, _window=None: 1)
    if not _provider._ready():
        _provider.start(("k1", FIRST))
    return _provider


@pytest.fixture
def issuer(provider):
    return create_issuer(name="Provider", issuer=provider.issuer, audiences=[RESOURCE], by=None)


@pytest.fixture
def identity(cast, issuer):
    return add_identity(agent=cast.agent, issuer=issuer, subject="loader", by=None)


def ask(token, path="connections"):
    return Client().get(f"/api/v1/{path}", headers={"Authorization": f"Bearer {token}"})


def send(token):
    return Client().post(
        "/api/v1/statements",
        {"connection": "shop", "sql": "SELECT CITY FROM SHOP.RETAIL.ORDERS"},
        content_type="application/json",
        headers={"Authorization": f"Bearer {token}"},
    )


def test_an_agent_comes_in_by_client_credentials(provider, identity, cast):
    answer = ask(provider.token())
    assert answer.status_code == 200
    assert [row["name"] for row in answer.json()["results"]] == ["shop"]
    assert send(provider.token()).status_code in {201, 202}
    kept = Statement.objects.get()
    assert kept.principal_id == cast.agent.pk
    assert kept.principal["on_behalf_of"] == "Olga"


def test_another_client_of_the_provider_stays_a_stranger(provider, identity):
    answer = ask(provider.token("planner"))
    assert answer.status_code == 401
    assert answer.json()["code"] == "not-authenticated"
    assert "planner" in answer.json()["detail"]
    assert answer["WWW-Authenticate"].startswith("Bearer")
    entry = AuditEntry.objects.get(action="token-refused")
    assert (entry.after["why"], entry.after["subject"]) == ("unknown_subject", "planner")


def test_on_behalf_of_a_person_by_token_exchange(provider, identity, cast):
    nora = factories.person("nora")
    Identity.objects.link(nora, issuer=provider.issuer, subject="nora-1")
    hers = provider.persons_token("nora-1")
    # Her own token is not an agent's.
    assert ask(hers).status_code == 401
    exchanged = provider.exchanged(hers)
    assert jwt.decode(exchanged, options={"verify_signature": False})["act"] == {"sub": "loader"}
    assert send(exchanged).status_code in {201, 202}
    kept = Statement.objects.get()
    assert kept.principal_id == cast.agent.pk
    assert kept.principal["on_behalf_of"] == "Nora"


def test_of_a_chain_the_last_who_exchanged_acts(provider, identity, cast):
    first = provider.exchanged(provider.persons_token("nora-2"), by="loader")
    second = provider.exchanged(first, by="planner")
    assert ask(first).status_code == 200
    assert ask(second).status_code == 401
    other = factories.agent("planner", owner=cast.stranger)
    add_identity(agent=other, issuer=Issuer.objects.get(), subject="planner", by=None)
    assert ask(second).json()["results"] == []


def test_scopes_of_the_provider_narrow(provider, identity):
    token = provider.token(scope="hoopweb:statements:read")
    assert send(token).status_code == 403
    assert not Statement.objects.exists()


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("audience", "wrong_audience"),
        ("expired", "expired_token"),
        ("not yet", "token_not_yet_valid"),
        ("none", "wrong_algorithm"),
        ("shared secret", "wrong_algorithm"),
        ("unknown key", "unknown_key"),
        ("known key id", "wrong_signature"),
        ("key in header", "wrong_signature"),
        ("issuer", "unknown_issuer"),
        ("large", "too_large"),
    ],
)
def test_changed_tokens_of_the_provider(provider, identity, how, why):
    """Each is its real token but for one thing, and signed with its real key where it can be."""
    body = jwt.decode(provider.token(), options={"verify_signature": False})
    now = int(timezone.now().timestamp())

    def signed(key=FIRST, kid="k1", header=None, **changed):
        named = {"kid": kid, "typ": "at+jwt", **(header or {})}
        return jwt.encode({**body, **changed}, key, "RS256", headers=named)

    header = {"jwk": jwk(SECOND, "k1"), "jku": f"http://127.0.0.1:{free_port()}/keys"}
    token = {
        "audience": lambda: signed(aud="https://other.example.com"),
        "expired": lambda: signed(iat=now - 400, exp=now - 100),
        "not yet": lambda: signed(nbf=now + 300),
        "none": lambda: jwt.encode(body, None, "none", headers={"kid": "k1"}),
        "shared secret": lambda: jwts.with_public_key_as_secret(body, FIRST, "k1"),
        "unknown key": lambda: signed(key=SECOND, kid="k9"),
        "known key id": lambda: signed(key=SECOND),
        "key in header": lambda: signed(key=SECOND, header=header),
        "issuer": lambda: signed(iss="http://127.0.0.1:1"),
        "large": lambda: signed(padding="x" * 20_000),
    }[how]()
    assert ask(signed()).status_code == 200
    answer = ask(token)
    assert answer.status_code == 401
    assert AuditEntry.objects.get(action="token-refused").after["why"] == why
    # The header's own keys and addresses are for nobody.
    assert "127.0.0.1" not in answer.json()["detail"]


def test_keys_that_change_while_everything_runs(provider, identity):
    old = provider.token()
    assert ask(old).status_code == 200
    provider.stop()
    provider.start(("k2", SECOND), ("k1", FIRST))
    new = provider.token()
    assert jwt.get_unverified_header(new)["kid"] == "k2"
    assert ask(new).status_code == 200
    assert ask(old).status_code == 200
    # Once the old key is withdrawn and ours have aged, the old token opens nothing.
    provider.stop()
    provider.start(("k2", SECOND))
    make_older(issuer_keys.FRESH)
    assert ask(new).status_code == 200
    assert ask(old).status_code == 401
    provider.stop()


def test_an_unknown_key_is_asked_for_once_in_a_while(provider, identity, monkeypatch):
    assert ask(provider.token()).status_code == 200
    asked = []
    fetch = issuer_keys.fetching.fetch
    monkeypatch.setattr(
        issuer_keys.fetching, "fetch", lambda row: asked.append(row.name) or fetch(row)
    )
    for number in range(5):
        body = jwts.claims(iss=provider.issuer, aud=RESOURCE)
        forged = jwts.sign(body, key=SECOND, kid=f"guess-{number}")
        assert ask(forged).status_code == 401
    assert asked == ["Provider"]
    assert ask(provider.token()).status_code == 200
    Issuer.objects.update(asked_for_unknown_at=timezone.now() - issuer_keys.PAUSE)
    assert ask(jwts.sign(body, key=SECOND, kid="again")).status_code == 401
    assert len(asked) == 2


def test_while_the_provider_is_away_its_keys_go_on_until_their_age_ends(provider, identity):
    token = provider.token()
    assert ask(token).status_code == 200
    provider.stop()
    make_older(issuer_keys.FRESH)
    assert ask(token).status_code == 200
    row = Issuer.objects.get()
    assert "does not answer" in row.fetch_error
    make_older(issuer_keys.END)
    answer = ask(token)
    assert answer.status_code == 503
    assert answer.json()["code"] == "provider-unavailable"
    assert "does not answer" in answer.json()["detail"]
    assert answer["Retry-After"] == "30"
    provider.start(("k1", FIRST))
    # Somebody has just asked in vain: the next question waits its turn.
    assert ask(token).status_code == 503
    Issuer.objects.update(asked_at=timezone.now() - issuer_keys.PAUSE)
    assert ask(token).status_code == 200
    assert Issuer.objects.get().fetch_error == ""


def make_older(than):
    past = timezone.now() - than - timedelta(seconds=1)
    Issuer.objects.update(fetched_at=past, asked_at=None)

"""Logging in by what a real OpenID provider gives: client credentials, and a workload's token."""

import json
import shutil
import time
from pathlib import Path

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa

from connections.upstream.client import connect
from connections.upstream.errors import LoginRefused
from connections.upstream.types import Method
from hoopweb.local.ports import free_port
from hoopweb.local.processes import Program, Supervisor
from tests.accounts.oidc import conftest as modules_of
from tests.accounts.oidc.conftest import provider_modules  # noqa: F401 - a fixture
from tests.connections.upstream.emulators import running

HERE = Path(__file__).parent / "provider"
CLIENT, SECRET, AUDIENCE = "hoopweb-client", "a-secret-of-this-test", "https://snowflake.example"


@pytest.fixture(scope="module")
def signing_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="module")
def issuer(provider_modules, tmp_path_factory, signing_key):  # noqa: F811
    directory = tmp_path_factory.mktemp("provider")
    shutil.copy(HERE / "provider.js", directory)
    shutil.copy(modules_of.HERE / "package.json", directory)
    (directory / "node_modules").symlink_to(provider_modules / "node_modules")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    private = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(signing_key))
    configuration = {
        "port": port,
        "audience": AUDIENCE,
        "jwks": {"keys": [{**private, "kid": "k1", "use": "sig", "alg": "RS256"}]},
        "client": {
            "client_id": CLIENT,
            "client_secret": SECRET,
            "grant_types": ["client_credentials"],
            "redirect_uris": [],
            "response_types": [],
        },
    }

    def ready():
        try:
            return requests.get(f"{url}/jwks", timeout=2).ok
        except requests.RequestException:
            return False

    supervisor = Supervisor(directory)
    try:
        command = (shutil.which("node"), "provider.js", json.dumps(configuration))
        supervisor.start(Program("provider", command, cwd=directory, ready=ready, patience=30))
        yield url
    finally:
        supervisor.stop_all()


@pytest.fixture(scope="module")
def snowflake(issuer):
    with running(
        *("--issuer", issuer, "--audience", AUDIENCE, "--subject", CLIENT),
        *("--client-id", "nobody"),
    ) as found:
        yield found


def _target(snowflake, **other):
    return snowflake.target(database="", schema="", **other)


def _oauth(snowflake, issuer, secret=SECRET):
    return _target(
        snowflake,
        method=Method.OAUTH_CLIENT,
        secret=secret,
        oauth_client_id=CLIENT,
        oauth_token_url=f"{issuer}/token",
        oauth_scope="session:role:GATEWAY",
    )


async def test_client_credentials_of_a_real_provider(snowflake, issuer):
    async with connect(_oauth(snowflake, issuer)) as session:
        assert (await session.fetch("SELECT 1 AS ONE")).to_pylist() == [{"ONE": 1}]


async def test_a_wrong_client_secret_is_refused_and_told_nowhere(snowflake, issuer, caplog):
    with pytest.raises(LoginRefused) as refused:
        async with connect(_oauth(snowflake, issuer, "wrong-secret-9731")):
            pass
    assert "wrong-secret-9731" not in f"{refused.value}{caplog.text}"


@pytest.fixture
def workload(snowflake, monkeypatch):
    # The driver sends attestations to Snowflake's hosts only, and to those that are added.
    monkeypatch.setenv("SNOWFLAKE_WIF_ALLOWED_HOST_SUFFIXES", "localhost")

    def target(token):
        return _target(
            snowflake,
            method=Method.WORKLOAD,
            workload_provider="OIDC",
            login_name="",
            host="localhost",
            secret=token,
        )

    return target


def _token(issuer, key, **claims):
    now = int(time.time())
    body = {"iss": issuer, "sub": CLIENT, "aud": AUDIENCE, "iat": now, "exp": now + 60} | claims
    return jwt.encode(body, key, algorithm="RS256", headers={"kid": "k1"})


async def test_a_workload_is_known_by_its_token(workload, issuer, signing_key):
    async with connect(workload(_token(issuer, signing_key))) as session:
        assert (await session.fetch("SELECT 1 AS ONE")).num_rows == 1


@pytest.mark.parametrize(
    "claims", [{"sub": "somebody"}, {"aud": "https://elsewhere"}, {"exp": 1}, {"iss": "http://x"}]
)
async def test_a_workload_with_another_token_is_refused(workload, issuer, signing_key, claims):
    token = _token(issuer, signing_key, **claims)
    with pytest.raises(LoginRefused) as refused:
        async with connect(workload(token)):
            pass
    assert token not in str(refused.value)


async def test_a_token_that_the_provider_did_not_sign_is_refused(workload, issuer):
    other = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    with pytest.raises(LoginRefused):
        async with connect(workload(_token(issuer, other))):
            pass

"""A real SAML provider in a process of its own, and what it signs, as asked for."""

import base64
import contextlib
import json
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from hoopweb.local.ports import free_port
from hoopweb.local.processes import Program, Supervisor
from tests import factories
from tests.accounts.oidc.conftest import provider_modules  # noqa: F401 - the same modules

HERE = Path(__file__).parent
SITE = "http://testserver"
ENTITY_ID = "https://id.company.example/saml"
PEOPLE = {"nora": ["analysts", "everybody"], "stan": ["strangers"], "olga": ["analysts"]}


def key_and_certificate(name):
    """A key of 2048 bits and a certificate that says so itself, both PEM."""
    key = rsa.generate_private_key(65537, 2048)
    certificate = _self_signed(key, name)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return {"key": _pem(key), "cert": certificate, "publicKey": public.decode()}


def elliptic_key_and_certificate():
    key = ec.generate_private_key(ec.SECP256R1())
    return _pem(key), _self_signed(key, "elliptic")


def _self_signed(key, name):
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _pem(key):
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


@pytest.fixture(scope="session")
def keys():
    return {name: key_and_certificate(name) for name in ("own", "other", "console")}


@contextlib.contextmanager
def running_saml(modules, directory, site, keys):
    """A provider that knows the console at ``site``; where it is."""
    shutil.copy(HERE / "provider.js", directory)
    (directory / "package.json").write_text('{"type": "module"}')
    (directory / "node_modules").symlink_to(modules / "node_modules")
    port = free_port()
    place = f"http://127.0.0.1:{port}"
    configuration = {
        "port": port,
        "people": PEOPLE,
        "entityId": ENTITY_ID,
        "keys": {name: {k: keys[name][k] for k in ("key", "cert")} for name in ("own", "other")},
        "sp": {
            "entityId": f"{site}/saml/metadata/",
            "acs": f"{site}/saml/acs/",
            "logout": f"{site}/saml/logout/",
            "cert": keys["console"]["cert"],
            "publicKey": keys["console"]["publicKey"],
        },
    }

    def ready():
        try:
            return requests.get(f"{place}/metadata", timeout=2).ok
        except requests.RequestException:
            return False

    supervisor = Supervisor(directory)
    try:
        supervisor.start(
            Program(
                "saml-provider",
                (
                    shutil.which("node"),
                    "--no-deprecation",
                    "provider.js",
                    json.dumps(configuration),
                ),
                cwd=directory,
                ready=ready,
                patience=20,
            )
        )
        yield place
    finally:
        supervisor.stop_all()


@pytest.fixture(scope="session")
def _place(provider_modules, keys, tmp_path_factory):  # noqa: F811
    directory = tmp_path_factory.mktemp("saml")
    with running_saml(provider_modules, directory, SITE, keys) as place:
        yield place


@pytest.fixture
def configure(settings, keys):
    """``configure(place, site)`` makes it this installation's provider, by its own metadata."""

    def configured(place, site=SITE):
        settings.SITE_URL = site
        settings.SAML_IDP_METADATA = requests.get(f"{place}/metadata", timeout=5).text
        settings.SAML_SP_KEY = keys["console"]["key"]
        settings.SAML_SP_CERTIFICATE = keys["console"]["cert"]

    return configured


@pytest.fixture
def place(_place, configure):
    configure(_place)
    # Whom it signed in for other tests.
    requests.post(f"{_place}/forget", timeout=5)
    return _place


@pytest.fixture
def analysts(db):
    return factories.team("analysts")


@dataclass
class Answer:
    """What the provider has the browser post."""

    message: str
    relay_state: str

    @property
    def xml(self):
        return base64.b64decode(self.message).decode()

    def changed(self, xml):
        return Answer(base64.b64encode(xml.encode()).decode(), self.relay_state)


@pytest.fixture
def ask(client, place, analysts):
    """``ask("nora", shift=-60)``: she asks for sign-in, and the provider signs this answer.

    What is given by name is otherwise than usual, see provider.js.
    """

    def asked(name="nora", path="/saml/start/", **otherwise):
        start = client.get(path)
        assert start.status_code == 302
        query = dict(parse_qsl(urlsplit(start["Location"]).query))
        body = json.dumps({"query": query, "login": name, "otherwise": otherwise})
        made = requests.post(f"{place}/answer", data={"json": body}, timeout=10)
        assert made.ok, made.text
        return Answer(made.text, query["RelayState"])

    return asked


@pytest.fixture
def bring(client):
    """``bring(answer)``: the browser posts it, without a cookie, and goes where it is sent."""

    def brought(answer):
        from django.test import Client

        stranger = Client(enforce_csrf_checks=True)
        posted = stranger.post(
            "/saml/acs/", {"SAMLResponse": answer.message, "RelayState": answer.relay_state}
        )
        assert not stranger.cookies
        return client.get(posted["Location"]) if posted.status_code == 303 else posted

    return brought

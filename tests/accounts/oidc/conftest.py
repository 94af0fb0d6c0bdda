"""A real provider in a process of its own, and a browser small enough to fill in its forms."""

import contextlib
import hashlib
import json
import shutil
import subprocess
import tempfile
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

import pytest
import requests

from accounts.oidc import provider as product_side
from hoopweb.local.ports import free_port
from hoopweb.local.processes import Program, Supervisor

HERE = Path(__file__).parent / "provider"
SITE = "http://testserver"
CLIENT_ID = "hoopweb"
CLIENT_SECRET = "a secret of this test/with signs: %+"
BACKEND = "accounts.oidc.backend.Backend"
# Who is in which groups; tests change nothing here, and name people of their own.
PEOPLE = {
    "nora": ["analysts", "everybody"],
    "stan": ["strangers", "<b>bold</b>"],
    "lone": [],
    "dora": ["analysts"],
    "olga": ["analysts"],
}


@pytest.fixture(scope="session")
def provider_modules():
    """Where npm installed the provider: once for each set of pinned versions, outside the clone."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if not node or not npm:
        pytest.skip("node and npm are needed for the OpenID provider of these tests")
    lock = (HERE / "package-lock.json").read_bytes()
    kept = Path(tempfile.gettempdir()) / f"hoopweb-provider-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not (kept / "node_modules").is_dir():
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix="hoopweb-npm-") as making:
            for name in ("package.json", "package-lock.json"):
                shutil.copy(HERE / name, making)
            done = subprocess.run(
                [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"],
                cwd=making,
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
            if done.returncode:
                pytest.skip(f"npm could not install the provider: {done.stderr[-500:]}")
            kept.mkdir(exist_ok=True)
            if not (kept / "node_modules").is_dir():
                (Path(making) / "node_modules").rename(kept / "node_modules")
    return kept


@contextlib.contextmanager
def running_provider(modules, directory, site, **client):
    """A provider that knows the console at ``site``, with more about it as a client; its issuer."""
    # Beside its modules, as node looks them up.
    for name in ("package.json", "provider.js"):
        shutil.copy(HERE / name, directory)
    (directory / "node_modules").symlink_to(modules / "node_modules")
    port = free_port()
    issuer = f"http://127.0.0.1:{port}"
    configuration = {
        "port": port,
        "people": PEOPLE,
        "client": {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "redirect_uris": [f"{site}/oidc/callback/"],
            "post_logout_redirect_uris": [f"{site}/sign-in/?signed-out=1"],
            **client,
        },
    }

    def ready():
        try:
            return requests.get(f"{issuer}/jwks", timeout=2).ok
        except requests.RequestException:
            return False

    supervisor = Supervisor(directory)
    try:
        supervisor.start(
            Program(
                "provider",
                (shutil.which("node"), "provider.js", json.dumps(configuration)),
                cwd=directory,
                ready=ready,
                patience=20,
            )
        )
        yield issuer
    finally:
        supervisor.stop_all()


@pytest.fixture(scope="session")
def _issuer(provider_modules, tmp_path_factory):
    with running_provider(provider_modules, tmp_path_factory.mktemp("provider"), SITE) as issuer:
        yield issuer


@pytest.fixture
def configure(settings):
    """``configure(issuer)`` makes it this installation's provider."""

    def configured(issuer):
        settings.OIDC_ISSUER = issuer
        settings.OIDC_CLIENT_ID = CLIENT_ID
        settings.OIDC_CLIENT_SECRET = CLIENT_SECRET
        settings.OIDC_SCOPES = ["openid", "email", "profile", "groups"]
        settings.AUTHENTICATION_BACKENDS = [*settings.AUTHENTICATION_BACKENDS, BACKEND]
        product_side.forget()

    yield configured
    product_side.forget()


@pytest.fixture
def issuer(_issuer, configure):
    configure(_issuer)
    return _issuer


class _Form(HTMLParser):
    """The first form of a page: where it leads, and what it holds."""

    def __init__(self, page):
        super().__init__()
        self.action, self.fields = None, {}
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag == "form" and self.action is None:
            self.action = found["action"]
        elif tag in {"input", "button"} and found.get("name"):
            self.fields.setdefault(found["name"], found.get("value") or "")


class Browser:
    """Follows the provider's pages until they lead back to the console."""

    def __init__(self, site=SITE):
        self.session = requests.Session()
        self.site = site

    def walk(self, url, **typed):
        """The address of the console that the provider's pages end at."""
        answer = self.session.get(url, allow_redirects=False, timeout=10)
        for _ in range(20):
            if answer.is_redirect:
                url = urljoin(answer.url, answer.headers["Location"])
                if url.startswith(self.site):
                    return url
                answer = self.session.get(url, allow_redirects=False, timeout=10)
                continue
            answer = self.submit(answer, follow=False, **typed)
        raise AssertionError("the provider does not come to an end")

    def submit(self, answer, *, follow=True, **typed):
        """What comes after the first form of a page."""
        form = _Form(answer.text)
        assert form.action, answer.text
        fields = {**form.fields, **{k: v for k, v in typed.items() if k in form.fields}}
        return self.session.post(
            urljoin(answer.url, form.action), data=fields, allow_redirects=follow, timeout=10
        )


@pytest.fixture
def browser():
    found = Browser()
    yield found
    found.session.close()


@pytest.fixture
def come_back(client, browser):
    """``come_back("nora")`` is the console's address with which the provider sends her back."""

    def walked(name, path="/oidc/authenticate/"):
        start = client.get(path)
        assert start.status_code == 302
        return browser.walk(start["Location"], login=name, password="any")

    return walked


@pytest.fixture
def enter(client, come_back):
    """``enter("nora")`` is the console's answer once the provider has sent her back."""

    def entered(name, path="/oidc/authenticate/"):
        return client.get(come_back(name, path))

    return entered

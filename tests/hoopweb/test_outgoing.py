"""No address that an admin writes leads into the house, also when its name changes its answer."""

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import aiohttp
import pytest
import requests

from hoopweb.checks import configuration
from hoopweb.lib import outgoing
from hoopweb.lib.outgoing import AddressRefused, Policy

ABROAD = Policy.of([], local=False)
LOCAL = Policy.of([], local=True)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "::1",
        "0.0.0.0",  # noqa: S104
        "10.0.0.7",
        "172.16.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "169.254.169.254",
        "168.63.129.16",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "fc00::1",
        "224.0.0.1",
        "255.255.255.255",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "::",
        "not an address",
    ],
)
def test_what_is_not_public_is_refused(address):
    assert not ABROAD.admits(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700::1111", "64:ff9b::808:808"])
def test_public_addresses_pass(address):
    assert ABROAD.admits(address)


def test_the_operator_opens_networks_and_nothing_beside_them():
    rules = Policy.of(["10.20.0.0/16"], local=False)
    assert rules.admits("10.20.3.4")
    assert rules.admits("::ffff:10.20.3.4")
    assert not rules.admits("10.21.0.1")
    assert not rules.admits("127.0.0.1")


def test_a_wide_network_opens_no_metadata_service():
    assert not Policy.of(["0.0.0.0/0", "::/0"], local=False).admits("169.254.169.254")
    assert Policy.of(["169.254.169.254/32"], local=False).admits("169.254.169.254")


def test_local_mode_opens_this_machine_alone():
    assert LOCAL.admits("127.0.0.1")
    assert LOCAL.admits("::1")
    assert not LOCAL.admits("10.0.0.1")
    assert not LOCAL.admits("169.254.169.254")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "login.example.com",
        "ftp://login.example.com/",
        "file:///etc/passwd",
        "http://login.example.com/",
        "https://",
        "https://user:secret@login.example.com/",
        "https://login.example.com/#x",
        "https://login.example.com\\@10.0.0.1/",
        "https://login.example.com/\r\nHost: x",
        "https://[",
        "https://login.example.com:99999/",
        "https://127.0.0.1/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://127.1/",
        "https://0177.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://169.254.169.254/latest/meta-data/",
    ],
)
def test_a_url_that_may_not_be_stored(url):
    with pytest.raises(AddressRefused):
        outgoing.checked_url(url, rules=ABROAD)


def test_a_url_that_may():
    url = "https://login.example.com:8443/oauth2/token?x=1"
    assert outgoing.checked_url(url, rules=ABROAD) == url
    assert outgoing.checked_url("http://127.0.0.1:8000/x", rules=LOCAL)


def _answers(monkeypatch, *rounds):
    """A name server that answers each time with the next line."""
    left = list(rounds)
    real = socket.getaddrinfo

    def answer(host, port, *args, **kwargs):
        if host != "rebind.example.com":
            return real(host, port, *args, **kwargs)
        addresses = left.pop(0) if len(left) > 1 else left[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (a, port)) for a in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", answer)


def test_one_private_answer_refuses_the_name(monkeypatch):
    _answers(monkeypatch, ["93.184.216.34", "10.0.0.1"])
    with pytest.raises(AddressRefused, match=r"10\.0\.0\.1.*HOOPWEB_ALLOWED_NETWORKS"):
        outgoing.vetted("rebind.example.com", 443, rules=ABROAD)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        self.send_response(302 if self.path == "/away" else 200)
        if self.path == "/away":
            self.send_header("Location", "/secret")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


@pytest.fixture
def inside():
    """A service on this machine that must not be reached."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.asked = []
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_redirects_are_not_followed(inside):
    with outgoing.Session() as session:
        answer = session.get(f"http://127.0.0.1:{inside.server_port}/away")
    assert answer.status_code == 302
    assert inside.asked == ["/away"]


def test_a_name_that_changes_its_answer_reaches_nothing(inside, monkeypatch, settings):
    # The first look says a public address; the connection would go to this machine.
    _answers(monkeypatch, ["93.184.216.34"], ["127.0.0.1"])
    monkeypatch.setattr(outgoing, "policy", lambda: Policy((), plain_http=True))
    assert outgoing.vetted("rebind.example.com", 80)
    with outgoing.Session() as session, pytest.raises(requests.ConnectionError, match="does not"):
        session.get(f"http://rebind.example.com:{inside.server_port}/secret")
    assert inside.asked == []


@pytest.mark.parametrize("host", ["127.0.0.1", "rebind.example.com"])
async def test_our_async_client_judges_the_address_it_connects_to(inside, monkeypatch, host):
    _answers(monkeypatch, ["127.0.0.1"])
    url = f"http://{host}:{inside.server_port}/secret"

    async def ask():
        connector = aiohttp.TCPConnector(socket_factory=outgoing.socket_for)
        async with aiohttp.ClientSession(connector=connector) as http, http.get(url) as answer:
            return answer.status

    assert await ask() == 200
    monkeypatch.setattr(outgoing, "policy", lambda: ABROAD)
    with pytest.raises(aiohttp.ClientConnectorError):
        await ask()
    assert inside.asked == ["/secret"]


def test_networks_that_cannot_be_read_keep_the_server_from_starting(settings):
    settings.ALLOWED_NETWORKS = ["10.0.0.0/33"]
    assert "hoopweb.E018" in [message.id for message in configuration()]

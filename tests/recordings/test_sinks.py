"""Copies of the trail and of events: in order, at least once, without anything secret."""

import json
import re
import socket
import socketserver
import ssl
import threading
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jsonschema
import pytest
from django.db import connections, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from hoopweb.lib.errors import InvalidRequest
from recordings import services
from recordings.kinds import EventKind
from recordings.models import AuditEntry, Event, Sink
from recordings.sinks import delivering, lines, outlets
from tests.recordings.conftest import ACTOR, opened, say, stretch

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def place(settings, tmp_path):
    settings.SINK_DIR = tmp_path / "sinks"
    return settings.SINK_DIR


class Receiver:
    """A real HTTP server that keeps what it gets, and answers as it is told."""

    def __init__(self):
        self.got = []
        self.status, self.body = 200, b'{"text":"Success","code":0}'
        keeper = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                keeper.got.append((dict(self.headers), body))
                self.send_response(keeper.status)
                self.end_headers()
                self.wfile.write(keeper.body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/collect"

    def records(self):
        return [json.loads(line) for _, body in self.got for line in body.splitlines()]


@pytest.fixture
def receiver():
    made = Receiver()
    with serving(made.server):
        yield made


@contextmanager
def serving(server):
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def sink(kind, address="", **kw):
    return services.create_sink(
        name=f"s{Sink.objects.count()}", kind=kind, address=address, actor=ACTOR, **kw
    )


def acts(count, **kw):
    return [
        services.audit(actor=ACTOR, action="thing-done", object_name=f"n{i}", **kw)
        for i in range(count)
    ]


def test_a_webhook_gets_both_streams_in_order_and_signed(receiver, monkeypatch):
    monkeypatch.setattr(delivering, "BATCH", 4)
    target = sink("webhook", receiver.url, secret="the key", from_start=True)
    session = stretch()
    acts(6)
    assert delivering.deliver(target.pk) == len(receiver.records())
    audit = [r["number"] for r in receiver.records() if r["stream"] == "audit"]
    assert audit == list(range(1, len(audit) + 1))
    assert len(audit) >= 7
    events = [r["number"] for r in receiver.records() if r["stream"] == "events"]
    assert events == list(range(1, session.event_count + 1))
    for headers, body in receiver.got:
        at = headers["X-Hoopweb-Timestamp"]
        assert headers["X-Hoopweb-Signature"] == f"sha256={outlets.signature('the key', at, body)}"
    assert delivering.deliver(target.pk) == 0, "once is enough when all went well"
    target.refresh_from_db()
    assert delivering.lag(target).records == 0
    assert target.delivered_count == len(receiver.records())


def test_what_failed_comes_again_and_later_each_time(receiver):
    target = sink("webhook", receiver.url, with_events=False)
    acts(3)
    receiver.status = 503
    pauses = []
    for _ in range(9):
        assert delivering.deliver_due() == 0
        target.refresh_from_db()
        pauses.append(round((target.retry_at - timezone.now()).total_seconds()))
        assert delivering.deliver_due() == 0, "not before its time"
        Sink.objects.update(retry_at=timezone.now() - timedelta(seconds=1))
    assert pauses == sorted(pauses)
    assert pauses[0] <= 5
    assert pauses[-1] in {299, 300}
    assert "503" in target.last_error
    assert delivering.lag(target).records == 4
    receiver.status = 200
    receiver.got.clear()
    assert delivering.deliver_due() == 4
    target.refresh_from_db()
    assert (target.failures, target.last_error, target.retry_at) == (0, "", None)
    assert [r["number"] for r in receiver.records()] == [1, 2, 3, 4]


def test_a_lost_answer_means_twice_and_never_none(receiver, monkeypatch):
    target = sink("webhook", receiver.url, with_events=False)
    acts(2)
    arrives = outlets._OUTLETS["webhook"]

    def and_then_dies(*args):
        arrives(*args)
        raise ConnectionResetError(104, "Connection reset by peer")

    monkeypatch.setitem(outlets._OUTLETS, "webhook", and_then_dies)
    delivering.deliver(target.pk)
    monkeypatch.undo()
    Sink.objects.update(retry_at=None)
    delivering.deliver(target.pk)
    ids = [r["id"] for r in receiver.records()]
    assert sorted(set(ids)) == ["audit-1", "audit-2", "audit-3"]
    assert len(ids) == 6


def test_one_delivers_at_a_time(receiver):
    target = sink("webhook", receiver.url)
    acts(1)
    soon = timezone.now() + timedelta(seconds=30)
    Sink.objects.update(claimed_until=soon, claim="00000000-0000-0000-0000-000000000001")
    assert delivering.deliver(target.pk) == 0
    Sink.objects.update(claimed_until=timezone.now())
    assert delivering.deliver(target.pk) > 0


def test_an_event_that_is_committed_late_is_not_left_out(receiver, monkeypatch):
    """A lower id may appear after a higher one: nothing is read past a transaction under way."""
    monkeypatch.setattr(delivering, "_SETTLE_SECONDS", 0.1)
    early, late = opened(), opened()
    target = sink("webhook", receiver.url, with_audit=False)
    drawn, go = threading.Event(), threading.Event()

    def slowly():
        try:
            with transaction.atomic():
                say(late, EventKind.MESSAGE, role="user", text="late")
                drawn.set()
                go.wait(10)
        finally:
            connections.close_all()

    thread = threading.Thread(target=slowly)
    thread.start()
    assert drawn.wait(10)
    say(early, EventKind.MESSAGE, role="user", text="early")
    assert delivering.deliver(target.pk) == 0
    go.set()
    thread.join(10)
    assert delivering.deliver(target.pk) == 2
    ids = [r["id"] for r in receiver.records()]
    assert ids == [f"event-{late.pk}-2", f"event-{early.pk}-2"]


def test_nothing_that_was_written_freely_leaves(receiver):
    target = sink("webhook", receiver.url, from_start=True)
    session = opened(title="canary title")
    for kind, data in (
        (EventKind.PROMPT, {"text": "canary"}),
        (EventKind.MESSAGE, {"role": "user", "text": "canary"}),
        (EventKind.STATEMENT, {"sql": "canary", "binds": 0, "request_id": "r"}),
        (EventKind.DECISION, {"effect": "allow", "sql_sent": "canary", "facts": {
            "reads": ["A.B.C"], "outputs": [{"name": "canary"}]},
            "reasons": [{"code": "rule", "rule": "reads", "text": "canary"}]}),
        (EventKind.VOTE, {"choice": "reject", "reason": "canary"}),
        (EventKind.INTENT, {"sql_sent": "canary", "role": "R"}),
        (EventKind.OUTCOME, {"state": "failed", "error": "canary",
                             "columns": [{"name": "canary", "masked": True}]}),
    ):  # fmt: skip
        say(session, kind, **data)
    services.audit(
        actor=ACTOR, action="replay-opened", kind="session", object_id=str(session.pk),
        object_name="canary title",
    )  # fmt: skip
    delivering.deliver(target.pk)
    sent = b"".join(body for _, body in receiver.got)
    assert len(receiver.records()) >= 9
    assert b"canary" not in sent
    decision = next(r for r in receiver.records() if r["action"] == "decision")
    assert decision["data"]["reasons"] == [{"code": "rule", "rule": "reads"}]
    assert decision["data"]["reads"] == ["A.B.C"]


def test_every_record_has_the_documented_form(receiver):
    schema = json.loads((ROOT / "docs" / "siem-schema.json").read_text())
    target = sink("webhook", receiver.url, from_start=True)
    stretch()
    acts(2, before={"a": 1}, after={"a": 2}, address="192.0.2.7")
    services.try_sink(sink=target, actor=ACTOR)
    delivering.deliver(target.pk)
    assert {r["stream"] for r in receiver.records()} == {"audit", "events", "test"}
    for record in receiver.records():
        jsonschema.validate(record, schema)


def test_every_kind_of_event_says_what_it_may_tell():
    assert set(lines._DATA) == set(EventKind)


def test_splunk_gets_its_own_form_and_its_answer_is_read(receiver):
    target = sink("splunk", receiver.url, secret="hec-token", with_events=False)
    acts(2)
    assert delivering.deliver(target.pk) == 3
    headers, body = receiver.got[0]
    assert headers["Authorization"] == "Splunk hec-token"
    found = [json.loads(line) for line in body.splitlines()]
    assert [each["event"]["number"] for each in found] == [1, 2, 3]
    assert all(float(each["time"]) > 1e9 and each["source"] == "hoopweb" for each in found)
    receiver.body = b'{"text":"Invalid token","code":4}'
    acts(1)
    assert delivering.deliver(target.pk) == 0
    target.refresh_from_db()
    assert "code 4" in target.last_error


def test_a_file_has_a_line_each_and_may_be_moved_away(place):
    target = sink("file", "audit.jsonl", with_events=False)
    delivering.deliver(target.pk)
    (place / "audit.jsonl").rename(place / "audit.1.jsonl")
    acts(2)
    delivering.deliver(target.pk)
    numbers = [
        [json.loads(line)["number"] for line in (place / name).read_text().splitlines()]
        for name in ("audit.1.jsonl", "audit.jsonl")
    ]
    assert numbers == [[1], [2, 3]]
    assert (place / "audit.jsonl").stat().st_mode & 0o777 == 0o600


def test_standard_output(capfd):
    target = sink("stdout", with_events=False)
    delivering.deliver(target.pk)
    assert json.loads(capfd.readouterr().out)["action"] == "sink-created"


class Syslog(socketserver.ThreadingTCPServer):
    """Octet counting, with or without TLS."""

    daemon_threads = True

    def __init__(self, context=None):
        self.messages, self.context = [], context
        keeper = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                while head := self._number():
                    keeper.messages.append(self.rfile.read(head))

            def _number(self):
                digits = b""
                while (found := self.rfile.read(1)).isdigit():
                    digits += found
                return int(digits or 0)

        super().__init__(("127.0.0.1", 0), Handler)

    def get_request(self):
        stream, address = super().get_request()
        if self.context:
            stream = self.context.wrap_socket(stream, server_side=True)
        return stream, address

    def handle_error(self, *_):
        pass


FORM = re.compile(
    rb"<109>1 \d{4}-\d\d-\d\dT[\d:.]+Z \S+ hoopweb - (\S+) - \xef\xbb\xbf(\{.*\})", re.DOTALL
)


def read(message):
    found = FORM.fullmatch(message)
    assert found, message
    return found[1].decode(), json.loads(found[2])


def test_syslog_over_tcp():
    with serving(Syslog()) as server:
        target = sink("syslog", f"tcp://127.0.0.1:{server.server_address[1]}", with_events=False)
        acts(2, after={"multi": "line\nwith ümlaut"})
        assert delivering.deliver(target.pk) == 3
        found = [read(message) for message in server.messages]
    assert [name for name, _ in found] == ["sink-created", "thing-done", "thing-done"]
    assert found[2][1]["after"] == {"multi": "line\nwith ümlaut"}


def test_syslog_over_tls_only_where_the_certificate_is_trusted(tmp_path, monkeypatch):
    context, trusted = certificate(tmp_path)
    with serving(Syslog(context)) as server:
        address = f"tls://localhost:{server.server_address[1]}"
        target = sink("syslog", address, with_events=False)
        assert delivering.deliver(target.pk) == 0
        target.refresh_from_db()
        assert "certificate" in target.last_error.lower()
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        Sink.objects.update(retry_at=None)
        assert delivering.deliver(target.pk) == 1
        assert [read(message)[0] for message in server.messages] == ["sink-created"]


def test_syslog_over_udp_cuts_what_no_datagram_holds():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(5)
        port = listener.getsockname()[1]
        target = sink("syslog", f"udp://127.0.0.1:{port}", with_events=False)
        acts(1, after={"much": "x" * 70_000})
        assert delivering.deliver(target.pk) == 2
        _, first = read(listener.recv(65_535))
        _, second = read(listener.recv(65_535))
    assert first["action"] == "sink-created"
    assert second["cut"] is True
    assert "after" not in second


def certificate(folder):
    import datetime as dt
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName(
                [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
            ),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    (folder / "cert.pem").write_bytes(pem)
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context, folder / "cert.pem"


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("webhook", "http://169.254.169.254/latest"),
        ("webhook", "file:///etc/passwd"),
        ("splunk", "https://user:pass@siem.example.com/"),
        ("file", "../keys.env"),
        ("file", "/etc/cron.d/x"),
        ("syslog", "https://siem.example.com"),
        ("stdout", "somewhere"),
    ],
)
def test_addresses_that_lead_nowhere_good(kind, address):
    with pytest.raises(InvalidRequest):
        sink(kind, address, secret="x")


def test_a_name_inside_the_house_is_refused_when_it_is_called(settings, receiver):
    target = sink("webhook", receiver.url)
    settings.LOCAL = False
    settings.ALLOWED_NETWORKS = []
    Sink.objects.update(address="https://localhost:1/x")
    assert delivering.deliver(target.pk) == 0
    target.refresh_from_db()
    assert "HOOPWEB_ALLOWED_NETWORKS" in target.last_error
    assert receiver.got == []


class TestPage:
    def as_(self, person):
        client = Client()
        client.force_login(person)
        return client

    def test_only_admins(self, cast):
        for person in (cast.stranger, cast.auditor, cast.reviewer, cast.owner):
            assert self.as_(person).get(reverse("recordings:sinks")).status_code == 403
            assert self.as_(person).post(reverse("recordings:sink-new")).status_code == 403

    def test_made_tried_paused_and_removed_with_a_trace_of_each(self, cast, receiver):
        admin = self.as_(cast.admin)
        assert "No sinks" in admin.get(reverse("recordings:sinks")).content.decode()
        made = admin.post(
            reverse("recordings:sink-new"),
            {"name": "siem", "kind": "webhook", "address": receiver.url, "with_audit": "on"},
        )
        row = Sink.objects.get()
        page = made.content.decode()
        assert row.secret in page
        assert made["Cache-Control"] == "no-store"
        listing = admin.post(reverse("recordings:sink-test", args=[row.pk]), follow=True)
        assert "The test reached siem." in listing.content.decode()
        assert row.secret not in listing.content.decode()
        assert receiver.records()[-1]["action"] == "sink-tested"
        admin.post(reverse("recordings:sink-switch", args=[row.pk]), {"to": "off"})
        acts(1)
        assert delivering.deliver_due() == 0
        admin.post(reverse("recordings:sink-switch", args=[row.pk]), {"to": "on"})
        assert delivering.deliver_due() >= 4
        admin.post(reverse("recordings:sink-delete", args=[row.pk]))
        assert not Sink.objects.exists()
        found = list(AuditEntry.objects.order_by("number").values_list("action", flat=True))
        assert [a for a in found if a.startswith("sink-")] == [
            "sink-created", "sink-tested", "sink-paused", "sink-resumed", "sink-deleted",
        ]  # fmt: skip
        assert row.secret not in str(list(AuditEntry.objects.values_list("before", "after")))

    def test_a_wrong_address_is_said_beside_its_field(self, cast):
        answer = self.as_(cast.admin).post(
            reverse("recordings:sink-new"),
            {"name": "x", "kind": "syslog", "address": "nonsense", "with_audit": "on"},
        )
        assert answer.status_code == 422
        assert "tls://host:6514" in answer.content.decode()
        assert not Sink.objects.exists()


def test_lag_is_published(receiver):
    from hoopweb.metrics_store import StoreCollector

    sink("webhook", receiver.url, with_events=False)
    acts(4)
    found = {f.name: f.samples[0].value for f in StoreCollector().collect() if "sink" in f.name}
    assert found["hoopweb_sink_behind"] == 5
    assert Event.objects.count() == 0

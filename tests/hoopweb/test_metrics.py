"""Who may read metrics, and that what they say about the store is true."""

import urllib.error
import urllib.request
import uuid
from datetime import timedelta

import pytest
from asgiref.testing import ApplicationCommunicator
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from gateway.models import Statement, Transition
from hoopweb.metrics_server import may_read, metrics, serve_on_port
from hoopweb.metrics_store import StoreCollector
from recordings.models import Session
from tests import factories

TOKEN = "a-token-for-the-scraper"


@pytest.mark.parametrize(
    ("token", "address", "headers", "allowed"),
    [
        ("", "127.0.0.1", {}, True),
        ("", "::1", {}, True),
        ("", "10.1.2.3", {}, False),
        ("", "", {}, False),
        ("", "127.0.0.1", {"x-forwarded-for": "10.1.2.3"}, False),
        ("", "127.0.0.1", {"forwarded": "for=10.1.2.3"}, False),
        (TOKEN, "10.1.2.3", {"authorization": f"Bearer {TOKEN}"}, True),
        (TOKEN, "10.1.2.3", {"authorization": f"bearer  {TOKEN}"}, True),
        (TOKEN, "127.0.0.1", {}, False),
        (TOKEN, "127.0.0.1", {"authorization": "Bearer wrong"}, False),
        (TOKEN, "127.0.0.1", {"authorization": f"Basic {TOKEN}"}, False),
    ],
)
def test_this_machine_or_the_token(settings, token, address, headers, allowed):
    settings.METRICS_TOKEN = token
    assert may_read(address=address, headers=headers) is allowed


def statement(state, *moves, kind="read", ago=60):
    """A statement that went through ``moves``, the last of them ``ago`` seconds ago."""
    connection = factories.connection()
    session = Session.objects.create(
        principal_kind="agent",
        principal_id=uuid.uuid4(),
        principal_name="agent",
        connection_id=connection.pk,
        connection_name=connection.name,
        door="rest",
    )
    row = Statement.objects.create(
        session=session,
        connection=connection,
        principal_kind="agent",
        principal_id=session.principal_id,
        principal_name="agent",
        door="rest",
        request_id=str(uuid.uuid4()),
        request_digest="0" * 64,
        sql_given="SELECT 1",
        state=state,
        statement_class=kind,
        worker="w" if state == "running" else "",
    )
    at = timezone.now() - timedelta(seconds=ago)
    for source, target in moves:
        Transition.objects.create(statement=row, source=source, target=target, at=at)
    return row


def told(collector):
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in collector.collect()
        for sample in family.samples
    }


@pytest.mark.django_db
def test_the_store_is_counted():
    statement("denied", ("received", "denied"), kind="unload")
    statement("succeeded", ("queued", "running"), ("running", "succeeded"))
    statement("awaiting_approval", ("received", "awaiting_approval"))
    statement("queued", ("received", "queued"), ago=90)
    statement("running", ("queued", "running"))
    found = told(StoreCollector())
    assert found["hoopweb_store_up",] == 1
    assert found["hoopweb_statements_total", "denied", "unload"] == 1
    assert found["hoopweb_statements_total", "succeeded", "read"] == 1
    assert found["hoopweb_statements_held",] == 1
    assert found["hoopweb_statements_queued",] == 1
    assert found["hoopweb_statements_running",] == 1
    assert found["hoopweb_statements_unknown",] == 0
    assert 89 < found["hoopweb_queue_age_seconds",] < 100


@pytest.mark.django_db
def test_a_finished_statement_is_counted_once_and_only_when_settled():
    collector = StoreCollector()
    statement("succeeded", ("running", "succeeded"))
    key = ("hoopweb_statements_total", "succeeded", "read")
    assert [told(collector)[key] for _ in range(2)] == [1, 1]
    statement("succeeded", ("running", "succeeded"), ago=0)
    assert told(collector)[key] == 1
    Transition.objects.update(at=timezone.now() - timedelta(minutes=1))
    assert told(collector)[key] == 2


def test_without_the_store_it_says_so(monkeypatch):
    from django.db import OperationalError

    def fail(*_):
        raise OperationalError("gone")

    monkeypatch.setattr(StoreCollector, "_outcomes", fail)
    monkeypatch.setattr("hoopweb.metrics_store.connection", _Closed())
    assert told(StoreCollector()) == {("hoopweb_store_up",): 0}


class _Closed:
    in_atomic_block = False

    def close(self):
        pass


async def test_the_page_refuses_strangers_with_the_way_in(settings):
    settings.METRICS_TOKEN = TOKEN
    scope = {"type": "http", "method": "GET", "path": "/metrics", "headers": []}
    asked = ApplicationCommunicator(metrics, scope | {"client": ("127.0.0.1", 5)})
    await asked.send_input({"type": "http.request"})
    assert (await asked.receive_output())["status"] == 403
    assert b"METRICS_TOKEN" in (await asked.receive_output())["body"]


@pytest.mark.django_db(transaction=True)
def test_a_worker_tells_its_own_times(settings):
    settings.METRICS_TOKEN = TOKEN
    server = serve_on_port(0)
    try:
        url = f"http://127.0.0.1:{server.server_port}/metrics"
        with pytest.raises(urllib.error.HTTPError, match="403") as refused:
            urllib.request.urlopen(url)
        refused.value.close()
        asked = urllib.request.Request(url, headers={"Authorization": f"Bearer {TOKEN}"})
        with urllib.request.urlopen(asked) as answer:
            text = answer.read().decode()
    finally:
        server.shutdown()
        server.server_close()
    names = {family.name for family in text_string_to_metric_families(text)}
    assert {"hoopweb_decision_seconds", "hoopweb_record_seconds", "hoopweb_upstream_seconds"} <= (
        names
    )

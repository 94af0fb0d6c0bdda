"""The test of a connection: each step shown as it happens, one at a time, and honest at its end."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.models import RoleGrant
from accounts.principal import Role
from connections import services, tasks
from connections.models import Connection, ConnectionTest, RunState
from connections.models.runs import LOST_AFTER, SLOW_AFTER
from connections.services import checks, runs
from connections.upstream import check
from connections.upstream.check import Step
from connections.upstream.client import connect
from recordings.models import AuditEntry
from tests import factories
from tests.connections.upstream.emulators import PASSWORD, Emulator, running

pytestmark = pytest.mark.django_db
CANARY = "canary-9d1c-never-shown"


@pytest.fixture(scope="module")
def snowflake() -> Iterator[Emulator]:
    with running("--database", "SHOP") as found:
        asyncio.run(_fill(found))
        yield found


async def _fill(snowflake: Emulator) -> None:
    async with connect(snowflake.target(schema="")) as session:
        for sql in ("CREATE SCHEMA SHOP.RETAIL", "CREATE TABLE SHOP.RETAIL.ORDERS (ID NUMBER)"):
            await session.result(await session.submit(sql))


@pytest.fixture
def row(snowflake: Emulator) -> Connection:
    row = factories.connection("shop", confirmed=False)
    row.port, row.schema, row.role, row.warehouse = snowflake.port, "RETAIL", "GATEWAY", "SMALL"
    row.queue = "near-snowflake"
    row.save()
    row.credential.secret = PASSWORD
    row.credential.save()
    return row


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Messages that would wake a worker."""
    found: list[dict[str, Any]] = []
    monkeypatch.setattr(
        tasks.test_connection, "apply_async", lambda **message: found.append(message)
    )
    return found


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The states of the steps whenever they were stored."""
    found: list[list[str]] = []
    say = runs.say

    def listen(run: Any, **changes: Any) -> bool:
        found.append([step["state"] for step in changes["steps"]])
        return say(run, **changes)

    monkeypatch.setattr(runs, "say", listen)
    return found


def run(row: Connection, by: Any = None) -> ConnectionTest:
    asked = services.request_connection_test(connection=row, by=by)
    tasks.test_connection(asked.pk)
    asked.refresh_from_db()
    row.refresh_from_db()
    return asked


def browser(*, part: bool = False) -> Client:
    client = Client(headers={"HX-Request": "true"} if part else {})
    client.force_login(factories.person("ada", Role.ADMIN))
    return client


def test_each_step_is_stored_as_it_begins_and_as_it_ends(
    row: Connection, seen: list[list[str]]
) -> None:
    found = run(row)
    assert found.state == "done", found.steps
    assert [step["name"] for step in found.steps] == [
        "Credential", "DNS", "TLS", "Login", "Role", "Warehouse", "Metadata",
    ]  # fmt: skip
    assert all(step["milliseconds"] is not None for step in found.steps)
    assert seen == [
        *(["ok"] * done + ["running"] + ["pending"] * (6 - done) for done in range(7)),
        ["ok"] * 7,
    ]
    assert services.is_healthy(row)
    assert [step["ok"] for step in row.test_report] == [True] * 7
    actions = list(AuditEntry.objects.values_list("action", flat=True))
    assert actions.count("connection-test-requested") == 1
    assert actions.count("connection-tested") == 1


def test_the_first_failure_ends_it_with_its_cure_and_without_the_secret(row: Connection) -> None:
    row.credential.secret = CANARY
    row.credential.save()
    found = run(row)
    assert found.state == "failed"
    assert [step["state"] for step in found.steps] == ["ok"] * 3 + ["failed"] + ["pending"] * 3
    assert "Check login name and password" in found.steps[3]["cure"]
    assert not services.is_healthy(row)
    assert CANARY not in json.dumps([found.steps, row.test_report, found.detail, found.cure])
    page = browser().get(reverse("connections:setup-step", args=["shop", "test"])).content.decode()
    assert "Check login name and password" in page
    assert page.count("not tried") == 3
    assert CANARY not in page


def test_without_a_credential_the_first_step_says_so(row: Connection) -> None:
    row.credential.delete()
    found = run(Connection.objects.get(pk=row.pk))
    assert found.steps[0]["state"] == "failed"
    assert "no credential" in found.steps[0]["detail"]


def test_a_second_click_joins_and_the_message_is_an_id(
    row: Connection, sent: list[dict[str, Any]], django_capture_on_commit_callbacks: Any
) -> None:
    client = browser(part=True)
    url = reverse("connections:test", args=[row.name])
    with django_capture_on_commit_callbacks(execute=True):
        first = client.post(url).content.decode()
        client.post(url)
    asked = ConnectionTest.objects.get()
    assert sent == [{"args": (asked.pk,), "queue": "near-snowflake", "ignore_result": True}]
    assert 'hx-trigger="every 1s"' in first
    assert "Waiting for a worker" in first


def test_the_page_shows_the_state_to_whoever_comes_back_and_is_new_at_the_end(
    row: Connection, sent: list[dict[str, Any]]
) -> None:
    asked = services.request_connection_test(connection=row, by=None)
    claimed = runs.claim(ConnectionTest, asked.pk)
    assert claimed is not None
    steps = [checks.blank(name) for name in checks.STEPS]
    steps[0]["state"], steps[1]["state"] = "ok", "running"
    runs.say(claimed, steps=steps)
    client = browser()
    page = client.get(reverse("connections:setup-step", args=["shop", "test"])).content.decode()
    assert 'hx-trigger="every 1s"' in page
    assert page.count("to come") == 5
    url = reverse("connections:test", args=[row.name])
    watching = {"HX-Request": "true"}
    assert "HX-Refresh" not in client.get(url, headers=watching).headers
    runs.finish(claimed, RunState.DONE)
    over = client.get(url, headers=watching)
    assert over.headers["HX-Refresh"] == "true"
    assert "every 1s" not in over.content.decode()


def test_a_worker_that_went_away_is_told_and_does_not_stand_in_the_way(
    row: Connection, sent: list[dict[str, Any]]
) -> None:
    asked = services.request_connection_test(connection=row, by=None)
    claimed = runs.claim(ConnectionTest, asked.pk)
    assert claimed is not None
    assert services.request_connection_test(connection=row, by=None).pk == asked.pk
    ConnectionTest.objects.update(heard_at=timezone.now() - LOST_AFTER - timedelta(seconds=1))
    page = browser().get(reverse("connections:detail", args=["shop"])).content.decode()
    assert "The worker that tested went away" in page
    assert "every 1s" not in page
    again = services.request_connection_test(connection=row, by=None)
    assert again.pk != asked.pk
    asked.refresh_from_db()
    assert asked.state == "failed"
    # What the old worker says now is not heard any more.
    assert not runs.say(claimed, steps=[])


def test_the_sweep_gives_up_what_is_lost_and_sends_again_what_waits(
    row: Connection, sent: list[dict[str, Any]], django_capture_on_commit_callbacks: Any
) -> None:
    asked = services.request_connection_test(connection=row, by=None)
    ConnectionTest.objects.update(queued_at=timezone.now() - runs.RESEND_AFTER * 1.5)
    with django_capture_on_commit_callbacks(execute=True):
        tasks.sweep_runs()
    assert [message["args"] for message in sent] == [(asked.pk,)]
    ConnectionTest.objects.update(queued_at=timezone.now() - runs.GIVE_UP_AFTER * 1.5)
    tasks.sweep_runs()
    asked.refresh_from_db()
    assert (asked.state, asked.detail) == ("failed", "No worker took it.")


def test_waiting_long_names_the_queue(row: Connection, sent: list[dict[str, Any]]) -> None:
    services.request_connection_test(connection=row, by=None)
    ConnectionTest.objects.update(queued_at=timezone.now() - SLOW_AFTER * 2)
    page = browser().get(reverse("connections:detail", args=["shop"])).content.decode()
    assert "No worker has taken it yet" in page
    assert "near-snowflake" in page


@pytest.mark.parametrize("what", ["credential", "place", "stop"])
def test_what_changes_meanwhile_ends_it_and_nothing_of_it_is_kept(
    row: Connection, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    ada = factories.person("ada", Role.ADMIN)
    tried = []

    def change() -> None:
        if what == "credential":
            services.set_credential(
                connection=row, by=None, method="password", login_name="OTHER", secret="another"
            )
        elif what == "place":
            services.update_connection(connection=row, by=None, role="OTHER")
        else:
            services.cancel_connection_test(connection=row, by=ada)

    async def steps(_target: Any) -> AsyncIterator[Step]:
        yield Step("DNS", True, 0.01, "found")
        await sync_to_async(change)()
        yield Step("TLS", True, 0.01, "connected")
        tried.append("Login")
        yield Step("Login", True, 0.01, "in")

    monkeypatch.setattr(check, "check", steps)
    found = run(row)
    assert found.state == "cancelled"
    said = "Ada stopped it." if what == "stop" else "The settings changed while it ran."
    assert found.detail == said
    assert not tried
    assert (row.tested_at, row.test_report) == (None, [])
    page = Client()
    page.force_login(ada)
    text = page.get(reverse("connections:detail", args=["shop"])).content.decode()
    assert said in text
    assert "stopped here" in text


def test_who_may_no_longer_change_the_connection_tests_it_no_more(row: Connection) -> None:
    ada = factories.person("ada", Role.ADMIN)
    asked = services.request_connection_test(connection=row, by=ada)
    RoleGrant.objects.filter(user=ada).delete()
    tasks.test_connection(asked.pk)
    asked.refresh_from_db()
    assert asked.state == "failed"
    assert row.tested_at is None


def test_a_surprise_is_told_without_its_words(
    row: Connection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def surprise(_target: Any) -> None:
        raise RuntimeError(CANARY)

    monkeypatch.setattr(check, "check", surprise)
    found = run(row)
    assert found.state == "failed"
    assert "RuntimeError" in found.detail
    assert CANARY not in found.detail + found.cure + caplog.text


def test_a_stopped_test_is_in_the_trail(row: Connection, sent: list[dict[str, Any]]) -> None:
    client = browser(part=True)
    client.post(reverse("connections:test", args=[row.name]))
    client.post(reverse("connections:stop-test", args=[row.name]))
    client.post(reverse("connections:stop-test", args=[row.name]))
    assert AuditEntry.objects.filter(action="connection-test-stopped").count() == 1
    assert ConnectionTest.objects.get().state == "cancelled"

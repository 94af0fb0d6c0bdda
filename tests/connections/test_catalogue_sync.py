"""Reading the catalogue: one at a time, a new version only when something changed, cures said."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts.principal import Role
from connections import services, tasks
from connections.models import Catalogue, CatalogueSync, Connection
from connections.services import catalogues
from connections.sql.catalogue import Catalogue as CatalogueValue
from connections.sql.catalogue import Column, Table
from connections.sql.facts import ObjectName
from connections.upstream.errors import LoginRefused, UpstreamError
from connections.upstream.metadata import CatalogueRead
from tests import factories

pytestmark = pytest.mark.django_db


class Warehouse:
    """What stands for Snowflake: what it holds, how it fails, and what was asked of it."""

    def __init__(self) -> None:
        self.value = factories.contacts()
        self.notes: tuple[str, ...] = ()
        self.error: Exception | None = None
        self.asked: list[tuple[str, ...]] = []
        self.said: list[str] = []

    @asynccontextmanager
    async def connect(self, target: Any) -> AsyncIterator[None]:
        assert target.secret == "upstream-secret"
        if self.error:
            raise self.error
        yield None

    async def read(
        self, _session: None, names: Any, *, progress: Callable[[str], None]
    ) -> CatalogueRead:
        self.asked.append(tuple(names))
        progress("Reading SHOP")
        return CatalogueRead(self.value, self.notes)


@pytest.fixture
def warehouse(monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    found = Warehouse()
    monkeypatch.setattr(catalogues, "connect", found.connect)
    monkeypatch.setattr(catalogues, "read_catalogue", found.read)
    return found


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """Messages that would wake a worker."""
    found: list[tuple[int, str]] = []

    def note(*, args: tuple[int], queue: str, **_: Any) -> None:
        found.append((args[0], queue))

    monkeypatch.setattr(tasks.sync_catalogue, "apply_async", note)
    return found


@pytest.fixture
def row() -> Connection:
    row = factories.connection("shop")
    row.queue = "near-snowflake"
    row.save()
    return row


def run(row: Connection) -> CatalogueSync:
    sync = services.request_catalogue_sync(connection=row, by=None)
    tasks.sync_catalogue(sync.pk)
    sync.refresh_from_db()
    row.refresh_from_db()
    return sync


def test_the_same_content_makes_no_new_version(row: Connection, warehouse: Warehouse) -> None:
    run(row)
    assert row.catalogue_version in {1, 2}
    version = row.catalogue_version
    Catalogue.objects.filter(connection=row).update(synced_at=timezone.now() - timedelta(days=1))
    sync = run(row)
    assert row.catalogue_version == version
    assert sync.state == "done"
    assert sync.detail == "Nothing changed: 2 tables and views with 7 columns"
    fresh = Catalogue.objects.get(connection=row, version=version)
    assert timezone.now() - fresh.synced_at < timedelta(minutes=1)


def test_other_content_makes_a_new_version_that_everybody_sees(
    row: Connection, warehouse: Warehouse
) -> None:
    run(row)
    before = services.catalogue_for(row)
    table = Table(ObjectName("SHOP", "CRM", "NEW"), (Column("A", "TEXT"),))
    warehouse.value = CatalogueValue.of([*warehouse.value.tables.values(), table])
    sync = run(row)
    assert sync.detail == "Found 3 tables and views with 8 columns"
    after = services.catalogue_for(row)
    assert after.version == before.version + 1
    assert after.find("SHOP", "CRM", "NEW")
    assert before.find("SHOP", "CRM", "NEW") is None


def test_old_versions_go_and_the_newest_stay(row: Connection, warehouse: Warehouse) -> None:
    for number in range(catalogues.KEEP_VERSIONS + 4):
        name = ObjectName("SHOP", "CRM", f"T{number}")
        warehouse.value = CatalogueValue.of([Table(name, (Column("A", "TEXT"),))])
        run(row)
    kept = list(row.catalogues.values_list("version", flat=True))
    assert kept[0] == row.catalogue_version
    assert len(kept) == catalogues.KEEP_VERSIONS


def test_the_listed_databases_are_read_else_the_connections_own(
    row: Connection, warehouse: Warehouse
) -> None:
    run(row)
    services.update_connection(connection=row, by=None, catalogue_databases=["raw", "shop"])
    run(row)
    services.update_connection(connection=row, by=None, catalogue_databases=[], database="")
    run(row)
    assert warehouse.asked == [("SHOP",), ("RAW", "SHOP"), ()]


@pytest.mark.parametrize(
    ("error", "detail", "cure"),
    [
        (
            LoginRefused("390144", "08001", "JWT token is invalid"),
            "JWT token",
            "Test the connection",
        ),
        (
            UpstreamError("002043", "02000", "Object does not exist"),
            "does not exist",
            "Grant the role",
        ),
        (RuntimeError("a surprise with details"), "RuntimeError", "worker's log"),
    ],
)
def test_a_failure_says_what_and_how_to_mend_it(
    row: Connection, warehouse: Warehouse, error: Exception, detail: str, cure: str
) -> None:
    version = row.catalogue_version
    warehouse.error = error
    sync = run(row)
    assert sync.state == "failed"
    assert detail in sync.detail
    assert cure in sync.cure
    assert "surprise" not in sync.detail
    assert row.catalogue_version == version
    client = Client()
    client.force_login(factories.person("ada", Role.ADMIN))
    page = client.get(reverse("connections:detail", args=[row.name])).content.decode()
    assert sync.detail.split("(")[0] in page
    assert cure.replace("'", "&#x27;") in page


def test_without_a_credential_the_page_says_so(row: Connection, warehouse: Warehouse) -> None:
    row.credential.delete()
    sync = run(Connection.objects.get(pk=row.pk))
    assert sync.state == "failed"
    assert "no credential" in sync.detail


def test_what_could_not_be_read_is_told(row: Connection, warehouse: Warehouse) -> None:
    warehouse.notes = ("Tags were not read.",)
    sync = run(row)
    assert (sync.state, sync.cure) == ("done", "Tags were not read.")


def test_one_at_a_time_and_a_second_wish_joins(
    row: Connection, sent: list[tuple[int, str]], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        first = services.request_catalogue_sync(connection=row, by=None)
        second = services.request_catalogue_sync(connection=row, by=None)
    assert first.pk == second.pk
    assert sent == [(first.pk, "near-snowflake")]


def test_a_run_is_claimed_once(row: Connection, warehouse: Warehouse) -> None:
    sync = services.request_catalogue_sync(connection=row, by=None)
    assert services.sync_catalogue(sync.pk) is not None
    assert services.sync_catalogue(sync.pk) is None
    assert services.sync_catalogue(0) is None
    assert len(warehouse.asked) == 1


def test_a_dead_broker_does_not_fail_the_request(
    row: Connection, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    def refuse(**_: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(tasks.sync_catalogue, "apply_async", refuse)
    with django_capture_on_commit_callbacks(execute=True):
        sync = services.request_catalogue_sync(connection=row, by=None)
    assert CatalogueSync.objects.get(pk=sync.pk).state == "queued"


def test_the_sweep_gives_up_resends_and_reads_what_is_old(
    row: Connection, sent: list[tuple[int, str]], django_capture_on_commit_callbacks: Any
) -> None:
    now = timezone.now()
    lost = CatalogueSync.objects.create(
        connection=row, state="running", started_at=now - catalogues.LOST_AFTER * 2
    )
    waiting = CatalogueSync.objects.create(
        connection=factories.connection("waiting"), queued_at=now - catalogues.RESEND_AFTER * 2
    )
    old = factories.connection("old")
    Catalogue.objects.filter(connection=old).update(synced_at=now - catalogues.STALE_AFTER * 2)
    closed = factories.connection("closed")
    Catalogue.objects.filter(connection=closed).update(synced_at=now - catalogues.STALE_AFTER * 2)
    services.disable_connection(connection=closed, by=None)
    with django_capture_on_commit_callbacks(execute=True):
        tasks.sync_stale_catalogues()
    lost.refresh_from_db()
    assert lost.state == "failed"
    assert "went away" in lost.detail
    assert {key for key, _ in sent} == {waiting.pk, old.syncs.get().pk}
    assert not closed.syncs.exists()
    sent.clear()
    with django_capture_on_commit_callbacks(execute=True):
        tasks.sync_stale_catalogues()
    assert [key for key, _ in sent] == [waiting.pk]


def test_a_failed_reading_is_not_tried_again_every_few_minutes(
    row: Connection, warehouse: Warehouse, sent: list[tuple[int, str]]
) -> None:
    Catalogue.objects.update(synced_at=timezone.now() - catalogues.STALE_AFTER * 2)
    warehouse.error = LoginRefused("390144", "08001", "no")
    run(row)
    tasks.sync_stale_catalogues()
    assert row.syncs.count() == 1


def test_the_part_polls_while_it_works_and_refreshes_at_the_end(
    row: Connection, warehouse: Warehouse, sent: list[tuple[int, str]]
) -> None:
    client = Client(headers={"HX-Request": "true"})
    client.force_login(factories.person("ada", Role.ADMIN))
    url = reverse("connections:sync", args=[row.name])
    part = client.post(url).content.decode()
    assert 'hx-trigger="every 1s"' in part
    tasks.sync_catalogue(row.syncs.get().pk)
    response = client.get(url)
    assert response.headers["HX-Refresh"] == "true"
    assert "every 1s" not in response.content.decode()

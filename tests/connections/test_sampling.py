"""Detectors over a few values: what they find is suggested, and no value stays anywhere."""

import asyncio
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.apps import apps
from django.test import Client
from django.urls import reverse

from accounts.principal import Role
from connections import services, tasks
from connections.masking.detectors import DETECTORS
from connections.masking.sampled import count
from connections.models import Connection, Sampling
from connections.services import runs, sampling
from connections.services.evidence import SEEN, Sampled
from connections.sql.catalogue import Catalogue, Column, Table
from connections.sql.facts import ObjectName
from connections.upstream import sample
from connections.upstream.client import connect
from connections.upstream.errors import UpstreamError
from hoopweb.lib.errors import Conflict, NotAllowed
from recordings.models import AuditEntry
from tests import factories
from tests.connections.upstream.emulators import PASSWORD, Emulator, running

pytestmark = pytest.mark.django_db

CANARY = "canary5e7d"
CARD = "4111111111111111"
TABLE = ObjectName("SHOP", "CRM", "PLANTED")
COLUMNS = {
    "REACH_AT": "TEXT",
    "REMARK": "TEXT",
    "REF": "NUMBER(38,0)",
    "MEMO": "TEXT",
    "EMAIL": "TEXT",
    "EMPTY": "TEXT",
    "AMOUNT": "NUMBER(12,2)",
}


def _rows() -> Iterator[tuple[Any, ...]]:
    for n in range(50):
        mail = f"{CANARY}.{n}@leak.example" if n < 41 else "unknown"
        remark = f"call {CANARY} on +49 30 901820{n:02}" if n % 4 == 0 else f"paid {n}"
        memo = f"AKIA{'CANARY5E7DCANARY'}" if n == 7 else f"note {n}"
        yield mail, remark, int(CARD), memo, f"{CANARY}@named.example", None, n


def _literal(value: Any) -> str:
    return "NULL" if value is None else str(value) if isinstance(value, int) else f"'{value}'"


@pytest.fixture(scope="module")
def snowflake() -> Iterator[Emulator]:
    with running("--database", "SHOP") as found:
        asyncio.run(_plant(found))
        yield found


async def _plant(snowflake: Emulator) -> None:
    columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    values = ", ".join(f"({', '.join(map(_literal, row))})" for row in _rows())
    async with connect(snowflake.target(schema="")) as session:
        for sql in (
            "CREATE SCHEMA SHOP.CRM",
            f"CREATE TABLE {TABLE} ({columns})",
            f"INSERT INTO {TABLE} VALUES {values}",
        ):
            await session.result(await session.submit(sql))


def planted(*more: Table) -> Catalogue:
    columns = tuple(Column(name, kind) for name, kind in COLUMNS.items())
    return Catalogue.of([Table(TABLE, columns), *more])


def connection(snowflake: Emulator, catalogue: Catalogue, **values: Any) -> Connection:
    row = factories.connection("shop", catalogue=catalogue, confirmed=False)
    row.port, row.role, row.warehouse = snowflake.port, "GATEWAY", "SMALL"
    for name, value in values.items():
        setattr(row, name, value)
    row.save()
    row.credential.secret = PASSWORD
    row.credential.save()
    row.protections.update(table="PLANTED")
    return row


@pytest.fixture
def row(snowflake: Emulator) -> Connection:
    return connection(snowflake, planted())


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    monkeypatch.setattr(tasks.sample_values, "apply_async", lambda **message: found.append(message))
    return found


def run(row: Connection) -> Sampling:
    asked = services.request_sampling(connection=row, by=None)
    tasks.sample_values(asked.pk)
    asked.refresh_from_db()
    return asked


def everything_stored() -> str:
    return json.dumps(
        [[str(model), list(model._base_manager.values())] for model in apps.get_models()],
        default=str,
    )


def suggestions(row: Connection) -> dict[str, Any]:
    found = services.suggest(
        services.catalogue_for(row),
        [item.as_value() for item in row.protections.all()],
        services.sampled_of(row),
    )
    return {item.column.name: item for item in found}


def test_planted_values_are_found_and_suggested_with_the_reason(row: Connection) -> None:
    found = run(row)
    assert found.state == "done", found.detail
    assert (found.tables_total, found.tables_done, found.rows_read) == (1, 1, 50)
    offered = suggestions(row)
    assert set(offered) == {"REACH_AT", "REMARK", "REF", "MEMO"}
    mail = offered["REACH_AT"]
    assert mail.reason == "41 of 50 sampled values are e-mail addresses"
    assert (mail.strategy, mail.options) == ("partial", {"keep": "domain"})
    remark = offered["REMARK"]
    assert remark.reason == "13 of 50 sampled values contain phone numbers"
    assert remark.strategy == "redact"
    # Last four digits fit no number.
    assert offered["REF"].reason == "50 of 50 sampled values are card numbers"
    assert offered["REF"].strategy == "redact"
    assert offered["MEMO"].reason == "1 of 50 sampled values contains an access key"
    assert mail.as_values()["note"] == f"Suggested: {mail.reason}"


def test_no_value_is_stored_shown_sent_or_logged(
    row: Connection,
    sent: list[dict[str, Any]],
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    django_capture_on_commit_callbacks: Any,
) -> None:
    caplog.set_level(logging.DEBUG)
    ada = Client()
    ada.force_login(factories.person("ada", Role.ADMIN))
    with django_capture_on_commit_callbacks(execute=True):
        ada.post(reverse("connections:sampling", args=["shop"]))
    tasks.sample_values(*sent[0]["args"])
    assert Sampling.objects.get().state == "done"
    part = ada.get(reverse("connections:sampling", args=["shop"]), headers={"HX-Request": "true"})
    pages = [
        part,
        ada.get(reverse("connections:protections", args=["shop"])),
        ada.get(reverse("connections:setup-step", args=["shop", "protections"])),
        ada.post(reverse("connections:accept-suggestions", args=["shop"]), {"then": "setup"}),
        ada.get(reverse("connections:setup-step", args=["shop", "protections"])),
        ada.get(reverse("connections:revisions", args=["shop"])),
        ada.get("/audit/"),
    ]
    assert "41 of 50 sampled values are e-mail addresses" in pages[1].content.decode()
    assert row.protections.count() == 5
    places = {
        "database": everything_stored(),
        "pages": "".join(page.content.decode() for page in pages),
        "messages": json.dumps(sent),
        "logs": caplog.text + "".join(capfd.readouterr()),
    }
    assert "41 of 50" in places["database"], "the net has holes"
    for where, text in places.items():
        for value in (CANARY, CANARY.upper(), CARD, "30 901820"):
            assert value not in text, where


def test_each_read_is_in_the_trail_before_it_is_sent(
    row: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_read: list[int] = []

    async def refuse(*_: Any, **__: Any) -> None:
        at_read.append(1)
        raise UpstreamError("002003", "02000", f"no such thing, {CANARY}")

    monkeypatch.setattr(sample, "read", refuse)
    found = run(row)
    assert at_read == [1]
    assert found.state == "done"
    assert found.skipped == [{"table": str(TABLE), "code": "002003"}]
    assert CANARY not in everything_stored()
    entry = AuditEntry.objects.get(action="values-sampled")
    assert entry.after is not None
    assert entry.after["statement"].startswith('SELECT LEFT(TO_VARCHAR("REACH_AT"), 256)')
    assert entry.after["statement"].endswith('FROM "SHOP"."CRM"."PLANTED" LIMIT 200')
    assert entry.actor["kind"] == "system"
    # What is protected already, and what no detector knows, is not even read.
    assert "EMAIL" not in entry.after["statement"]
    assert "AMOUNT" not in entry.after["statement"]


def test_nothing_is_sent_that_cannot_be_written_down(
    row: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []

    def broken(**_: Any) -> None:
        raise OSError

    monkeypatch.setattr(sample, "read", lambda *_, **__: read.append(1))
    asked = services.request_sampling(connection=row, by=None)
    monkeypatch.setattr(sampling, "audit", broken)
    tasks.sample_values(asked.pk)
    asked.refresh_from_db()
    assert asked.state == "failed"
    assert not read


def test_it_stays_within_its_bounds_and_the_connections(
    snowflake: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    more = [
        Table(ObjectName("SHOP", "CRM", f"Q{n:03}"), (Column("A", "TEXT"),)) for n in range(150)
    ]
    row = connection(snowflake, planted(*more), max_rows=10)
    asked: list[tuple[str, int]] = []

    async def read(_session: Any, sql: str, *, max_rows: int, **_: Any) -> Any:
        asked.append((sql, max_rows))
        columns = sql.count("LEFT(")
        return [["nothing"]] * columns, 1, 100

    monkeypatch.setattr(sample, "read", read)
    found = run(row)
    assert len(asked) == sampling.MAX_TABLES
    assert all(rows == 10 and sql.endswith("LIMIT 10") for sql, rows in asked)
    assert "51 more tables were left out" in found.cure
    monkeypatch.setattr(sampling, "MAX_BYTES", 250)
    asked.clear()
    found = run(row)
    assert (len(asked), found.state) == (3, "done")
    assert "148 more tables were left out" in found.cure


def test_views_and_what_no_detector_knows_are_left_alone() -> None:
    view = Table(ObjectName("D", "S", "V", "view"), (Column("A", "TEXT"),), "SELECT 1")
    odd = Table(
        ObjectName("D", "S", "T"),
        (
            Column("B", "BOOLEAN"),
            Column("D", "DATE"),
            Column("N", "NUMBER(10,0)"),
            Column("F", "FLOAT"),
        ),
    )
    assert sampling.looks_of(Catalogue.of([view, odd]), []) == ([], 0)


def test_a_stop_keeps_what_was_counted_and_reads_no_further(
    snowflake: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = connection(snowflake, planted(Table(ObjectName("A", "B", "C"), (Column("X", "TEXT"),))))
    read: list[str] = []

    async def one(_session: Any, sql: str, **_: Any) -> Any:
        read.append(sql)
        runs_stopped = runs.cancel_open
        await sync_to_async(runs_stopped)(Sampling, row, "Ada stopped it.")
        return [["a@b.example"]] * sql.count("LEFT("), 1, 10

    monkeypatch.setattr(sample, "read", one)
    found = run(row)
    assert len(read) == 1
    assert (found.state, found.detail) == ("cancelled", "Ada stopped it.")


def test_only_an_admin_may_have_values_read(row: Connection) -> None:
    for role in (Role.REVIEWER, Role.AUDITOR, Role.DEVELOPER):
        person = factories.person(None, role)
        with pytest.raises(NotAllowed):
            services.request_sampling(connection=row, by=person)
    assert not Sampling.objects.exists()


def test_nothing_is_read_of_what_is_disabled_or_unknown(row: Connection) -> None:
    enabled = factories.connection("other")
    services.disable_connection(connection=enabled, by=None)
    enabled.refresh_from_db()
    with pytest.raises(Conflict, match="disabled"):
        services.request_sampling(connection=enabled, by=None)
    services.enable_connection(connection=enabled, by=None)
    enabled.refresh_from_db()
    asked = services.request_sampling(connection=enabled, by=None)
    services.disable_connection(connection=enabled, by=None)
    tasks.sample_values(asked.pk)
    asked.refresh_from_db()
    assert asked.state == "failed"
    assert "is disabled" in asked.detail
    row.catalogue_version = 0
    with pytest.raises(Conflict, match="catalogue first"):
        services.request_sampling(connection=row, by=None)


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([], []),
        ([None, " ", ""], []),
        (["a@b.example", " c@d.example ", None], [("email", 2, 2, 2)]),
        (["write to a@b.example", "x"], [("email", 2, 0, 1)]),
        (["4111 1111 1111 1111", "4111 1111 1111 1112"], [("card", 2, 1, 1)]),
    ],
)
def test_counts(values: list[Any], found: list[tuple[str, int, int, int]]) -> None:
    _, counts = count(values)
    assert [(c.detector, c.sampled, c.whole, c.within) for c in counts] == found


def test_a_detector_of_ones_own_looks_too_and_one_that_is_off_does_not(row: Connection) -> None:
    services.create_detector(
        connection=row, by=None, name="order", label="Order number", pattern=r"paid [0-9]+"
    )
    services.set_detector_action(connection=row, by=None, name="card", action="off")
    row.refresh_from_db()
    run(row)
    offered = suggestions(row)
    assert offered["REMARK"].reason == "37 of 50 sampled values are hits of detector Order number"
    assert "REF" not in offered


def test_every_detector_has_words_and_a_share() -> None:
    assert set(SEEN) == {detector.name for detector in DETECTORS}


@pytest.mark.parametrize(
    ("detector", "sampled", "whole", "within", "says"),
    [
        ("email", 50, 41, 41, True),
        ("email", 200, 0, 10, False),
        ("card", 200, 20, 20, False),
        ("cloud-key", 200, 0, 1, True),
        ("email", 1, 1, 1, True),
    ],
)
def test_how_much_is_enough(
    detector: str, sampled: int, whole: int, within: int, *, says: bool
) -> None:
    assert Sampled("D", "S", "T", "C", detector, sampled, whole, within).says() is says

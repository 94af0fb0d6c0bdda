"""Files: a driver carries them where a rule lets it, and nobody keeps what opens the storage."""

import gzip
import time

import psycopg
import pytest
import requests
from snowflake.connector.errors import ProgrammingError

from connections.upstream.emulator.stages import SECRET_MARK
from tests.gateway.snowflake.test_statements import mark

pytestmark = [pytest.mark.faults]

_OPEN = """
import django; django.setup()
from django.db.models import F
from accounts.models import Agent
from connections.models import Connection
from tests import factories
row = factories.connection("files")
row.port = Connection.objects.get(name="shop").port
row.save()
row.rules.update(position=F("position") + 100)
for place, (slug, effect, classes, objects) in enumerate((
    ("gated", "review", ["put", "get"], ["SHOP.CRM.GATED"]),
    ("carry", "allow", ["put", "get", "list", "remove"], ["SHOP.CRM.FILES", "~"]),
    ("load", "allow", ["copy-in"], ["SHOP.CRM.FILES", "SHOP.RETAIL.ORDERS"]),
    ("unload", "allow", ["unload"], ["SHOP.CRM.FILES", "SHOP.CRM.CONTACTS"]),
)):
    row.rules.create(
        slug=slug, position=place, effect=effect, match={"classes": classes, "objects": objects}
    )
factories.allow(row, Agent.objects.get(name="cleaner"))
"""


@pytest.fixture(scope="module")
def files(wire):
    """A connection whose rules let files go to two stages, one of them after a review."""
    wire.warehouse.run("CREATE STAGE SHOP.CRM.FILES", "CREATE STAGE SHOP.CRM.GATED")
    wire._run("-c", _OPEN)
    with wire.connect("files") as connection:
        yield connection


@pytest.fixture
def table(tmp_path):
    name = mark()
    file = tmp_path / f"{name}.csv"
    file.write_text(f"501,{name},1.5\n502,{name},2.5\n")
    return file, name


def events(wire, query_id, kind, patience=0):
    until = time.monotonic() + patience
    while True:
        found = wire.rows(
            "SELECT e.data FROM recordings_event e JOIN gateway_statement s "
            "ON s.id = e.statement_id WHERE e.kind = %s AND s.upstream_query_id = %s",
            kind,
            query_id,
        )
        if found or time.monotonic() > until:
            return [data for (data,) in found]
        time.sleep(0.3)


def test_files_go_up_into_a_table_and_down(wire, files, table, tmp_path):
    file, name = table
    cursor = files.cursor()
    (row,) = cursor.execute(f"PUT file://{file} @FILES/{name}/ OVERWRITE=TRUE").fetchall()
    assert row[:2] == (file.name, f"{file.name}.gz")
    assert "UPLOADED" in row
    put = cursor.sfqid
    (outcome,) = events(wire, put, "outcome")
    transfer = outcome["transfer"]
    assert transfer["command"] == "UPLOAD"
    assert (transfer["stage"], transfer["path"]) == ("SHOP.CRM.FILES", f"/{name}/")
    assert transfer["files"] == [str(file)]
    assert transfer["storage"]["type"] == "LOCAL_FS"
    assert transfer["storage"]["location"].endswith(f"/SHOP/CRM/FILES/{name}")

    listed = cursor.execute(f"LIST @SHOP.CRM.FILES/{name}/").fetchall()
    assert [each[0] for each in listed] == [f"files/{name}/{file.name}.gz"]
    (loaded,) = cursor.execute(
        f"COPY INTO SHOP.RETAIL.ORDERS FROM @FILES/{name}/ FILE_FORMAT=(TYPE=CSV)"
    ).fetchall()
    assert "LOADED" in loaded
    assert wire.warehouse.run(f"SELECT COUNT(*) AS N FROM SHOP.RETAIL.ORDERS WHERE CITY='{name}'")[
        0
    ] == {"N": 2}

    target = tmp_path / "down"
    target.mkdir()
    (got,) = cursor.execute(f"GET @FILES/{name}/ file://{target}/").fetchall()
    assert "DOWNLOADED" in got
    assert gzip.decompress((target / f"{file.name}.gz").read_bytes()) == file.read_bytes()
    (measured,) = events(wire, cursor.sfqid, "transfer", patience=40)
    assert measured["listed"]
    assert [each["name"] for each in measured["files"]] == [f"files/{name}/{file.name}.gz"]

    # What lies there afterwards is recorded with its sizes, once.
    (measured,) = events(wire, put, "transfer", patience=40)
    (found,) = measured["files"]
    assert found["size"] == measured["size"] == listed[0][1]
    assert found["new"] is True
    assert found["md5"]

    cursor.execute(f"REMOVE @FILES/{name}/")
    assert cursor.execute(f"LIST @FILES/{name}/").fetchall() == []


def test_what_is_unloaded_is_masked(wire, files, tmp_path):
    name = mark()
    cursor = files.cursor()
    cursor.execute(
        f"COPY INTO @FILES/{name}/ FROM SHOP.CRM.CONTACTS FILE_FORMAT=(TYPE=CSV) HEADER=TRUE"
    )
    assert cursor.fetchall()[0][0] == 3
    cursor.execute(f"GET @FILES/{name}/ file://{tmp_path}/")
    (file,) = tmp_path.glob("*.gz")
    text = gzip.decompress(file.read_bytes()).decode()
    assert "Alice Ash" in text
    assert "***" in text
    assert "canary" not in text


def test_a_held_transfer_waits_for_its_reviewer_and_its_driver_carries_it(wire, files, table):
    file, name = table
    cursor = files.cursor()
    with wire.during(wire.vote, name):
        cursor.execute(f"PUT file://{file} @GATED/{name}/")
    assert "UPLOADED" in cursor.fetchone()
    (worker,) = wire.rows(
        "SELECT worker FROM gateway_statement WHERE upstream_query_id = %s", cursor.sfqid
    )[0]
    assert worker
    assert len(wire.warehouse.sent(f"GATED/{name}")) >= 1
    puts = [s for s in wire.warehouse.sent(f"GATED/{name}") if s["sql"].startswith("PUT")]
    assert len(puts) == 1, "it ran once"
    with (
        wire.during(wire.vote, f"{name}/again", "reject", "not this one"),
        pytest.raises(ProgrammingError, match="not this one"),
    ):
        cursor.execute(f"PUT file://{file} @GATED/{name}/again/")
    assert not wire.warehouse.sent(f"GATED/{name}/again")


def test_what_no_rule_lets_pass_stays_refused(wire, files, table):
    file, _ = table
    cursor = files.cursor()
    for sql in (
        f"PUT file://{file} @OTHER",
        f"PUT file://{file} @%CONTACTS",
        "COPY INTO @FILES FROM SHOP.RETAIL.ORDERS",
        "COPY INTO SHOP.CRM.CONTACTS FROM @FILES",
        "COPY INTO 's3://somewhere/x' FROM SHOP.CRM.CONTACTS",
        "LIST @GATED",
        "SELECT $1 FROM @FILES",
    ):
        with pytest.raises(ProgrammingError) as caught:
            cursor.execute(sql)
        assert caught.value.sqlstate == "42501", sql
    with pytest.raises(ProgrammingError, match="by themselves"):
        cursor.execute(f"SELECT 1; PUT file://{file} @FILES", num_statements=2)
    assert not wire.warehouse.sent("OTHER")


def test_only_a_driver_carries_files(wire, files, table):
    file, name = table
    sql = f"PUT file://{file} @SHOP.CRM.FILES/{name}"
    answer = wire.submit(sql, connection="files", wait=20)
    assert answer["state"] == "denied"
    assert "carried by a Snowflake driver" in str(answer)
    headers = {"Authorization": f"Bearer {wire.seeded['token']}", "X-Hoopweb-Connection": "files"}
    url = f"{wire.url}/api/v2/statements"
    refused = requests.post(url, json={"statement": sql}, headers=headers, timeout=30)
    assert refused.status_code == 422
    with pytest.raises(ProgrammingError, match="carried by a Snowflake driver"):
        files.cursor().describe(sql)
    assert not wire.warehouse.sent(name)
    listed = wire.submit("LIST @SHOP.CRM.FILES", connection="files", wait=20)
    assert listed["state"] == "succeeded"


def test_what_opens_the_storage_is_kept_nowhere(wire, files, table):
    """The driver was given it, so it did come through here."""
    file, name = table
    asked = {"sqlText": f"PUT file://{file} @FILES/{name}/", "sequenceId": 1}
    headers = {"Authorization": f'Snowflake Token="{files.rest.token}"'}
    url = f"{wire.url}/queries/v1/query-request?requestId={mark()}"
    given = requests.post(url, json=asked, headers=headers, timeout=30).json()
    secret = given["data"]["stageInfo"]["creds"]["AWS_SECRET_KEY"]
    assert secret.startswith(SECRET_MARK)
    with psycopg.connect(wire.database) as database:
        tables = database.execute(
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'"
        ).fetchall()
        for (found,) in tables:
            rows = database.execute(
                f'SELECT COUNT(*) FROM "{found}" t WHERE t::text LIKE %s',
                (f"%{SECRET_MARK}%",),
            ).fetchone()
            assert rows == (0,), found
    for log in wire.directory.rglob("*.log"):
        assert SECRET_MARK not in log.read_text(errors="replace"), log
    exported = wire.rows("SELECT data::text, payloads::text FROM recordings_event")
    assert SECRET_MARK not in str(exported)

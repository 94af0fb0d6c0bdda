"""Statements through the client: types, binds, limits, ends."""

import asyncio
import datetime as dt
import time
from decimal import Decimal

import pyarrow as pa
import pytest

from connections.upstream.client import connect
from connections.upstream.errors import StatementTimedOut, UpstreamError
from connections.upstream.types import FoundState

_TYPES = """
SELECT 1::NUMBER(38,0) AS N, 12.34::NUMBER(12,2) AS MONEY, 1.5::FLOAT AS F, 'é'::VARCHAR AS T,
       TRUE AS B, '2024-02-29'::DATE AS D, '01:02:03.5'::TIME AS C,
       '1969-12-31 23:59:59.25'::TIMESTAMP_NTZ AS NTZ,
       '2024-02-29 12:00:00'::TIMESTAMP_TZ AS TZ,
       TO_BINARY('FF00', 'HEX') AS X, PARSE_JSON('{"a":[1]}') AS V
UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
"""
_ROW = {
    "N": 1,
    "MONEY": Decimal("12.34"),
    "F": 1.5,
    "T": "é",
    "B": True,
    "D": dt.date(2024, 2, 29),
    "C": dt.time(1, 2, 3, 500000),
    "NTZ": dt.datetime(1969, 12, 31, 23, 59, 59, 250000),  # noqa: DTZ001
    "TZ": dt.datetime(2024, 2, 29, 12, tzinfo=dt.UTC),
    "X": b"\xff\x00",
    "V": '{"a":[1]}',
}


@pytest.mark.parametrize("form", ["ARROW", "JSON"])
async def test_types_are_kept_in_both_forms(session, form):
    handle = await session.submit(_TYPES, parameters={"PYTHON_CONNECTOR_QUERY_RESULT_FORMAT": form})
    result = await session.result(handle)
    first, empty = sorted(result.table.to_pylist(), key=lambda row: row["N"] is None)
    assert first == _ROW
    assert set(empty.values()) == {None}
    kinds = [str(field.type) for field in result.table.schema]
    assert kinds == [
        *("int64", "decimal128(12, 2)", "double", "string", "bool", "date32[day]", "time64[us]"),
        *("timestamp[us]", "timestamp[us, tz=UTC]", "binary", "string"),
    ]
    assert [column.type for column in result.rowtype][:3] == ["FIXED", "FIXED", "REAL"]


async def test_values_that_are_bound_come_back(session):
    given = [
        7,
        -1.25,
        "it's",
        None,
        True,
        dt.date(1965, 5, 4),
        dt.datetime(2024, 1, 2, 3, 4, 5, 678901),  # noqa: DTZ001
        b"\x00\x01",
        Decimal("12.50"),
    ]
    handle = await session.submit(
        "SELECT CAST(? AS INT), CAST(? AS FLOAT), CAST(? AS TEXT), CAST(? AS TEXT), "
        "CAST(? AS BOOLEAN), CAST(? AS DATE), CAST(? AS TIMESTAMP_NTZ), CAST(? AS BINARY), "
        "CAST(? AS NUMBER(10,2))",
        binds=given,
    )
    table = (await session.result(handle)).table
    assert [column.to_pylist() for column in table.columns] == [[value] for value in given]


async def test_a_statement_is_sent_once_under_its_own_id_and_tag(emulator, session):
    handle = await session.submit(
        "INSERT INTO RETAIL.STORES (STORE_ID, NAME) VALUES (?, ?)",
        binds=[900, "Once"],
        request_id="0b0e0c9e-0000-4000-8000-000000000001",
        tag='{"hoopweb": "tag-once"}',
        timeout=30,
    )
    result = await session.result(handle)
    assert (result.counts, result.affected) == ({"number of rows inserted": 1}, 1)
    assert result.stats["numRowsInserted"] == 1
    (entry,) = emulator.call("GET", "statements?tag=tag-once")
    assert entry["request_id"] == "0b0e0c9e-0000-4000-8000-000000000001"
    assert (entry["executions"], entry["requests"]) == (1, 1)
    assert entry["parameters"]["STATEMENT_TIMEOUT_IN_SECONDS"] == 30
    assert entry["query_id"] == handle.query_id == result.query_id


@pytest.mark.parametrize("form", ["ARROW", "JSON"])
async def test_chunks_are_fetched_in_order_and_only_as_far_as_needed(session, form):
    parameters = {"PYTHON_CONNECTOR_QUERY_RESULT_FORMAT": form}
    sql = "SELECT LINE_ID, AMOUNT FROM RETAIL.ORDER_LINES ORDER BY LINE_ID LIMIT 9001"
    whole = await session.result(await session.submit(sql, parameters=parameters))
    assert whole.table.column("LINE_ID").to_pylist() == list(range(1, 9002))
    assert (whole.total, whole.truncated) == (9001, False)
    few = await session.result(await session.submit(sql, parameters=parameters), max_rows=4500)
    assert (few.table.num_rows, few.total, few.truncated) == (4500, 9001, True)
    small = await session.result(await session.submit(sql), max_bytes=50_000)
    assert 0 < small.table.nbytes <= 50_000
    assert small.truncated


async def test_parts_stream_without_holding_the_whole(session):
    handle = await session.submit("SELECT LINE_ID FROM RETAIL.ORDER_LINES LIMIT 7000")
    sizes = [part.num_rows async for part in session.parts(handle)]
    assert sizes == [2000, 2000, 2000, 1000]


async def test_an_empty_result_has_its_columns(session):
    table = await session.fetch("SELECT LINE_ID, AMOUNT FROM RETAIL.ORDER_LINES WHERE 1 = 0")
    assert table.schema.types == [pa.int64(), pa.decimal128(12, 2)]
    assert table.num_rows == 0


async def test_repeated_column_names_stay_apart(session):
    table = await session.fetch("SELECT 1 AS A, 'x' AS A")
    assert [column.to_pylist() for column in table.columns] == [[1], ["x"]]


async def test_a_long_statement_is_polled_until_it_ends(session):
    began = time.monotonic()
    for asynchronous in (True, False):
        handle = await session.submit("SELECT SYSTEM$WAIT(2.5)", asynchronous=asynchronous)
        assert (await session.result(handle)).table.num_rows == 1
    assert time.monotonic() - began > 5


async def test_an_error_keeps_code_sqlstate_and_query_id(session):
    handle = await session.submit("SELECT * FROM SHOP.RETAIL.NOWHERE")
    with pytest.raises(UpstreamError) as failed:
        await session.result(handle)
    assert (failed.value.code, failed.value.sqlstate) == ("002003", "42S02")
    assert failed.value.query_id == handle.query_id


async def test_an_overrun_is_ended_upstream(emulator, session):
    handle = await session.submit("SELECT SYSTEM$WAIT(60)", tag="overrun", timeout=1.5)
    with pytest.raises(StatementTimedOut):
        await session.result(handle)
    (entry,) = emulator.call("GET", "statements?tag=overrun")
    assert entry["status"] == "ABORTED"


async def test_real_work_is_ended_too(session):
    handle = await session.submit(
        "SELECT COUNT(*) FROM RETAIL.ORDER_LINES A, RETAIL.ORDER_LINES B, RETAIL.ORDER_LINES C",
        timeout=1,
    )
    with pytest.raises(StatementTimedOut):
        await session.result(handle)


async def test_abort_ends_a_statement_and_says_when_it_was_too_late(session):
    handle = await session.submit("SELECT SYSTEM$WAIT(60)")
    waiting = asyncio.create_task(session.result(handle))
    await asyncio.sleep(0.3)
    assert await session.abort(handle) is True
    with pytest.raises(UpstreamError) as ended:
        await waiting
    assert (ended.value.code, ended.value.sqlstate) == ("000604", "57014")
    assert await session.abort(handle) is False


async def test_abort_by_request_id(session):
    request_id = "0b0e0c9e-0000-4000-8000-00000000000a"
    waiting = asyncio.create_task(
        session.submit("SELECT SYSTEM$WAIT(60)", request_id=request_id, asynchronous=False)
    )
    await asyncio.sleep(0.3)
    assert await session.abort_request(request_id) is True
    with pytest.raises(UpstreamError, match="000604"):
        await waiting
    assert await session.abort_request("never-sent") is False


async def test_an_asynchronous_statement_outlives_its_session(emulator):
    async with connect(emulator.target()) as first:
        handle = await first.submit(
            "CREATE OR REPLACE TABLE RETAIL.LATE AS SELECT SYSTEM$WAIT(1) AS N"
        )
    async with connect(emulator.target()) as second:
        await second.result(second.handle(handle.query_id, timeout=10))
        assert (await second.fetch("SELECT COUNT(*) AS N FROM RETAIL.LATE")).num_rows == 1
        await second.fetch("DROP TABLE RETAIL.LATE")


async def test_what_became_of_a_statement(emulator, session):
    done = await session.submit("SELECT 42 AS N", tag="found-done")
    await session.result(done)
    failed = await session.submit("SELECT * FROM SHOP.RETAIL.NOWHERE", tag="found-failed")
    running = await session.submit("SELECT SYSTEM$WAIT(5)", tag="found-running")
    async with connect(emulator.target()) as other:
        found = await other.find(tag="found-done")
        assert (found.state, found.query_id) == (FoundState.SUCCEEDED, done.query_id)
        result = await other.result(other.handle(done.query_id, timeout=5))
        assert result.table.to_pylist() == [{"N": 42}]
        found = await other.find(tag="found-failed")
        assert (found.state, found.error_code) == (FoundState.FAILED, "002003")
        assert found.query_id == failed.query_id
        assert (await other.find(request_id="found-running")).state == FoundState.RUNNING
        assert (await other.find(tag="never")).state == FoundState.NOT_FOUND
    await session.abort(running)


async def test_the_query_context_is_handed_back(session):
    await session.fetch("SELECT 1")
    assert list(session._query_context) == [0]

"""The emulator under Snowflake's own connector: what it promises is what drivers need."""

import concurrent.futures
import time
import uuid

import aiohttp
import pytest
import snowflake.connector
from snowflake.connector.errors import DatabaseError, ProgrammingError

from tests.connections.upstream.emulators import PASSWORD, running


@pytest.fixture
def driver(emulator):
    connection = _connect(emulator)
    yield connection
    connection.close()


def _connect(emulator, **other):
    return snowflake.connector.connect(
        account="LOCAL",
        user="HOOPWEB",
        password=PASSWORD,
        host="127.0.0.1",
        port=emulator.port,
        protocol="http",
        database="SHOP",
        schema="RETAIL",
        role="ANALYST",
        warehouse="SMALL",
        platform_detection_timeout_seconds=0.0,
        **other,
    )


def _one(connection, sql, binds=None):
    with connection.cursor() as cursor:
        return cursor.execute(sql, binds).fetchone()


def test_a_session_knows_itself(driver):
    names = "CURRENT_USER(), CURRENT_ROLE(), CURRENT_WAREHOUSE(), CURRENT_DATABASE()"
    assert _one(driver, f"SELECT {names}") == ("HOOPWEB", "ANALYST", "SMALL", "SHOP")
    _one(driver, "USE ROLE GATEWAY")
    _one(driver, "USE WAREHOUSE LARGE")
    found = _one(driver, "SELECT CURRENT_ROLE(), CURRENT_WAREHOUSE()")
    assert found == ("GATEWAY", "LARGE")


def test_a_million_cells_in_chunks(driver):
    with driver.cursor() as cursor:
        cursor.execute("SELECT LINE_ID, AMOUNT FROM ORDER_LINES ORDER BY LINE_ID")
        rows = cursor.fetchall()
    assert len(rows) == 20_000
    assert [row[0] for row in rows] == list(range(1, 20_001))


def test_money_adds_up_exactly(driver):
    total = _one(driver, "SELECT SUM(TOTAL) FROM ORDERS")[0]
    assert total.as_tuple().exponent == -2


def test_columns_are_named_by_their_text(driver):
    with driver.cursor() as cursor:
        cursor.execute("SELECT count(*), sum(total), current_role(), 1 + 1 FROM orders")
        names = [column.name for column in cursor.description]
    assert names == ["COUNT(*)", "SUM(TOTAL)", "CURRENT_ROLE()", "1 + 1"]


def test_places_of_values_and_functions_that_nobody_made(driver):
    """Snowpark describes data frames by the one, dbt lists relations by the other."""
    sql = "SELECT $1 AS \"ID\", $2 AS WHO FROM VALUES (0 :: BIGINT, 'a' :: STRING), (1, 'b')"
    with driver.cursor() as cursor:
        assert [column.name for column in cursor.describe(sql)] == ["ID", "WHO"]
        assert cursor.execute(sql).fetchall() == [(0, "a"), (1, "b")]
        cursor.execute("show user functions in SHOP.RETAIL /* dbt */")
        assert cursor.fetchall() == []
        assert "is_builtin" in [column.name for column in cursor.description]


def test_asynchronous_statements_and_results_by_id(driver):
    with driver.cursor() as cursor:
        cursor.execute_async("SELECT SYSTEM$WAIT(1)")
        query_id = cursor.sfqid
        assert driver.is_still_running(driver.get_query_status(query_id))
        cursor.get_results_from_sfqid(query_id)
        assert cursor.fetchall() == [("waited 1 seconds",)]
    assert driver.get_query_status(query_id).name == "SUCCESS"


def test_the_last_result_can_be_read_by_its_id(driver):
    with driver.cursor() as cursor:
        cursor.execute("SELECT 42 AS N")
        first = cursor.sfqid
        assert cursor.execute("SELECT LAST_QUERY_ID()").fetchone() == (first,)
        assert cursor.execute(f"SELECT * FROM TABLE(RESULT_SCAN('{first}'))").fetchone() == (42,)


def test_dml_counts_many_rows_and_nulls(driver):
    with driver.cursor() as cursor:
        cursor.execute("CREATE OR REPLACE TABLE BOUND (A INT, B VARCHAR)")
        rows = [(1, "x"), (2, None), (3, "z")]
        cursor.executemany("INSERT INTO BOUND VALUES (%s, %s)", rows)
        assert cursor.rowcount == 3
        assert sorted(cursor.execute("SELECT * FROM BOUND").fetchall()) == rows
        cursor.execute("UPDATE BOUND SET B = 'y' WHERE A < 3")
        assert cursor.rowcount == 2
        cursor.execute("DROP TABLE BOUND")


def test_transactions_and_session_state(driver, emulator):
    with driver.cursor() as cursor:
        cursor.execute("CREATE OR REPLACE TABLE TRIED (A INT)")
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO TRIED VALUES (1)")
        cursor.execute("ROLLBACK")
        assert cursor.execute("SELECT COUNT(*) FROM TRIED").fetchone() == (0,)
        cursor.execute("SET N = 5")
        assert cursor.execute("SELECT $N").fetchone() == (5,)
        cursor.execute("DROP TABLE TRIED")


def test_errors_carry_number_and_sqlstate(driver):
    for sql, number, state in [
        ("SELECT * FROM NOWHERE", 2003, "42S02"),
        ("SELECT FROM WHERE", 1003, "42000"),
        ("SELECT NOTHING FROM STORES", 2043, "02000"),
        ("SELECT CAST('x' AS INT)", 100035, "22007"),
    ]:
        with pytest.raises(ProgrammingError) as failed:
            _one(driver, sql)
        assert (failed.value.errno, failed.value.sqlstate) == (number, state)
        assert failed.value.sfqid


def test_the_tag_of_session_and_statement_is_in_history(driver, emulator):
    _one(driver, "ALTER SESSION SET QUERY_TAG = 'of-the-session'")
    _one(driver, "SELECT 1 /* tagged */")
    (entry,) = emulator.sent("/* tagged */")
    assert entry["query_tag"] == "of-the-session"
    with driver.cursor() as cursor:
        cursor.execute(
            "SELECT QUERY_TEXT FROM TABLE(INFORMATION_SCHEMA.QUERY_HISTORY(RESULT_LIMIT => 50)) "
            "WHERE QUERY_TAG = 'of-the-session' AND EXECUTION_STATUS = 'SUCCESS'"
        )
        assert ("SELECT 1 /* tagged */",) in cursor.fetchall()


def test_a_timeout_cancels(driver, emulator):
    with pytest.raises((ProgrammingError, DatabaseError)), driver.cursor() as cursor:
        cursor.execute("SELECT SYSTEM$WAIT(30) /* too-long */", timeout=1)
    deadline = time.monotonic() + 5
    while emulator.sent("too-long")[0]["status"] == "RUNNING" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert emulator.sent("too-long")[0]["status"] == "ABORTED"


def test_the_connector_repeats_after_a_503_and_it_runs_once(driver, emulator):
    emulator.fault(match="repeat-me", status_after=503)
    _one(driver, "UPDATE STORES SET FLOOR_SPACE = FLOOR_SPACE + 1 /* repeat-me */")
    (entry,) = emulator.sent("repeat-me")
    assert (entry["executions"], entry["requests"]) == (1, 2)


def test_writers_of_one_table_wait_for_each_other(emulator):
    _one(setup := _connect(emulator), "CREATE OR REPLACE TABLE COUNTED AS SELECT 0 AS N")

    def add(_: int) -> None:
        connection = _connect(emulator)
        for _ in range(5):
            _one(connection, "UPDATE COUNTED SET N = N + 1")
        connection.close()

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(4)))
    assert _one(setup, "SELECT N FROM COUNTED") == (20,)
    _one(setup, "DROP TABLE COUNTED")
    setup.close()


async def test_one_request_id_is_one_execution_whatever_arrives_when(emulator):
    async with aiohttp.ClientSession(emulator.url) as http:
        login = {"data": {"LOGIN_NAME": "HOOPWEB", "PASSWORD": PASSWORD, "SESSION_PARAMETERS": {}}}
        async with http.post("/session/v1/login-request?roleName=GATEWAY", json=login) as answer:
            data = (await answer.json())["data"]
        headers = {"Authorization": f'Snowflake Token="{data["token"]}"'}
        assert isinstance(data["sessionId"], int)
        request = f"/queries/v1/query-request?requestId={uuid.uuid4()}"
        body = {"sqlText": "SELECT SYSTEM$WAIT(0.5) /* joined */"}
        ids = set()
        for _ in range(3):
            async with http.post(request, json=body, headers=headers) as answer:
                ids.add((await answer.json())["data"]["queryId"])
        assert len(ids) == 1
        (entry,) = emulator.sent("joined")
        assert (entry["executions"], entry["requests"]) == (1, 3)
        stranger = {"Authorization": 'Snowflake Token="guessed"'}
        async with http.get(f"/queries/{ids.pop()}/result", headers=stranger) as answer:
            assert (await answer.json())["code"] == "390104"
        async with http.get(f"/_emulator/chunks/{entry['query_id']}/0") as answer:
            assert answer.status == 403


def test_data_history_and_stages_outlive_a_restart(tmp_path):
    arguments = ("--data", str(tmp_path), "--warehouse", "small")
    with running(*arguments) as emulator:
        connection = _connect(emulator)
        _one(connection, "CREATE TABLE KEPT (NAME VARCHAR(20))")
        _one(connection, "INSERT INTO KEPT VALUES ('here')")
        connection.close()
        emulator.process.kill()
    with running(*arguments) as emulator:
        connection = _connect(emulator)
        assert _one(connection, "SELECT NAME FROM KEPT") == ("here",)
        assert emulator.sent("INSERT INTO KEPT")[0]["status"] == "SUCCESS"
        length = "SELECT CHARACTER_MAXIMUM_LENGTH FROM INFORMATION_SCHEMA.COLUMNS"
        assert _one(connection, f"{length} WHERE TABLE_NAME = 'KEPT'") == (20,)
        assert _one(connection, "SHOW STAGES IN DATABASE SHOP")[1] == "EXPORTS"
        connection.close()


def test_a_second_process_on_the_same_data_is_told_to_go_elsewhere(tmp_path):
    arguments = ("--data", str(tmp_path), "--warehouse", "none")
    with (
        running(*arguments),
        pytest.raises(AssertionError, match="did not start"),
        running(*arguments),
    ):
        pass

"""Several statements in one text at the emulator: cut, counted and given their values."""

import pytest
import snowflake.connector
from snowflake.connector.errors import ProgrammingError

from connections.upstream.emulator import several
from connections.upstream.emulator.values import SqlError
from tests.connections.upstream.emulators import PASSWORD


@pytest.fixture
def driver(emulator):
    with snowflake.connector.connect(
        account="LOCAL",
        user="HOOPWEB",
        password=PASSWORD,
        host="127.0.0.1",
        port=emulator.port,
        protocol="http",
        database="SHOP",
        schema="RETAIL",
        role="ANALYST",
        paramstyle="qmark",
        platform_detection_timeout_seconds=0.0,
    ) as connection:
        yield connection


def _all(cursor):
    found = [cursor.fetchall()]
    while cursor.nextset():
        found.append(cursor.fetchall())
    return found


@pytest.mark.parametrize(
    ("sql", "texts"),
    [
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT ';'; SELECT 2;", ["SELECT ';'", " SELECT 2"]),
        ("SELECT 1 -- a; b\n; /* c; d */ ;", ["SELECT 1 -- a; b\n"]),
    ],
)
def test_a_text_is_cut_at_its_semicolons(sql, texts):
    assert [part.sql for part in several.cut(sql, 0, None)] == texts


def test_values_go_to_the_placeholders_in_order():
    bindings = {str(n): {"type": "FIXED", "value": str(n * 10)} for n in range(1, 4)}
    parts = several.cut("SELECT ?; SELECT '?'; SELECT ?, ?", 3, bindings)
    assert [part.bindings for part in parts] == [
        {"1": bindings["1"]},
        None,
        {"1": bindings["2"], "2": bindings["3"]},
    ]
    with pytest.raises(SqlError, match="Bind variable 1 is not set"):
        several.cut("SELECT ?, ?, ?; SELECT ?, ?", 2, bindings)


def test_each_part_has_its_result(driver):
    with driver.cursor() as cursor:
        cursor.execute("SELECT 1 AS A; SELECT 'x' AS B; SELECT 3 AS C", num_statements=3)
        assert _all(cursor) == [[(1,)], [("x",)], [(3,)]]
        cursor.execute("SELECT ?; SELECT ?, ?", (1, 2, "three"), num_statements=0)
        assert _all(cursor) == [[(1,)], [(2, "three")]]


def test_what_changes_says_how_much(driver):
    with driver.cursor() as cursor:
        cursor.execute(
            "CREATE OR REPLACE TABLE MANY (A INT); INSERT INTO MANY VALUES (1), (2); "
            "SELECT COUNT(*) FROM MANY; DROP TABLE MANY",
            num_statements=4,
        )
        found = _all(cursor)
    assert [found[1], found[2]] == [[(2,)], [(2,)]]


def test_the_count_is_held(driver):
    with driver.cursor() as cursor:
        for count in (None, 1, 3):
            given = {} if count is None else {"num_statements": count}
            with pytest.raises(ProgrammingError) as failed:
                cursor.execute("SELECT 1; SELECT 2", **given)
            assert failed.value.errno == 8


def test_the_first_failure_ends_it(driver, emulator):
    with driver.cursor() as cursor:
        with pytest.raises(ProgrammingError) as failed:
            cursor.execute("SELECT 1; SELECT * FROM NOWHERE; SELECT 'never'", num_statements=0)
        assert failed.value.errno == 2003
    assert [each["sql"] for each in emulator.sent("'never'")] == [
        "SELECT 1; SELECT * FROM NOWHERE; SELECT 'never'"
    ]

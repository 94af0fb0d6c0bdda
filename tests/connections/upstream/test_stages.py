"""The emulator's stages under Snowflake's own connector, without a gateway."""

import gzip

import pytest
import snowflake.connector
from snowflake.connector.errors import ProgrammingError

from tests.connections.upstream.emulators import PASSWORD


@pytest.fixture
def cursor(emulator):
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
        platform_detection_timeout_seconds=0.0,
    ) as connection:
        yield connection.cursor()


@pytest.mark.parametrize("stage", ["@TRIED/a b/", "@~/mine/", "@%STORES/", "@SHOP.RETAIL.TRIED/x"])
def test_files_go_up_and_down_and_away(cursor, tmp_path, stage):
    cursor.execute("CREATE STAGE IF NOT EXISTS TRIED")
    named = f"'{stage}'" if " " in stage else stage
    file, target = tmp_path / "rows.csv", tmp_path / "down"
    file.write_text("1,2\n")
    target.mkdir()
    cursor.execute(f"PUT file://{file} {named} OVERWRITE=TRUE")
    listed = cursor.execute(f"LIST {named}").fetchall()
    assert [each[0].rpartition("/")[2] for each in listed] == ["rows.csv.gz"]
    cursor.execute(f"GET {named} file://{target}/")
    assert gzip.decompress((target / "rows.csv.gz").read_bytes()) == b"1,2\n"
    assert cursor.execute(f"REMOVE {named}").fetchall()[0][1] == "removed"
    assert cursor.execute(f"LIST {named}").fetchall() == []


def test_rows_are_unloaded_and_loaded(cursor):
    cursor.execute("CREATE OR REPLACE STAGE ROUND")
    cursor.execute("CREATE OR REPLACE TABLE THERE (A INT, B VARCHAR)")
    cursor.execute("CREATE OR REPLACE TABLE BACK (A INT, B VARCHAR)")
    cursor.execute("INSERT INTO THERE VALUES (1, 'x'), (2, 'y')")
    counts = cursor.execute("COPY INTO @ROUND/out/ FROM (SELECT * FROM THERE)").fetchone()
    assert counts[0] == 2
    cursor.execute("COPY INTO BACK FROM @ROUND/out/ FILE_FORMAT=(TYPE=CSV)")
    assert cursor.execute("SELECT * FROM BACK ORDER BY 1").fetchall() == [(1, "x"), (2, "y")]


def test_a_stage_that_is_not_there(cursor, tmp_path):
    for sql in ("LIST @NOWHERE", f"GET @NOWHERE file://{tmp_path}/"):
        with pytest.raises(ProgrammingError) as failed:
            cursor.execute(sql)
        assert (failed.value.errno, failed.value.sqlstate) == (2003, "02000")

"""What the door is made of, piece by piece."""

import gzip
import json
from datetime import UTC, date, datetime, time
from decimal import Decimal

import pyarrow as pa
import pytest

from connections.sql import guard
from gateway.snowflake import bodies, jsonv2, parameters, prompts
from gateway.snowflake.errors import Refusal


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("SELECT 1", ["SELECT 1"]),
        ("SELECT 1;", ["SELECT 1"]),
        ("SELECT ';'; -- a; b\n SELECT 2 /* ; */;;", ["SELECT ';'", " -- a; b\n SELECT 2 /* ; */"]),
        ('SELECT 1 AS "a;b"; SELECT $$ ; $$', ['SELECT 1 AS "a;b"', " SELECT $$ ; $$"]),
        (" -- nothing", []),
    ],
)
def test_a_text_is_cut_where_the_judge_counts(text, parts):
    assert guard.split(text) == parts
    assert guard.scan(text).statements == len(parts)
    assert all(guard.scan(part).statements == 1 for part in parts)


@pytest.mark.parametrize(
    ("tag", "prompt"),
    [
        ("", ""),
        (None, ""),
        ("nightly report", "nightly report"),
        ('{"prompt": " count it "}', "count it"),
        ('{"app": "dbt"}', ""),
        ('{"prompt": 7}', ""),
        ("{broken", "{broken"),
    ],
)
def test_the_prompt_in_a_query_tag(tag, prompt):
    assert prompts.prompt_of(tag) == prompt


def test_a_trace_is_one_or_nothing():
    header = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert prompts.trace_of(header) == header
    assert prompts.trace_of("00-nonsense") == ""
    assert prompts.trace_of(None) == ""


def test_only_permitted_parameters_go_on():
    asked = []

    def allowed(text: str) -> bool:
        asked.append(text)
        return "TIMEZONE" in text

    given = {
        "timezone": "Europe/O'slo",
        "CLIENT_PREFETCH_THREADS": 8,
        "QUERY_TAG": "secret",
        "MULTI_STATEMENT_COUNT": "0",
        "x; DROP TABLE": 1,
    }
    found = parameters.forwarded(given, client="PythonConnector", allowed=allowed)
    assert found == {"TIMEZONE": "Europe/O'slo"}
    assert "ALTER SESSION SET TIMEZONE = 'Europe/O''slo'" in asked
    assert not any("DROP" in text for text in asked)
    node = parameters.forwarded({}, client="JavaScript", allowed=allowed)
    assert node == {"PYTHON_CONNECTOR_QUERY_RESULT_FORMAT": "JSON"}


def test_what_is_the_gateways_to_say_stays_said():
    told = parameters.corrected(
        [
            {"name": "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD", "value": 65280},
            {"name": "TIMEZONE", "value": "Europe/Oslo"},
            {"name": "CLIENT_MEMORY_LIMIT", "value": 100},
        ]
    )
    assert {each["name"]: each["value"] for each in told} == {
        "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD": 0,
        "TIMEZONE": "Europe/Oslo",
        "CLIENT_MEMORY_LIMIT": 100,
        "CLIENT_RESULT_CHUNK_SIZE": 160,
        "CLIENT_PREFETCH_THREADS": 4,
    }
    assert {each["name"] for each in parameters.corrected(None)} == {
        "CLIENT_MEMORY_LIMIT",
        "CLIENT_RESULT_CHUNK_SIZE",
        "CLIENT_PREFETCH_THREADS",
    }


def test_the_sql_api_writes_values_as_texts():
    table = pa.table(
        {
            "N": pa.array([Decimal("1.50"), None]),
            "B": [True, False],
            "D": [date(1970, 1, 3), None],
            "T": pa.array([time(1, 0, 0, 5), None], pa.time64("us")),
            "M": pa.array([datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)] * 2),
            "X": [b"\x01\xff", None],
        }
    )
    columns = [
        {"name": name, "type": kind}
        for name, kind in [
            ("N", "NUMBER(10,2)"),
            ("B", "BOOLEAN"),
            ("D", "DATE"),
            ("T", "TIME"),
            ("M", "TIMESTAMP_TZ(9)"),
            ("X", "BINARY"),
        ]
    ]
    first, second = jsonv2.rows(table, columns)
    assert first == ["1.50", "true", "2", "3600.000005000", "1.000000000 1440", "01FF"]
    assert second[:4] == [None, "false", None, None]
    described = jsonv2.row_type(columns)
    assert (described[0]["type"], described[0]["precision"], described[0]["scale"]) == (
        "fixed",
        10,
        2,
    )


class _Request:
    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    async def body(self) -> bytes:
        return self._raw


async def test_bodies_come_zipped_or_not_and_never_too_large():
    plain = json.dumps({"a": 1}).encode()
    assert await bodies.body_of(_Request(plain)) == {"a": 1}
    assert await bodies.body_of(_Request(gzip.compress(plain))) == {"a": 1}
    for raw in (
        b"[1]",
        b"nonsense",
        gzip.compress(plain)[:-9],
        gzip.compress(b" " * bodies.MOST * 2),
    ):
        with pytest.raises(Refusal):
            await bodies.body_of(_Request(raw))

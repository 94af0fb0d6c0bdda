"""Large results: part by part through the gateway, detected, recorded, and nobody else's."""

import asyncio

import pytest
import requests
from django.db import OperationalError
from snowflake.connector.errors import ProgrammingError

from gateway.snowflake import app
from gateway.wire_sessions import SessionOver

pytestmark = [pytest.mark.faults]

# 3 to the power of 5 rows, in parts of a hundred.
MANY = (
    "SELECT a.ORDER_ID AS N, 'mail joe@mail.example' AS NOTE "
    "FROM {0} a, {0} b, {0} c, {0} d, {0} e "
    "WHERE a.ORDER_ID < 13 AND b.ORDER_ID < 13 AND c.ORDER_ID < 13 AND d.ORDER_ID < 13 "
    "AND e.ORDER_ID < 13"
).format("SHOP.RETAIL.ORDERS")


def asked(wire, connection, request_id):
    """What the gateway answers on a large result, before a driver makes rows of it."""
    answer = requests.post(
        f"{wire.url}/queries/v1/query-request?requestId={request_id}",
        json={"sqlText": MANY, "sequenceId": 1},
        headers={"Authorization": f'Snowflake Token="{connection.rest.token}"'},
        timeout=30,
    )
    return answer.json()["data"]


@pytest.mark.parametrize("form", ["ARROW", "JSON"])
def test_every_part_is_masked_and_recorded(wire, form):
    parameters = {"PYTHON_CONNECTOR_QUERY_RESULT_FORMAT": form}
    with wire.connect(session_parameters=parameters) as connection:
        cursor = connection.cursor().execute(MANY)
        rows = cursor.fetchall()
        query_id = cursor.sfqid
    assert len(rows) == 243
    assert {note for _, note in rows} == {"mail [email]"}
    assert {n for n, _ in rows} == {10, 11, 12}
    parts = wire.rows(
        "SELECT e.data->>'part', e.data->>'rows' FROM recordings_event e "
        "JOIN gateway_statement s ON s.id = e.statement_id "
        "WHERE s.upstream_query_id = %s AND e.kind = 'result-part' ORDER BY 1",
        query_id,
    )
    assert parts == [("0", "100"), ("1", "43")]
    (statement,) = wire.rows(
        "SELECT row_count FROM gateway_statement WHERE upstream_query_id = %s", query_id
    )
    assert statement == (243,)


def test_a_part_opens_only_with_its_secret(wire):
    with wire.connect() as connection:
        answer = asked(wire, connection, "parts-1")
        url, headers = answer["chunks"][0]["url"], answer["chunkHeaders"]
        assert url.startswith(wire.url)
        assert "qrmk" not in answer
        for _ in range(2):  # drivers ask again when a transfer broke
            whole = requests.get(url, headers=headers, timeout=30)
            assert whole.status_code == 200
            assert whole.headers["Content-Encoding"] == "gzip"
        assert requests.get(url, timeout=30).status_code == 403
        assert requests.get(url[:-1] + "9", headers=headers, timeout=30).status_code == 403


def test_a_part_is_for_those_who_still_may(wire):
    """What was opened for a first part is asked about again before each of the others."""
    with wire.connect() as connection:
        answer = asked(wire, connection, "parts-2")
        url, headers = answer["chunks"][0]["url"], answer["chunkHeaders"]
        assert requests.get(url, headers=headers, timeout=30).status_code == 200
        access = wire.rows("SELECT id, valid_until FROM connections_access")
        wire.write("UPDATE connections_access SET valid_until = now() - interval '1 second'")
        try:
            refused = requests.get(url, headers=headers, timeout=30)
            assert (refused.status_code, refused.text) == (403, "no such part")
        finally:
            for row, until in access:
                wire.write(
                    "UPDATE connections_access SET valid_until = %s WHERE id = %s", until, row
                )
        assert requests.get(url, headers=headers, timeout=30).status_code == 200


def test_a_part_goes_on_when_something_of_the_session_has_changed(wire):
    """Other statements of the session move its place while its parts are fetched."""
    with wire.connect() as connection:
        answer = asked(wire, connection, "parts-3")
        url, headers = answer["chunks"][0]["url"], answer["chunkHeaders"]
        whole = requests.get(url, headers=headers, timeout=30)
        for _ in range(3):
            connection.cursor().execute("USE SCHEMA SHOP.CRM")
            connection.cursor().execute("USE SCHEMA SHOP.RETAIL")
            again = requests.get(url, headers=headers, timeout=30)
            assert (again.status_code, again.content) == (200, whole.content)
    parts = wire.rows(
        "SELECT count(*) FROM recordings_event e JOIN gateway_statement s ON s.id = e.statement_id "
        "WHERE s.upstream_query_id = %s AND e.kind = 'result-part'",
        answer["queryId"],
    )
    assert parts == [(1,)], "written down once, however often it is fetched"


def test_a_part_may_be_fetched_after_the_session(wire):
    """A driver's batches go on to other processes, which ask when the connection is closed."""
    with wire.connect() as connection:
        first, *later = connection.cursor().execute(MANY).get_result_batches()
    assert len(first.to_arrow()) + sum(len(batch.to_arrow()) for batch in later) == 243
    ends = wire.rows(
        "SELECT e.kind, r.ended_at IS NULL FROM recordings_event e "
        "JOIN recordings_session r ON r.id = e.session_id ORDER BY e.at DESC LIMIT 1"
    )
    assert ends == [("result-part", True)], "in a recording that is open"


def test_more_rows_than_the_connection_hands_out_are_none(wire):
    wire.write("UPDATE connections_connection SET max_rows = 50 WHERE name = 'vault'")
    try:
        with (
            wire.connect("vault") as connection,
            pytest.raises(ProgrammingError, match="hands out at most 50"),
        ):
            connection.cursor().execute(MANY)
    finally:
        wire.write("UPDATE connections_connection SET max_rows = 10000 WHERE name = 'vault'")


@pytest.mark.parametrize(
    ("failure", "status"),
    [(RuntimeError("rows"), 500), (OperationalError("gone"), 503), (SessionOver("over"), 500)],
)
def test_what_is_no_part_is_never_answered_as_one(failure, status):
    async def handle(request):
        raise failure

    answer = asyncio.run(app._part("/part", handle).endpoint(None))
    assert answer.status_code == status
    assert b"rows" not in answer.body

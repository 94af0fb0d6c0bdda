"""A driver's session: who comes in, what it keeps, how it is renewed, and that it outlives us."""

import time

import pytest
import requests
from snowflake.connector.errors import DatabaseError, Error, ProgrammingError

from tests.gateway.snowflake.test_statements import mark

pytestmark = [pytest.mark.faults]


def test_a_wrong_token_is_told_what_to_do(wire):
    for authenticator in ("oauth", "programmatic_access_token"):
        with pytest.raises(DatabaseError, match="agent's owner|agent token") as caught:
            wire.connect(authenticator=authenticator, token="hwa_nonsense")
        assert caught.value.errno in (390100, 390303, 250001)


def test_the_account_names_the_connection(wire):
    with pytest.raises(DatabaseError, match="Usable now: (files, )?shop, vault"):
        wire.connect("elsewhere")
    with wire.connect("VAULT", authenticator="oauth") as connection:
        assert connection.cursor().execute("SELECT 1").fetchall() == [(1,)]


def test_another_role_or_warehouse_is_a_matter_of_rules(wire):
    with pytest.raises(DatabaseError, match="role ACCOUNTADMIN is denied"):
        wire.connect(role="ACCOUNTADMIN")
    with pytest.raises(DatabaseError, match="warehouse BIG needs a reviewer"):
        wire.connect(warehouse="BIG")
    with wire.connect(role="agent", warehouse="wh", database="shop", schema="retail") as connection:
        found = connection.cursor().execute("SELECT CITY FROM ORDERS WHERE ORDER_ID = 12")
        assert found.fetchall() == [("Lima",)]


def test_a_session_keeps_its_place_and_variables(wire):
    with wire.connect() as connection:
        cursor = connection.cursor()
        cursor.execute("USE SCHEMA RETAIL")
        assert connection.schema == "RETAIL"
        assert cursor.execute("SELECT COUNT(*) > 0 FROM ORDERS").fetchall() == [(True,)]
        cursor.execute("SET TOWN = 'Lima'")
        cursor.execute("SELECT ORDER_ID FROM ORDERS WHERE CITY = $TOWN AND ORDER_ID < 100")
        assert cursor.fetchall() == [(12,)]
        cursor.execute("SELECT * FROM TABLE(RESULT_SCAN(LAST_QUERY_ID()))")
        assert cursor.fetchall() == [(12,)]


def test_temporary_tables_belong_to_their_session(wire):
    name = mark().upper()
    with wire.connect() as connection:
        cursor = connection.cursor()
        with wire.during(wire.vote, name):
            cursor.execute(
                f"CREATE TEMPORARY TABLE {name} AS SELECT CITY FROM SHOP.RETAIL.ORDERS "
                "WHERE ORDER_ID = 12"
            )
        assert cursor.execute(f"SELECT CITY FROM {name}").fetchall() == [("Lima",)]
    with wire.connect() as another, pytest.raises(ProgrammingError, match="not in the catalogue"):
        another.cursor().execute(f"SELECT CITY FROM {name}")


def test_a_transaction_is_rolled_back_whole(wire):
    name = mark()
    with wire.connect() as connection:
        cursor = connection.cursor()
        cursor.execute("BEGIN")
        with wire.during(wire.vote, name):
            cursor.execute(f"INSERT INTO SHOP.RETAIL.ORDERS SELECT 3000, '{name}', 1.0")
        count = f"SELECT COUNT(*) FROM SHOP.RETAIL.ORDERS WHERE CITY = '{name}'"
        assert cursor.execute(count).fetchall() == [(1,)]
        cursor.execute("ROLLBACK")
        assert cursor.execute(count).fetchall() == [(0,)]


def test_an_expired_token_is_renewed_by_the_driver(wire):
    with wire.connect() as connection:
        before = connection.rest.token
        wire.write(
            "UPDATE gateway_wiresession SET token_until = now() - interval '1 second' "
            "WHERE number = %s",
            connection.session_id,
        )
        assert connection.cursor().execute("SELECT 1").fetchall() == [(1,)]
        assert connection.rest.token != before


def test_an_expired_token_upstream_is_renewed_by_the_gateway(wire):
    with wire.connect() as connection:
        name = mark()
        wire.warehouse.fault(match=name, expire_token=True)
        found = connection.cursor().execute(f"SELECT '{name}' AS M")
        assert found.fetchall() == [(name,)]
        assert connection.cursor().execute("SELECT 2").fetchall() == [(2,)]


def test_a_restart_between_two_statements_goes_unnoticed(wire):
    with wire.connect() as connection:
        cursor = connection.cursor()
        cursor.execute("SET KEPT = 'still here'")
        wire.kill("web")
        wire.start_web()
        assert cursor.execute("SELECT $KEPT").fetchall() == [("still here",)]


def test_a_closed_session_is_over_and_sealed(wire):
    connection = wire.connect()
    connection.cursor().execute("SELECT 1")
    token, number = connection.rest.token, connection.session_id
    connection.close()
    answer = requests.post(
        f"{wire.url}/session/heartbeat",
        json={},
        headers={"Authorization": f'Snowflake Token="{token}"'},
        timeout=20,
    ).json()
    assert answer["code"] == "390111"
    until = time.monotonic() + 10
    while not wire.rows(
        "SELECT 1 FROM gateway_wiresession w JOIN recordings_session s ON s.id = w.recording_id "
        "WHERE w.number = %s AND w.ended_at IS NOT NULL AND s.seal <> ''",
        number,
    ):
        assert time.monotonic() < until
        time.sleep(0.1)


def test_a_stranger_finds_no_result(wire, cursor):
    cursor.execute("SELECT 'mine' AS M")
    query_id = cursor.sfqid
    with wire.connect(token=wire.seeded["other_token"], user="other") as other:
        answer = requests.get(
            f"{wire.url}/queries/{query_id}/result",
            headers={"Authorization": f'Snowflake Token="{other.rest.token}"'},
            timeout=20,
        ).json()
        assert (answer["success"], answer["code"]) == (False, "000612")
        with pytest.raises(Error):
            other.cursor().execute(f"SELECT * FROM TABLE(RESULT_SCAN('{query_id}'))")


def test_a_revoked_token_ends_its_sessions(wire):
    with wire.connect(token=wire.seeded["other_token"], user="other") as connection:
        cursor = connection.cursor()
        assert cursor.execute("SELECT 1").fetchall() == [(1,)]
        wire.write(
            "UPDATE accounts_agenttoken SET revoked_at = now() WHERE label = 'other'",
        )
        with pytest.raises(Error, match="has ended"):
            cursor.execute("SELECT 2")

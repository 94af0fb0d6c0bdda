"""Statements through the wire: allowed, masked, bound, described, asynchronous, several, denied."""

import json
import uuid
from decimal import Decimal

import pytest
import requests
from snowflake.connector.errors import ProgrammingError

pytestmark = [pytest.mark.faults]


def mark() -> str:
    return f"m{uuid.uuid4().hex[:8]}"


def test_rows_arrive_with_their_types(cursor):
    cursor.execute(
        "SELECT ORDER_ID, CITY, AMOUNT, ORDER_ID > 10 AS LATE, TO_DATE('2026-01-31') AS D, "
        "AMOUNT / 3.0::FLOAT AS F, NULL AS N FROM SHOP.RETAIL.ORDERS WHERE ORDER_ID < 13 "
        "ORDER BY ORDER_ID"
    )
    rows = cursor.fetchall()
    assert [row[:4] for row in rows] == [
        (10, "Oslo", Decimal("40.00"), False),
        (11, "Oslo", Decimal("15.00"), True),
        (12, "Lima", Decimal("99.90"), True),
    ]
    assert rows[0][4].isoformat() == "2026-01-31"
    assert rows[0][5] == pytest.approx(40 / 3)
    assert rows[0][6] is None
    assert [column.name for column in cursor.description][:3] == ["ORDER_ID", "CITY", "AMOUNT"]


def test_protected_columns_are_masked_and_it_is_recorded(cursor, wire):
    cursor.execute("SELECT CONTACT_ID, EMAIL FROM SHOP.CRM.CONTACTS ORDER BY 1")
    rows = cursor.fetchall()
    assert rows[0] == (1, "***")
    assert rows[2] == (3, None)
    assert "canary" not in str(rows)
    (statement,) = wire.rows(
        "SELECT id, state, row_count FROM gateway_statement WHERE upstream_query_id = %s",
        cursor.sfqid,
    )
    assert statement[1:] == ("succeeded", 3)
    kinds = wire.rows(
        "SELECT kind FROM recordings_event WHERE statement_id = %s ORDER BY number", statement[0]
    )
    assert [kind for (kind,) in kinds] == ["statement", "decision", "intent", "outcome"]


def test_what_is_detected_is_masked_in_arrow_and_in_json(wire):
    sql = "SELECT 'write to joe@mail.example' AS NOTE, 7 AS N"
    with wire.connect() as arrow:
        assert arrow.cursor().execute(sql).fetchall() == [("write to [email]", 7)]
    with wire.connect(session_parameters={"PYTHON_CONNECTOR_QUERY_RESULT_FORMAT": "JSON"}) as plain:
        cursor = plain.cursor().execute(sql)
        assert cursor._query_result_format == "json"
        assert cursor.fetchall() == [("write to [email]", 7)]


def test_a_denial_is_the_drivers_own_error(cursor, wire):
    with pytest.raises(ProgrammingError) as caught:
        cursor.execute("COPY INTO @SHOP.CRM.OUT FROM SHOP.CRM.CONTACTS")
    error = caught.value
    assert (error.errno, error.sqlstate) == (3001, "42501")
    assert "denied" in error.msg
    assert "Rule default-01: UNLOAD on SHOP.CRM.OUT" in error.msg
    assert "Read with SELECT instead" in error.msg
    assert wire.rows("SELECT state FROM gateway_statement WHERE id = %s", error.sfqid) == [
        ("denied",)
    ]
    assert not wire.warehouse.sent("SHOP.CRM.OUT")


def test_a_file_goes_neither_up_nor_down(cursor, tmp_path):
    file = tmp_path / "data.csv"
    file.write_text("1,2")
    for sql in (f"PUT file://{file} @~", f"GET @~/data.csv file://{tmp_path}"):
        with pytest.raises(ProgrammingError) as caught:
            cursor.execute(sql)
        assert caught.value.sqlstate == "42501"


def test_snowflakes_own_errors_keep_number_and_state(cursor, wire):
    wire.warehouse.fault(
        match="DOOMED", fail_code="100038", fail_sqlstate="22018", fail_message="joe@mail.example"
    )
    with pytest.raises(ProgrammingError) as caught:
        cursor.execute("SELECT 1 AS DOOMED")
    assert (caught.value.errno, caught.value.sqlstate) == (100038, "22018")
    assert "joe@" not in caught.value.msg


def test_values_are_bound_by_place(wire):
    with wire.connect(paramstyle="qmark") as connection:
        cursor = connection.cursor()
        cursor.execute(
            "SELECT ORDER_ID FROM SHOP.RETAIL.ORDERS WHERE CITY = ? AND AMOUNT > ?",
            ("Oslo", Decimal("20.5")),
        )
        assert cursor.fetchall() == [(10,)]
        name = mark()
        with wire.during(wire.vote, "VALUES (?, ?, ?)"):
            cursor.executemany(
                "INSERT INTO SHOP.RETAIL.ORDERS VALUES (?, ?, ?)",
                [(2000 + i, name, Decimal("1.5")) for i in range(5)],
            )
        assert cursor.rowcount == 5
    assert len(wire.warehouse.run(f"SELECT * FROM SHOP.RETAIL.ORDERS WHERE CITY = '{name}'")) == 5


def test_columns_are_told_without_running_anything(cursor, wire):
    described = cursor.describe("SELECT CONTACT_ID, EMAIL FROM SHOP.CRM.CONTACTS")
    assert [column.name for column in described] == ["CONTACT_ID", "EMAIL"]
    name = mark()
    # A write needs no reviewer to be described, and is not run.
    cursor.describe(f"DELETE FROM SHOP.RETAIL.ORDERS WHERE CITY = '{name}'")
    (sent,) = wire.warehouse.sent(name)
    assert sent["describe_only"] is True
    with pytest.raises(ProgrammingError, match="denied"):
        cursor.describe("SELECT NO_SUCH FROM SHOP.CRM.CONTACTS")


def test_an_asynchronous_statement_is_asked_for_later(cursor):
    cursor.execute_async("SELECT 7 AS SEVEN")
    query_id = cursor.sfqid
    cursor.get_results_from_sfqid(query_id)
    assert cursor.fetchall() == [(7,)]
    assert cursor.connection.get_query_status(query_id).name == "SUCCESS"


def test_several_statements_are_judged_one_by_one(cursor, wire):
    cursor.execute(
        "SELECT 1 AS A; SELECT EMAIL FROM SHOP.CRM.CONTACTS WHERE CONTACT_ID = 1", num_statements=2
    )
    assert cursor.fetchall() == [(1,)]
    assert cursor.nextset()
    assert cursor.fetchall() == [("***",)]
    assert not cursor.nextset()
    with pytest.raises(ProgrammingError, match="did not match the desired statement count"):
        cursor.execute("SELECT 1; SELECT 2", num_statements=3)
    with pytest.raises(ProgrammingError) as caught:
        cursor.execute("SELECT 1; DROP USER X; SELECT 'never'", num_statements=0)
    assert caught.value.sqlstate == "42501"
    assert not wire.warehouse.sent("'never'")


def test_values_are_bound_to_the_part_that_they_belong_to(wire):
    name = mark()
    sql = (
        "SELECT ? AS A; INSERT INTO SHOP.RETAIL.ORDERS SELECT ?, ?, 1.5; "
        "SELECT '?' AS B; SELECT COUNT(*) AS N FROM SHOP.RETAIL.ORDERS WHERE CITY = ?"
    )
    with wire.connect(paramstyle="qmark") as connection:
        cursor = connection.cursor()
        with wire.during(wire.vote, "INSERT INTO SHOP.RETAIL.ORDERS SELECT ?, ?, 1.5"):
            cursor.execute(sql, (f"a {name}", 3000, name, name), num_statements=4)
        found = [cursor.fetchall()]
        while cursor.nextset():
            found.append(cursor.fetchall())
        assert found == [[(f"a {name}",)], [(1,)], [("?",)], [(1,)]]
        with pytest.raises(ProgrammingError, match="2 placeholders, and 1 values"):
            cursor.execute("SELECT ?; SELECT ? AS NEVER_BOUND", (1,), num_statements=2)
    assert not wire.warehouse.sent("NEVER_BOUND")
    rows = wire.warehouse.run(f"SELECT ORDER_ID FROM SHOP.RETAIL.ORDERS WHERE CITY = '{name}'")
    assert rows == [{"ORDER_ID": 3000}]
    (kept,) = wire.rows("SELECT binds FROM gateway_wirebatch WHERE sql = %s", sql)[0]
    assert kept
    assert name not in kept, "bound values are sealed"


def test_the_prompt_and_the_trace_are_recorded_once(cursor, wire):
    name = mark()
    tag = json.dumps({"prompt": f"count the orders {name}"})
    for _ in range(2):
        cursor.execute("SELECT 1 AS N", _statement_params={"QUERY_TAG": tag})
    prompts = wire.rows(
        "SELECT data->>'text' FROM recordings_event WHERE kind = 'prompt' "
        "AND data->>'text' LIKE %s",
        f"%{name}%",
    )
    assert prompts == [(f"count the orders {name}",)]
    sent = [each for each in wire.warehouse.statements() if each["sql"].startswith("SELECT 1 AS")]
    ours = json.loads(sent[-1]["query_tag"])["hoopweb"]
    assert wire.rows("SELECT 1 FROM gateway_statement WHERE id = %s", ours["statement"])


def test_one_request_id_is_one_statement(wire):
    with wire.connect() as connection:
        token, name = connection.rest.token, mark()
        url = f"{wire.url}/queries/v1/query-request?requestId={uuid.uuid4()}"
        headers = {"Authorization": f'Snowflake Token="{token}"'}
        body = {"sqlText": f"SELECT '{name}' AS M", "sequenceId": 1}
        first, second = (
            requests.post(url, json=body, headers=headers, timeout=30).json() for _ in range(2)
        )
        assert first["success"], first
        assert first["data"]["queryId"] == second["data"]["queryId"]
        assert len(wire.warehouse.sent(name)) == 1
        other = {"sqlText": "SELECT 2", "sequenceId": 2}
        refused = requests.post(url, json=other, headers=headers, timeout=30).json()
        assert not refused["success"]


def test_the_sql_api_answers_in_its_own_form(wire):
    url = f"{wire.url}/api/v2/statements"
    headers = {"Authorization": f"Bearer {wire.seeded['token']}", "X-Hoopweb-Connection": "shop"}
    asked = {
        "statement": "SELECT CONTACT_ID, EMAIL FROM SHOP.CRM.CONTACTS WHERE CONTACT_ID = ?",
        "bindings": {"1": {"type": "FIXED", "value": "1"}},
    }
    answer = requests.post(url, json=asked, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["data"] == [["1", "***"]]
    assert [column["type"] for column in found["resultSetMetaData"]["rowType"]] == ["fixed", "text"]
    again = requests.get(f"{wire.url}{found['statementStatusUrl']}", headers=headers, timeout=60)
    assert again.json()["data"] == found["data"]
    denied = requests.post(url, json={"statement": "DROP USER X"}, headers=headers, timeout=60)
    assert (denied.status_code, denied.json()["sqlState"]) == (422, "42501")
    write = f"INSERT INTO SHOP.RETAIL.ORDERS SELECT 1, '{mark()}', 1.0"
    held = requests.post(
        url, params={"async": "true"}, json={"statement": write}, headers=headers, timeout=60
    )
    assert (held.status_code, held.json()["code"]) == (202, "333334")
    cancelled = requests.post(
        f"{wire.url}{held.json()['statementStatusUrl']}/cancel", headers=headers, timeout=60
    )
    assert cancelled.status_code == 200
    assert requests.post(url, json=asked, timeout=60).status_code == 401


def test_what_the_door_does_not_serve_is_refused_and_written_down(wire):
    with wire.connect() as connection:
        headers = {"Authorization": f'Snowflake Token="{connection.rest.token}"'}
        answer = requests.post(
            f"{wire.url}/api/v2/cortex/inference:complete", json={}, headers=headers, timeout=20
        )
    assert answer.status_code == 404
    assert answer.json()["success"] is False
    assert wire.rows(
        "SELECT 1 FROM recordings_auditentry WHERE action = 'path-refused' "
        "AND object_name LIKE '%%cortex%%'"
    )

"""What a driver sees of a review: it waits, and then there are rows, or the reviewer's words."""

import uuid

import pytest
from snowflake.connector.errors import ProgrammingError

from tests.gateway.snowflake.test_statements import mark

pytestmark = [pytest.mark.faults]


def insert(name: str) -> str:
    return f"INSERT INTO SHOP.RETAIL.ORDERS SELECT 900, '{name}', 1.0"


def count(wire, name: str) -> int:
    sql = f"SELECT COUNT(*) AS N FROM SHOP.RETAIL.ORDERS WHERE CITY = '{name}'"
    return wire.warehouse.run(sql)[0]["N"]


def test_an_approval_lets_the_waiting_call_go_on(cursor, wire):
    name = mark()
    with wire.during(wire.vote, name):
        cursor.execute(insert(name))
    assert cursor.fetchall() == [(1,)]
    assert cursor.rowcount == 1
    assert count(wire, name) == 1
    assert len([s for s in wire.warehouse.sent(name) if s["sql"].startswith("INSERT")]) == 1


def test_rows_of_a_held_read_arrive_masked(wire):
    with wire.connect("vault") as connection:
        cursor = connection.cursor()
        with wire.during(wire.vote, "EMAIL FROM SHOP.CRM"):
            cursor.execute("SELECT CONTACT_ID, EMAIL FROM SHOP.CRM.CONTACTS ORDER BY 1")
        assert cursor.fetchall() == [(1, "***"), (2, "***"), (3, None)]
        cursor.execute("SELECT * FROM TABLE(RESULT_SCAN(LAST_QUERY_ID()))")
        assert cursor.fetchall()[0] == (1, "***")


def test_a_rejection_names_rule_reviewer_and_reason(cursor, wire):
    name = mark()
    with (
        wire.during(wire.vote, name, "reject", "not on a Friday"),
        pytest.raises(ProgrammingError) as caught,
    ):
        cursor.execute(insert(name))
    assert (caught.value.errno, caught.value.sqlstate) == (3001, "42501")
    assert "Rejected by Rita: not on a Friday" in caught.value.msg
    assert "Rule default-09" in caught.value.msg
    assert count(wire, name) == 0


def test_the_drivers_cancel_withdraws_the_request(cursor, wire):
    name = mark()
    with pytest.raises(ProgrammingError) as caught:
        cursor.execute(insert(name), timeout=2)
    assert (caught.value.errno, caught.value.sqlstate) == (604, "57014")
    (row,) = wire.rows(
        "SELECT s.state, a.state FROM gateway_statement s JOIN approvals_approvalrequest a "
        "ON a.id = s.approval_id WHERE s.sql_given LIKE %s",
        f"%{name}%",
    )
    assert row == ("withdrawn", "withdrawn")


def test_cancelling_by_function_reaches_what_is_ones_own(wire):
    """As Snowpark does it; ids of others are judged like any call of such a function."""
    name, other = mark(), mark()
    with wire.connect() as theirs, wire.connect() as connection:
        waiting = theirs.cursor()
        waiting.execute_async(insert(other))
        cursor = connection.cursor()
        cursor.execute_async(insert(name))
        query_id = cursor.sfqid
        number = connection.session_id
        rows = cursor.execute(f"select SYSTEM$CANCEL_QUERY('{query_id}')").fetchall()
        assert rows == [(f"query [{query_id}] terminated.",)]
        assert connection.get_query_status(query_id).name == "FAILED_WITH_ERROR"
        rows = cursor.execute(f"select system$cancel_all_queries({number})").fetchall()
        assert rows == [("0 queries terminated.",)]
        for call in (
            f"SYSTEM$CANCEL_ALL_QUERIES({theirs.session_id})",
            f"SYSTEM$CANCEL_QUERY('{uuid.uuid4()}')",
        ):
            with pytest.raises(ProgrammingError) as caught:
                cursor.execute(f"SELECT {call}")
            assert caught.value.sqlstate == "42501"
        assert theirs.get_query_status(waiting.sfqid).name == "QUEUED"
        rows = (
            theirs.cursor()
            .execute(f"SELECT SYSTEM$CANCEL_ALL_QUERIES({theirs.session_id})")
            .fetchall()
        )
        assert rows == [("1 queries terminated.",)]
    states = "SELECT state FROM gateway_statement WHERE sql_given LIKE %s OR sql_given LIKE %s"
    assert wire.rows(states, f"%{name}%", f"%{other}%") == [("withdrawn",)] * 2
    assert count(wire, name) == count(wire, other) == 0


def test_the_drivers_cancel_ends_what_runs(cursor, wire):
    name = mark()
    wire.warehouse.fault(match=name, delay_before=5.0)
    with pytest.raises(ProgrammingError) as caught:
        cursor.execute(f"SELECT '{name}' AS M", timeout=2)
    assert (caught.value.errno, caught.value.sqlstate) == (604, "57014")


def test_an_asynchronous_statement_waits_under_an_id_of_ours(cursor, wire):
    name = mark()
    cursor.execute_async(insert(name))
    query_id = cursor.sfqid
    assert cursor.connection.get_query_status(query_id).name == "QUEUED"
    with wire.during(wire.vote, name):
        cursor.get_results_from_sfqid(query_id)
        assert cursor.fetchall() == [(1,)]
    assert cursor.connection.get_query_status(query_id).name == "SUCCESS"


def test_a_part_of_several_waits_for_all_of_them(cursor, wire):
    name = mark()
    with wire.during(wire.vote, name):
        cursor.execute(f"{insert(name)}; SELECT 'after' AS A", num_statements=0)
    assert cursor.fetchall() == [(1,)]
    assert cursor.nextset()
    assert cursor.fetchall() == [("after",)]


def test_a_restart_while_it_waits_goes_unnoticed(wire):
    name = mark()
    found: list[object] = []
    with wire.connect() as connection:
        # The server lives as long as the thread that started it: this one.
        with wire.during(lambda: found.extend(connection.cursor().execute(insert(name)))):
            wire.pending(name)
            wire.kill("web")
            wire.start_web()
            wire.vote(name)
        assert found == [(1,)]
    assert count(wire, name) == 1


def test_ten_drivers_each_get_their_own(wire):
    """Approved in another order than sent."""
    marks = [mark() for _ in range(10)]
    found: dict[str, list[object]] = {}

    def ask(name: str) -> None:
        with wire.connect("vault") as connection:
            sql = f"SELECT CONTACT_ID, '{name}' AS M FROM SHOP.CRM.CONTACTS WHERE CONTACT_ID = 2"
            found[name] = connection.cursor().execute(sql).fetchall()

    asking = [wire.during(ask, name) for name in marks]
    for each in asking:
        each.__enter__()
    for name in sorted(marks):
        wire.vote(name)
    for each in asking:
        each.__exit__(None)
    assert found == {name: [(2, name)] for name in marks}
    assert all(len(wire.warehouse.sent(name)) == 1 for name in marks)

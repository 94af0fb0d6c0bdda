"""snowflake-connector-python, 4.x and 5.x."""

import datetime as dt
import decimal
import time

import common
import snowflake.connector
from common import CannotError, check
from snowflake.connector import errors


def connect(**kw):
    given = {
        "account": common.ACCOUNT,
        "user": common.USER,
        "host": common.HOST,
        "port": common.PORT,
        "protocol": "http",
        "authenticator": "programmatic_access_token",
        "token": common.TOKEN,
        "database": "SHOP",
        "schema": "LAB",
        "warehouse": "WH",
        "login_timeout": 60,
        **kw,
    }
    return snowflake.connector.connect(**given)


def one(sql, *args, **kw):
    with connect() as connection:
        return connection.cursor().execute(sql, *args, **kw).fetchall()


def refused():
    return common.Expected(
        errors.Error, lambda e: (e.errno, e.sqlstate, str(getattr(e, "msg", None) or e))
    )


def by_token():
    check(one("SELECT 1") == [(1,)], "1")


def by_jwt():
    if not common.JWT:
        raise CannotError("no provider")
    with connect(authenticator="oauth", token=common.JWT) as connection:
        check(connection.cursor().execute("SELECT 1").fetchall() == [(1,)], "1")


def types():
    rows = one(common.TYPES)
    check(len(rows) == 2, rows)
    n, d, f, t, b, bi, day, tm, ntz, tz, v, a = rows[0]
    check((n, d, f) == (1, decimal.Decimal("12.50"), 1.5), rows[0])
    check((t, b, bytes(bi)) == ("ä€😀", True, b"\x00\xff"), rows[0])
    check(day == dt.date(2024, 2, 29) and tm == dt.time(13, 14, 15, 123000), rows[0])
    check(ntz.isoformat() == "2024-02-29T13:14:15.123456", rows[0])
    check(tz.utctimetuple()[:6] == (2024, 2, 29, 12, 14, 15), rows[0])
    check('"a"' in v and "1" in a, rows[0])
    check(all(value is None for value in rows[1][1:]), rows[1])


def arrow():
    with connect() as connection:
        table = connection.cursor().execute(common.TYPES).fetch_arrow_all()
        check(table.num_rows == 2, table)
        frame = connection.cursor().execute(common.MASKED).fetch_pandas_all()
    common.is_masked(frame.values.tolist())


def binds():
    with connect(paramstyle="qmark") as connection:
        rows = connection.cursor().execute("SELECT ?, ?, ?", (7, "it's", None)).fetchall()
        check(rows == [(7, "it's", None)], rows)
        sql = "SELECT CITY FROM SHOP.CRM.CONTACTS WHERE CONTACT_ID = ?"
        check(connection.cursor().execute(sql, (2,)).fetchall() == [("Lima",)], "Lima")
    with connect(paramstyle="numeric") as connection:
        rows = connection.cursor().execute("SELECT :2, :1", ("one", "two")).fetchall()
        check(rows == [("two", "one")], rows)


def executemany():
    with connect(paramstyle="qmark") as connection:
        cursor = connection.cursor()
        cursor.execute("DELETE FROM SHOP.LAB.NOTES WHERE WHO = ?", (common.NAME,))
        values = [(n, common.NAME, f"note {n}") for n in range(25)]
        cursor.executemany("INSERT INTO SHOP.LAB.NOTES (ID, WHO, NOTE) VALUES (?, ?, ?)", values)
        sql = "SELECT COUNT(*), SUM(ID) FROM SHOP.LAB.NOTES WHERE WHO = ?"
        found = cursor.execute(sql, (common.NAME,)).fetchall()
    check([int(v) for v in found[0]] == [25, 300], found)


def describe():
    with connect() as connection:
        found = connection.cursor().describe(common.MASKED)
    check([column.name for column in found] == ["CONTACT_ID", "EMAIL"], found)


def asynchronous():
    with connect() as connection:
        cursor = connection.cursor()
        cursor.execute_async("SELECT COUNT(*) FROM SHOP.LAB.TYPES")
        query_id = cursor.sfqid
        until = time.monotonic() + 60
        while connection.is_still_running(connection.get_query_status(query_id)):
            check(time.monotonic() < until, "still running after a minute")
            time.sleep(0.2)
        cursor.get_results_from_sfqid(query_id)
        check(cursor.fetchall() == [(2,)], "2 rows counted")


def held_async():
    with connect() as connection:
        cursor = connection.cursor()
        cursor.execute_async(common.held("approve"))
        query_id = cursor.sfqid
        until = time.monotonic() + 60
        while connection.is_still_running(connection.get_query_status(query_id)):
            check(time.monotonic() < until, "still running after a minute")
            time.sleep(0.2)
        cursor.get_results_from_sfqid(query_id)
        common.is_own(cursor.fetchall())


def multi():
    with connect() as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT 1 AS A; SELECT 2 AS B; SELECT 3 AS C", num_statements=3)
        found = [cursor.fetchall()]
        while cursor.nextset():
            found.append(cursor.fetchall())
    check(found == [[(1,)], [(2,)], [(3,)]], found)


def transaction():
    with connect() as connection:
        cursor = connection.cursor()
        cursor.execute("DELETE FROM SHOP.LAB.NOTES WHERE WHO = %s", (f"tx {common.NAME}",))
        insert = "INSERT INTO SHOP.LAB.NOTES (ID, WHO, NOTE) VALUES (1, %s, 'x')"
        count = "SELECT COUNT(*) FROM SHOP.LAB.NOTES WHERE WHO = %s"
        for ending, expected in (("ROLLBACK", 0), ("COMMIT", 1)):
            cursor.execute("BEGIN")
            cursor.execute(insert, (f"tx {common.NAME}",))
            cursor.execute(ending)
            found = cursor.execute(count, (f"tx {common.NAME}",)).fetchone()[0]
            check(found == expected, f"{found} rows after {ending}")


def session_state():
    with connect() as connection:
        cursor = connection.cursor()
        cursor.execute("SET CITY_WANTED = 'Lima'")
        sql = "SELECT CONTACT_ID FROM SHOP.CRM.CONTACTS WHERE CITY = $CITY_WANTED"
        check(cursor.execute(sql).fetchall() == [(2,)], "variable")
        cursor.execute(f"CREATE TEMPORARY TABLE {common.MINE} (ID NUMBER(38,0), NOTE VARCHAR)")
        cursor.execute(f"INSERT INTO {common.MINE} VALUES (5, 'five')")
        check(cursor.execute(f"SELECT NOTE FROM {common.MINE}").fetchall() == [("five",)], "temp")
        cursor.execute("USE SCHEMA SHOP.CRM")
        check(cursor.execute("SELECT COUNT(*) FROM CONTACTS").fetchall() == [(3,)], "use schema")


def cancel():
    with connect() as connection:
        cursor = connection.cursor()
        if snowflake.connector.__version__.startswith("4."):
            with refused() as found:
                cursor.execute(common.held("never"), timeout=4)
        else:
            # It has no time-out, and tells a statement's id only of an asynchronous one.
            cursor.execute_async(common.held("never"))
            check(cursor.abort_query(cursor.sfqid), "aborted")
            with refused() as found:
                cursor.get_results_from_sfqid(cursor.sfqid)
                cursor.fetchall()
    common.check(found.text, "a text")
    common.ask("withdrawn")


def masked():
    common.is_masked(one(common.MASKED))


def denied():
    with refused() as found:
        one(common.DENIED)
    found.is_denial()


def held_approved():
    common.is_own(one(common.held("approve")))


def held_rejected():
    with refused() as found:
        one(common.held("reject"))
    found.is_rejection()


def held_long():
    common.is_own(one(common.held("late")))


def million():
    with connect() as connection:
        cursor = connection.cursor().execute(common.BIG)
        count = total = 0
        for batch in cursor.fetch_arrow_batches():
            count += batch.num_rows
            total += sum(batch.column(0).to_pylist())
    common.is_big(count, int(total))


def restart():
    with connect() as connection:
        cursor = connection.cursor()
        cursor.execute("SET KEPT = 'over'")
        common.ask("restart")
        check(cursor.execute("SELECT $KEPT").fetchall() == [("over",)], "the variable is kept")


common.run(
    {
        "connect-token": by_token,
        "connect-jwt": by_jwt,
        "types": types,
        "arrow": arrow,
        "binds": binds,
        "executemany": executemany,
        "describe": describe,
        "async": asynchronous,
        "multi": multi,
        "transaction": transaction,
        "session-state": session_state,
        "cancel": cancel,
        "masked": masked,
        "denied": denied,
        "held-approved": held_approved,
        "held-rejected": held_rejected,
        "held-async": held_async,
        "held-long": held_long,
        "million": million,
        "restart": restart,
    }
)

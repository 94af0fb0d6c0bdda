"""ADBC's Snowflake driver, which is Go's."""

import threading

import adbc_driver_manager
import adbc_driver_snowflake.dbapi as snowflake
import common
from common import CannotError, check


def connect(**kw):
    given = {
        "adbc.snowflake.sql.account": common.ACCOUNT,
        "adbc.snowflake.sql.uri.host": common.HOST,
        "adbc.snowflake.sql.uri.port": str(common.PORT),
        "adbc.snowflake.sql.uri.protocol": "http",
        "username": common.USER,
        "adbc.snowflake.sql.auth_type": "auth_pat",
        "adbc.snowflake.sql.client_option.auth_token": common.TOKEN,
        "adbc.snowflake.sql.db": "SHOP",
        "adbc.snowflake.sql.schema": "LAB",
        "adbc.snowflake.sql.warehouse": "WH",
        **kw,
    }
    return snowflake.connect(db_kwargs=given, autocommit=True)


def one(sql, parameters=None):
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()


def refused():
    return common.Expected(
        adbc_driver_manager.Error, lambda e: (e.vendor_code, e.sqlstate or "", str(e))
    )


def by_token():
    check([int(v) for v in one("SELECT 1")[0]] == [1], "1")


def by_jwt():
    if not common.JWT:
        raise CannotError("no provider")
    kw = {
        "adbc.snowflake.sql.auth_type": "auth_oauth",
        "adbc.snowflake.sql.client_option.auth_token": common.JWT,
    }
    with connect(**kw) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        check(int(cursor.fetchone()[0]) == 1, "1")


def types():
    rows = one(common.TYPES)
    check(len(rows) == 2, rows)
    n, d, f, t, b, bi, day, *_ = rows[0]
    check((int(n), float(d), float(f)) == (1, 12.5, 1.5), rows[0])
    check((t, b, bytes(bi)) == ("ä€😀", True, b"\x00\xff"), rows[0])
    check(str(day) == "2024-02-29", rows[0])
    check(all(value is None for value in rows[1][1:]), rows[1])


def arrow():
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute(common.MASKED)
        table = cursor.fetch_arrow_table()
    common.is_masked([list(row.values()) for row in table.to_pylist()])


def binds():
    rows = one("SELECT CITY FROM SHOP.CRM.CONTACTS WHERE CONTACT_ID = ?", (2,))
    check(rows == [("Lima",)], rows)


def executemany():
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM SHOP.LAB.NOTES WHERE WHO = '{common.NAME}'")
        values = [(n, common.NAME, f"note {n}") for n in range(25)]
        cursor.executemany("INSERT INTO SHOP.LAB.NOTES (ID, WHO, NOTE) VALUES (?, ?, ?)", values)
        sql = f"SELECT COUNT(*), SUM(ID) FROM SHOP.LAB.NOTES WHERE WHO = '{common.NAME}'"
        cursor.execute(sql)
        found = cursor.fetchall()
    check([int(v) for v in found[0]] == [25, 300], found)


def describe():
    with connect() as connection, connection.cursor() as cursor:
        schema = cursor.adbc_execute_schema(common.MASKED)
    check(schema.names == ["CONTACT_ID", "EMAIL"], schema)


def transaction():
    who = f"tx {common.NAME}"
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM SHOP.LAB.NOTES WHERE WHO = '{who}'")
        for ending, expected in (("ROLLBACK", 0), ("COMMIT", 1)):
            cursor.execute("BEGIN")
            cursor.execute(f"INSERT INTO SHOP.LAB.NOTES (ID, WHO, NOTE) VALUES (1, '{who}', 'x')")
            cursor.execute(ending)
            cursor.execute(f"SELECT COUNT(*) FROM SHOP.LAB.NOTES WHERE WHO = '{who}'")
            found = int(cursor.fetchone()[0])
            check(found == expected, f"{found} rows after {ending}")


def session_state():
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET CITY_WANTED = 'Lima'")
        cursor.execute("SELECT CONTACT_ID FROM SHOP.CRM.CONTACTS WHERE CITY = $CITY_WANTED")
        check([int(r[0]) for r in cursor.fetchall()] == [2], "variable")
        cursor.execute(f"CREATE TEMPORARY TABLE {common.MINE} (ID NUMBER(38,0), NOTE VARCHAR)")
        cursor.execute(f"INSERT INTO {common.MINE} VALUES (5, 'five')")
        cursor.execute(f"SELECT NOTE FROM {common.MINE}")
        check(cursor.fetchall() == [("five",)], "temporary table")


def cancel():
    with connect() as connection, connection.cursor() as cursor:
        timer = threading.Timer(3, cursor.adbc_cancel)
        timer.start()
        with refused():
            cursor.execute(common.held("never"))
    common.ask("withdrawn")


def masked():
    common.is_masked([list(row) for row in one(common.MASKED)])


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
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute(common.BIG)
        count = total = 0
        for batch in cursor.fetch_record_batch():
            count += batch.num_rows
            total += sum(int(v) for v in batch.column(0).to_pylist())
    common.is_big(count, total)


def restart():
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET KEPT = 'over'")
        common.ask("restart")
        cursor.execute("SELECT $KEPT")
        check(cursor.fetchall() == [("over",)], "the variable is kept")


common.run(
    {
        "connect-token": by_token,
        "connect-jwt": by_jwt,
        "types": types,
        "arrow": arrow,
        "binds": binds,
        "executemany": executemany,
        "describe": describe,
        "transaction": transaction,
        "session-state": session_state,
        "cancel": cancel,
        "masked": masked,
        "denied": denied,
        "held-approved": held_approved,
        "held-rejected": held_rejected,
        "held-long": held_long,
        "million": million,
        "restart": restart,
    },
    cannot={
        "async": "its interface has no asynchronous statements",
        "multi": "its interface takes one statement at a time",
        "held-async": "its interface has no asynchronous statements",
    },
)

"""Snowpark: data frames."""

import common
from common import CannotError, check
from snowflake.snowpark import Session
from snowflake.snowpark.exceptions import SnowparkSQLException
from snowflake.snowpark.functions import col


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
        **kw,
    }
    return Session.builder.configs(given).create()


def rows(sql):
    with connect() as session:
        return [tuple(row) for row in session.sql(sql).collect()]


def refused():
    def read(error):
        # The connector's own error, which carries the SQLSTATE, is the cause.
        inner = error.__cause__ or error.__context__
        return error.sql_error_code, getattr(inner, "sqlstate", "") or "", str(error)

    return common.Expected(SnowparkSQLException, read)


def by_token():
    check(rows("SELECT 1") == [(1,)], "1")


def by_jwt():
    if not common.JWT:
        raise CannotError("no provider")
    with connect(authenticator="oauth", token=common.JWT) as session:
        check(session.sql("SELECT 1").collect()[0][0] == 1, "1")


def types():
    found = rows(common.TYPES)
    check(len(found) == 2 and found[0][0] == 1 and found[0][3] == "ä€😀", found)


def arrow():
    with connect() as session:
        frame = session.sql(common.MASKED).to_pandas()
    common.is_masked(frame.values.tolist())


def binds():
    with connect() as session:
        sql = "SELECT CITY FROM SHOP.CRM.CONTACTS WHERE CONTACT_ID = ?"
        found = session.sql(sql, params=[2]).collect()
    check([tuple(r) for r in found] == [("Lima",)], found)


def describe():
    with connect() as session:
        names = session.table("SHOP.CRM.CONTACTS").schema.names
    check(names == ["CONTACT_ID", "FULL_NAME", "EMAIL", "CITY"], names)


def asynchronous():
    with connect() as session:
        job = session.sql("SELECT COUNT(*) AS N FROM SHOP.LAB.TYPES").collect_nowait()
        found = job.result()
    check(int(found[0][0]) == 2, found)


def session_state():
    with connect() as session:
        frame = session.table("SHOP.CRM.CONTACTS").filter(col("CITY") == "Lima")
        check(frame.count() == 1, "one contact in Lima")
        session.use_schema("SHOP.CRM")
        check(session.table("CONTACTS").count() == 3, "use schema")


def transaction():
    who = f"tx {common.NAME}"
    with connect() as session:
        session.sql(f"DELETE FROM SHOP.LAB.NOTES WHERE WHO = '{who}'").collect()
        for ending, expected in (("ROLLBACK", 0), ("COMMIT", 1)):
            session.sql("BEGIN").collect()
            insert = "INSERT INTO SHOP.LAB.NOTES (ID, WHO, NOTE) VALUES (1, ?, 'x')"
            session.sql(insert, params=[who]).collect()
            session.sql(ending).collect()
            found = session.table("SHOP.LAB.NOTES").filter(col("WHO") == who).count()
            check(found == expected, f"{found} rows after {ending}")


def executemany():
    values = [[n, common.NAME, f"note {n}"] for n in range(25)]
    with connect() as session:
        session.sql(f"DELETE FROM SHOP.LAB.NOTES WHERE WHO = '{common.NAME}'").collect()
        made = session.create_dataframe(values, schema=["ID", "WHO", "NOTE"])
        made.write.mode("append").save_as_table("SHOP.LAB.NOTES", column_order="name")
        asked = session.table("SHOP.LAB.NOTES").filter(col("WHO") == common.NAME)
        found = [int(row[0]) for row in asked.select("ID").collect()]
    check(sorted(found) == list(range(25)), found)


def held_async():
    with connect() as session:
        job = session.sql(common.held("approve")).collect_nowait()
        common.is_own([tuple(row) for row in job.result()])


def cancel():
    with connect() as session:
        job = session.sql(common.held("never")).collect_nowait()
        try:
            job.cancel()
        except SnowparkSQLException as error:
            why = "it cancels by calling SYSTEM$CANCEL_QUERY, which rules of the gateway decide on"
            raise CannotError(f"{why}: {error}") from error
    common.ask("withdrawn")


def masked():
    with connect() as session:
        frame = session.table("SHOP.CRM.CONTACTS").select("CONTACT_ID", "EMAIL")
        found = frame.sort("CONTACT_ID").collect()
    common.is_masked([tuple(row) for row in found])


def denied():
    with refused() as found:
        rows(common.DENIED)
    found.is_denial()


def held_approved():
    common.is_own(rows(common.held("approve")))


def held_rejected():
    with refused() as found:
        rows(common.held("reject"))
    found.is_rejection()


def held_long():
    common.is_own(rows(common.held("late")))


def million():
    with connect() as session:
        count = total = 0
        for frame in session.sql(common.BIG).to_pandas_batches():
            count += len(frame)
            total += int(frame["ID"].sum())
    common.is_big(count, total)


def restart():
    with connect() as session:
        session.sql("SET KEPT = 'over'").collect()
        common.ask("restart")
        check(session.sql("SELECT $KEPT").collect()[0][0] == "over", "the variable is kept")


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
    },
    cannot={"multi": "it takes one statement at a time"},
)

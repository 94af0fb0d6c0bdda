"""snowflake-sqlalchemy."""

import common
import sqlalchemy as sa
from common import CannotError, check
from snowflake.sqlalchemy import URL
from sqlalchemy.exc import DBAPIError


def engine(**kw):
    given = {"authenticator": "programmatic_access_token", "token": common.TOKEN, **kw}
    url = URL(
        account=common.ACCOUNT,
        user=common.USER,
        host=common.HOST,
        port=common.PORT,
        database="SHOP",
        schema="LAB",
        warehouse="WH",
    )
    return sa.create_engine(url, connect_args={"protocol": "http", **given})


def rows(sql, **values):
    with engine().connect() as connection:
        return [tuple(row) for row in connection.execute(sa.text(sql), values)]


def refused():
    def read(error):
        inner = error.orig
        return inner.errno, inner.sqlstate, str(inner)

    return common.Expected(DBAPIError, read)


def by_token():
    check(rows("SELECT 1") == [(1,)], "1")


def by_jwt():
    if not common.JWT:
        raise CannotError("no provider")
    with engine(authenticator="oauth", token=common.JWT).connect() as connection:
        check(connection.execute(sa.text("SELECT 1")).scalar() == 1, "1")


def types():
    found = rows(common.TYPES)
    check(len(found) == 2 and found[0][0] == 1 and found[0][3] == "ä€😀", found)


def binds():
    found = rows("SELECT CITY FROM SHOP.CRM.CONTACTS WHERE CONTACT_ID = :id", id=2)
    check(found == [("Lima",)], found)


def notes():
    columns = (sa.Column("id", sa.Integer), sa.Column("who", sa.String))
    return sa.Table("notes", sa.MetaData(), *columns, sa.Column("note", sa.String), schema="lab")


def executemany():
    table = notes()
    with engine().begin() as connection:
        connection.execute(sa.delete(table).where(table.c.who == common.NAME))
        values = [{"id": n, "who": common.NAME, "note": f"note {n}"} for n in range(25)]
        connection.execute(sa.insert(table), values)
        asked = sa.select(sa.func.count(), sa.func.sum(table.c.id))
        found = connection.execute(asked.where(table.c.who == common.NAME)).one()
    check([int(v) for v in found] == [25, 300], found)


def describe():
    columns = sa.inspect(engine()).get_columns("contacts", schema="crm")
    check([c["name"] for c in columns][:2] == ["contact_id", "full_name"], columns)


def transaction():
    table = notes()
    who = f"tx {common.NAME}"
    asked = sa.select(sa.func.count()).select_from(table).where(table.c.who == who)
    with engine().connect() as connection:
        connection.execute(sa.delete(table).where(table.c.who == who))
        connection.commit()
        for end, expected in ((connection.rollback, 0), (connection.commit, 1)):
            connection.execute(sa.insert(table), {"id": 1, "who": who, "note": "x"})
            end()
            found = connection.execute(asked).scalar()
            connection.rollback()
            check(found == expected, f"{found} rows after {end.__name__}")


def session_state():
    with engine().connect() as connection:
        connection.execute(sa.text("SET CITY_WANTED = 'Lima'"))
        sql = "SELECT CONTACT_ID FROM SHOP.CRM.CONTACTS WHERE CITY = $CITY_WANTED"
        check([tuple(r) for r in connection.execute(sa.text(sql))] == [(2,)], "variable")


def masked():
    common.is_masked(rows(common.MASKED))


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
    with engine().connect() as connection:
        count = total = 0
        for row in connection.execution_options(stream_results=True).execute(sa.text(common.BIG)):
            count += 1
            total += row[0]
    common.is_big(count, int(total))


def restart():
    with engine().connect() as connection:
        connection.execute(sa.text("SET KEPT = 'over'"))
        common.ask("restart")
        found = connection.execute(sa.text("SELECT $KEPT")).scalar()
        check(found == "over", "the variable is kept")


common.run(
    {
        "connect-token": by_token,
        "connect-jwt": by_jwt,
        "types": types,
        "binds": binds,
        "executemany": executemany,
        "describe": describe,
        "transaction": transaction,
        "session-state": session_state,
        "masked": masked,
        "denied": denied,
        "held-approved": held_approved,
        "held-rejected": held_rejected,
        "held-long": held_long,
        "million": million,
        "restart": restart,
    },
    cannot={
        "arrow": "its rows are Python's",
        "async": "it has no asynchronous statements",
        "multi": "it executes one statement at a time",
        "cancel": "it has no way to cancel",
        "held-async": "it has no asynchronous statements",
    },
)

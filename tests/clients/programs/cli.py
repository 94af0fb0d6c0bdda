"""The ``snow`` command."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import common
from common import CannotError, check

SNOW = Path(sys.executable).parent / "snow"


class SnowError(Exception):
    """What the command printed when it failed."""


def snow(sql, *options, **kw):
    given = {
        "account": common.ACCOUNT,
        "user": common.USER,
        "host": common.HOST,
        "port": str(common.PORT),
        "protocol": "http",
        "authenticator": "PROGRAMMATIC_ACCESS_TOKEN",
        "token": common.TOKEN,
        "database": "SHOP",
        "schema": "LAB",
        "warehouse": "WH",
        **kw,
    }
    with tempfile.TemporaryDirectory() as home:
        config = Path(home) / "config.toml"
        lines = [f"{name} = {json.dumps(value)}" for name, value in given.items()]
        config.write_text("[connections.gateway]\n" + "\n".join(lines) + "\n")
        config.chmod(0o600)
        call = [SNOW, "--config-file", config, "sql", "-c", "gateway", "--format", "json"]
        done = subprocess.run(
            [*map(str, call), "-q", sql, *options],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "HOME": home, "SNOWFLAKE_HOME": home, "COLUMNS": "400"},
        )
    if done.returncode:
        raise SnowError(" ".join((done.stdout + done.stderr).split()))
    return json.loads(done.stdout or "[]")


def by_token():
    check(snow("SELECT 1 AS N") == [{"N": 1}], "1")


def by_jwt():
    if not common.JWT:
        raise CannotError("no provider")
    check(snow("SELECT 1 AS N", authenticator="OAUTH", token=common.JWT) == [{"N": 1}], "1")


def types():
    found = snow(common.TYPES)
    check(len(found) == 2 and found[0]["N"] == 1 and found[0]["T"] == "ä€😀", found)


def multi():
    found = snow("SELECT 1 AS A; SELECT 2 AS B")
    check(found == [[{"A": 1}], [{"B": 2}]], found)


def transaction():
    who = f"tx {common.NAME}"
    snow(f"DELETE FROM SHOP.LAB.NOTES WHERE WHO = '{who}'")
    insert = f"INSERT INTO SHOP.LAB.NOTES (ID, WHO, NOTE) VALUES (1, '{who}', 'x')"
    count = f"SELECT COUNT(*) AS C FROM SHOP.LAB.NOTES WHERE WHO = '{who}'"
    for ending, expected in (("ROLLBACK", 0), ("COMMIT", 1)):
        found = snow(f"BEGIN; {insert}; {ending}; {count}")
        check(found[-1] == [{"C": expected}], found)


def session_state():
    asked = "SELECT CONTACT_ID AS N FROM SHOP.CRM.CONTACTS WHERE CITY = $CITY_WANTED"
    found = snow(f"SET CITY_WANTED = 'Lima'; {asked}")
    check(found[-1] == [{"N": 2}], found)


def million():
    found = snow(common.BIG)
    common.is_big(len(found), sum(row["ID"] for row in found))


def masked():
    common.is_masked([list(row.values()) for row in snow(common.MASKED)])


def denied():
    try:
        snow(common.DENIED)
    except SnowError as error:
        check("denied" in str(error) and "admin" in str(error), error)
    else:
        raise AssertionError("nothing was refused")


def held_approved():
    common.is_own([list(row.values()) for row in snow(common.held("approve"))])


def held_rejected():
    try:
        snow(common.held("reject"))
    except SnowError as error:
        check("Rita" in str(error) and "not today" in str(error), error)
    else:
        raise AssertionError("nothing was refused")


def held_long():
    common.is_own([list(row.values()) for row in snow(common.held("late"))])


common.run(
    {
        "connect-token": by_token,
        "connect-jwt": by_jwt,
        "types": types,
        "multi": multi,
        "transaction": transaction,
        "session-state": session_state,
        "masked": masked,
        "denied": denied,
        "held-approved": held_approved,
        "held-rejected": held_rejected,
        "held-long": held_long,
        "million": million,
    },
    cannot={
        "arrow": "it prints text",
        "binds": "it takes no values",
        "executemany": "it takes no values",
        "describe": "it has no such command",
        "restart": "each call is a session of its own",
    },
)

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
    check([row["ID"] for row in snow(common.held("approve"))] == [1, 2], "two rows")


def held_rejected():
    try:
        snow(common.held("reject"))
    except SnowError as error:
        check("Rita" in str(error) and "not today" in str(error), error)
    else:
        raise AssertionError("nothing was refused")


def held_long():
    check(len(snow(common.held("late"))) == 2, "two rows")


common.run(
    {
        "connect-token": by_token,
        "connect-jwt": by_jwt,
        "types": types,
        "multi": multi,
        "masked": masked,
        "denied": denied,
        "held-approved": held_approved,
        "held-rejected": held_rejected,
        "held-long": held_long,
    }
)

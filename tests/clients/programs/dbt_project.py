"""dbt: a project of one model and one test, run by its command."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import common
from common import CannotError, check

DBT = Path(sys.executable).parent / "dbt"


class DbtError(Exception):
    """What the command printed when it failed."""


def dbt(*arguments, models=None, **kw):
    target = {
        "type": "snowflake",
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
        "threads": 1,
        "connect_retries": 0,
        **kw,
    }
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        project = {"name": "lab", "version": "1.0", "profile": "lab", "model-paths": ["models"]}
        (root / "dbt_project.yml").write_text(json.dumps(project))
        profile = {"lab": {"target": "gateway", "outputs": {"gateway": target}}}
        (root / "profiles.yml").write_text(json.dumps(profile))
        (root / "models").mkdir()
        for name, text in (models or {}).items():
            (root / "models" / f"{name}.sql").write_text(text)
        done = subprocess.run(
            [str(DBT), "--no-use-colors", "--no-send-anonymous-usage-stats", *arguments],
            cwd=root,
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "DBT_PROFILES_DIR": place, "HOME": place},
        )
    if done.returncode:
        raise DbtError(" ".join((done.stdout + done.stderr).split())[-1500:])
    return done.stdout


def show(sql, **kw):
    text = dbt("--quiet", "show", "--output", "json", "--inline", sql, **kw)
    return json.loads(text[text.index("{") :])["show"]


def by_token():
    check(show("SELECT 1 AS N") == [{"N": 1}], "1")


def by_jwt():
    if not common.JWT:
        raise CannotError("no provider")
    check(show("SELECT 1 AS N", authenticator="oauth", token=common.JWT) == [{"N": 1}], "1")


def model():
    dbt("run", models={"of_notes": "select ID, WHO from SHOP.LAB.NOTES"})


def masked():
    common.is_masked([list(row.values()) for row in show(common.MASKED)])


def denied():
    sql = "select * from table(information_schema.query_history())"
    try:
        show(sql)
    except DbtError as error:
        check("42501" in str(error) or "denied" in str(error).lower(), error)
    else:
        raise AssertionError("nothing was refused")


def held_approved():
    common.is_own([list(row.values()) for row in show(common.held("approve"))])


def held_long():
    common.is_own([list(row.values()) for row in show(common.held("late"))])


def held_rejected():
    try:
        show(common.held("reject"))
    except DbtError as error:
        check("Rita" in str(error) and "not today" in str(error), error)
    else:
        raise AssertionError("nothing was refused")


common.run(
    {
        "connect-token": by_token,
        "connect-jwt": by_jwt,
        "model": model,
        "masked": masked,
        "denied": denied,
        "held-approved": held_approved,
        "held-rejected": held_rejected,
        "held-long": held_long,
    },
    cannot=dict.fromkeys(
        (
            *("types", "arrow", "binds", "executemany", "describe", "async", "multi"),
            *("transaction", "session-state", "cancel", "held-async", "million"),
        ),
        "it builds models and shows some rows of them",
    )
    | {"restart": "each call is a session of its own"},
)

"""What is let through runs in the emulator, and gives away nothing and changes nothing."""

import json
from pathlib import Path

import pytest
from fakesnow.instance import FakeSnow

from connections.judge import Ruleset, SessionContext, judge
from connections.policy.document import load
from connections.policy.types import Effect, Subject
from connections.sql.schema import catalogue_from_ddl, with_ddl
from tests.connections.sql.canaries import leaks

pytestmark = pytest.mark.filterwarnings("ignore")

CORPORA = Path(__file__).parents[2] / "corpora"
FIXTURE = (CORPORA / "fixture.sql").read_text()
CATALOGUE = catalogue_from_ddl(FIXTURE)
DOCUMENT = load((CORPORA / "policy.yaml").read_text())
RULESET = Ruleset(DOCUMENT.rules, DOCUMENT.protections, revision=1, salt="emulator")
SUBJECT = Subject("agent", "a-1", "agent")
CANARIES = (
    "canary-alice@pii.example",
    "canary-bob@pii.example",
    "canary-carol@pii.example",
    "900-11-1111",
    "900-22-2222",
    "900-33-3333",
)
# What works on the fixture and stands for every way of reading it.
STATE = (
    "SELECT table_schema, table_name, column_name FROM information_schema.columns"
    " WHERE table_schema IN ('CRM', 'SCRATCH') ORDER BY ALL"
)


def _lines():
    return [
        json.loads(line)
        for name in ("attacks.jsonl", "benign.jsonl")
        for line in (CORPORA / name).read_text().splitlines()
        if line
    ]


def _warehouse():
    connection = FakeSnow().connect(database="PROD", schema="PUBLIC")
    for statement in FIXTURE.split(";\n"):
        if statement.strip():
            connection.cursor().execute(statement)
    return connection


def _state(connection):
    duck = connection._duck_conn
    names = duck.execute(STATE).fetchall()
    tables = sorted({f"{s}.{t}" for s, t, _ in names if s == "CRM"})
    contents = [duck.execute(f"SELECT * FROM PROD.{t} ORDER BY ALL").fetchall() for t in tables]
    return repr((names, contents))


def _run(connection, sql):
    """All that comes back of a statement: headers, rows, or the error's text."""
    cursor = connection.cursor()
    try:
        cursor.execute(sql)
        return repr(([d.name for d in cursor.description or []], cursor.fetchall()))
    except Exception as error:  # noqa: BLE001 - whatever it is, its text must not leak
        return str(error)


_SHARED = []


def _fresh(entry):
    """A warehouse as the fixture leaves it; shared by entries that prepare nothing."""
    if entry.get("setup"):
        return _warehouse()
    if not _SHARED:
        _SHARED.append(_warehouse())
    return _SHARED[0]


@pytest.mark.parametrize("entry", _lines(), ids=lambda e: e["id"])
def test_let_through_leaks_nothing_and_changes_nothing(entry):
    connection = _fresh(entry)
    context, catalogue = SessionContext(), CATALOGUE

    def ask(sql):
        return judge(sql, context=context, catalogue=catalogue, ruleset=RULESET, subject=SUBJECT)

    for text in entry.get("setup") or []:
        before = ask(text)
        if before.sql_sent is not None:
            assert leaks(_run(connection, before.sql_sent), CANARIES) == []
            catalogue = with_ddl(catalogue, before.sql_sent, context)
            context = context.after(before.facts)
    state = _state(connection)
    verdict = ask(entry["sql"])
    if verdict.decision.effect == Effect.ALLOW:
        known = [c for c in CANARIES if c not in entry["sql"]]
        assert leaks(_run(connection, verdict.sql_sent), known) == []
    assert _state(connection) == state

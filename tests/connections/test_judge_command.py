"""``manage.py judge`` reads any line, and prints a verdict for each."""

import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command

CORPORA = Path(__file__).resolve().parents[1] / "corpora"
FIXTURE = str(CORPORA / "fixture.sql")
POLICY = str(CORPORA / "policy.yaml")


def judged(monkeypatch, *lines, **options):
    data = b"\n".join(x if isinstance(x, bytes) else x.encode() for x in lines)
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(data)))
    out = io.StringIO()
    paths = {name: Path(path) for name, path in options.items()}
    call_command("judge", stdout=out, **paths)
    return [json.loads(line) for line in out.getvalue().splitlines()]


HOSTILE = [
    b"{",
    b"[]",
    b"null",
    b"1",
    b"\xff\xfe\x80",
    b"[" * 200_000,
    b'{"id": 1}',
    b'{"id": 1, "sql": null}',
    b'{"id": 1, "sql": ["SELECT 1"]}',
    b'{"id": 1, "sql": "SELECT 1", "setup": "SELECT 1"}',
    b'{"id": 1, "sql": "SELECT 1", "setup": [1, {}]}',
    b'{"id": 1, "sql": "SELECT 1", "schema": 5}',
    b'{"id": 1, "sql": "SELECT 1", "schema": {"A": [1]}}',
    b'{"id": 1, "sql": "SELECT D FROM A.B.C", "schema": {"A": {"B": {"C": ["D"]}}}}',
    b'{"id": 1, "sql": "SELECT D FROM A.B.C", "schema": {"A": {"B": {"C": {"D": 5}}}}}',
    b'{"id": 1, "sql": "SELECT \\ud800"}',
    b'{"id": 1, "sql": "\\u0000"}',
    b'{"id": 1, "sql": "' + b"(" * 100_000 + b'"}',
    b'{"id": 1, "sql": "' + b"x" * 3_000_000 + b'"}',
    b'{"id": ' + b"9" * 5_000 + b', "sql": "SELECT 1"}',
]


def test_a_bad_line_is_denied_and_the_next_is_judged(monkeypatch):
    good = b'{"id": "good", "sql": "SELECT CITY FROM PROD.CRM.CUSTOMERS"}'
    lines = [line for bad in HOSTILE for line in (bad, good)]
    verdicts = judged(monkeypatch, *lines, fixture=FIXTURE, policy=POLICY)
    assert len(verdicts) == len(lines)
    keys = {"id", "decision", "columns", "masked_columns", "sql_sent", "reasons"}
    assert all(set(v) == keys for v in verdicts)
    for bad, after in zip(verdicts[::2], verdicts[1::2], strict=True):
        assert (bad["decision"], bad["sql_sent"]) == ("deny", None)
        assert bad["reasons"]
        assert (after["id"], after["decision"], after["columns"]) == ("good", "allow", ["CITY"])


def test_reasons_name_the_line_and_the_form(monkeypatch):
    verdicts = judged(monkeypatch, b'{"id": 7, "sql": 1}', b"", b"{")
    assert [v["id"] for v in verdicts] == [7, None]
    form = "Write {id, sql, setup?} or {id, sql, schema}, one a line."
    assert verdicts[0]["reasons"] == [f"Line 1 is not a statement: sql is no text. {form}"]
    assert verdicts[1]["reasons"][0].startswith("Line 3 is not a statement: it cannot be read.")


@pytest.mark.parametrize("id_", ["NaN", "1e999", '{"a": [1]}', "null", '"\\ud800"'])
def test_any_id_comes_back_in_json(monkeypatch, id_):
    (verdict,) = judged(monkeypatch, f'{{"id": {id_}, "sql": "SELECT 1"}}')
    assert verdict["decision"] == "allow"


def test_setup_runs_first_in_the_same_session(monkeypatch):
    line = {
        "id": 1,
        "sql": "SELECT CITY, EMAIL FROM CUSTOMERS",
        "setup": ["USE SCHEMA PROD.CRM"],
    }
    (verdict,) = judged(monkeypatch, json.dumps(line), fixture=FIXTURE, policy=POLICY)
    assert (verdict["decision"], verdict["masked_columns"]) == ("mask", [1])


def test_a_line_brings_its_schema_and_the_default_rules_hold(monkeypatch):
    schema = {"D": {"S": {"T": {"A": "NUMBER"}}}}
    lines = [
        json.dumps({"id": 1, "sql": "SELECT A FROM D.S.T", "schema": schema}),
        json.dumps({"id": 2, "sql": "DELETE FROM D.S.T", "schema": schema}),
        json.dumps({"id": 3, "sql": "SELECT A FROM D.S.T", "schema": None}),
    ]
    decisions = [v["decision"] for v in judged(monkeypatch, *lines)]
    assert decisions == ["allow", "review", "deny"]


def test_a_wrong_policy_is_said(monkeypatch, tmp_path):
    wrong = tmp_path / "policy.yaml"
    wrong.write_text("version: 9")
    with pytest.raises(CommandError, match="version must be 1"):
        judged(monkeypatch, b"", policy=str(wrong))

"""Every hostile statement ends in a right decision, every ordinary one passes."""

import json
from pathlib import Path

import pytest

from connections.judge import CACHE, Ruleset
from connections.management.commands.judge import judge_line
from connections.policy.document import load
from connections.sql.schema import catalogue_from_ddl

HERE = Path(__file__).parents[1] / "corpora"
CATALOGUE = catalogue_from_ddl((HERE / "fixture.sql").read_text())
DOCUMENT = load((HERE / "policy.yaml").read_text())
RULESET = Ruleset(DOCUMENT.rules, DOCUMENT.protections, revision=1, salt="corpora")


@pytest.fixture(autouse=True)
def _cold():
    """Each verdict is made anew."""
    CACHE.clear()


def _lines(name):
    return [json.loads(line) for line in (HERE / name).read_text().splitlines() if line]


@pytest.mark.parametrize("entry", _lines("attacks.jsonl"), ids=lambda e: e["id"])
def test_attack_gets_a_right_decision(entry):
    verdict = judge_line(entry, CATALOGUE, RULESET)
    assert verdict["decision"] in entry["accept"], verdict
    if verdict["decision"] == "mask" and entry.get("mask_cols") is not None:
        assert verdict["masked_columns"] == entry["mask_cols"]
    if verdict["decision"] == "deny":
        assert verdict["sql_sent"] is None
        assert verdict["reasons"]


@pytest.mark.parametrize("entry", _lines("benign.jsonl"), ids=lambda e: e["id"])
def test_ordinary_statement_passes(entry):
    verdict = judge_line(entry, CATALOGUE, RULESET)
    assert verdict["decision"] == entry["expected"], verdict
    named = [verdict["columns"][i] for i in verdict["masked_columns"]]
    assert named == entry["masked_columns"]

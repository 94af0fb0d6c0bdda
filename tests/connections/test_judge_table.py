"""One line, one verdict: decision, masked positions, statement."""

import pytest

from connections.management.commands.judge import judge_line
from tests.connections.test_judge_corpora import CATALOGUE, HERE, RULESET, _cold

__all__ = ["_cold"]

LINES = [line.split(maxsplit=2) for line in (HERE / "table.txt").read_text().splitlines()]


@pytest.mark.parametrize(
    ("decision", "masked", "sql"), LINES, ids=[f"line {n}" for n in range(1, len(LINES) + 1)]
)
def test_verdict(decision, masked, sql):
    verdict = judge_line({"id": "t", "sql": sql}, CATALOGUE, RULESET)
    positions = [] if masked == "-" else [int(p) for p in masked.split(",")]
    assert (verdict["decision"], verdict["masked_columns"]) == (decision, positions), verdict

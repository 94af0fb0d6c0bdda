"""docs/recordings.md says what the code says."""

from pathlib import Path

import pytest

from recordings.findings import FAULTS
from recordings.kinds import DESCRIPTIONS

TEXT = (Path(__file__).parents[2] / "docs" / "recordings.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", DESCRIPTIONS)
def test_every_kind_of_event_is_documented(kind):
    assert f"| `{kind}` | {DESCRIPTIONS[kind]} |" in TEXT


@pytest.mark.parametrize("fault", FAULTS)
def test_every_finding_is_documented(fault):
    assert f"| `{fault}` | {FAULTS[fault]} |" in TEXT

"""The list of requirements in docs/threat-model.md is whole, and what it points to exists."""

import re
from pathlib import Path

from tests.hoopweb.test_docs import PACKAGES, _named, _resolve

ROOT = Path(__file__).resolve().parents[2]
LIST = (
    (ROOT / "docs" / "threat-model.md")
    .read_text()
    .partition("## ASVS 5.0")[2]
    .partition("## Out of scope")[0]
)
# "number level" of each requirement at levels 1 and 2.
LEVELS = dict(
    line.split() for line in (ROOT / "tests" / "corpora" / "asvs.txt").read_text().splitlines()
)
ROWS = re.findall(r"^\| ([\d., ]+) \| ([12, ]+) \| [^|]+ \| ([^|]+) \|$", LIST, re.MULTILINE)


def test_every_requirement_is_there_once_with_its_level():
    numbers = [number for row in ROWS for number in row[0].split(", ")]
    assert len(LEVELS) == 253
    assert sorted(numbers) == sorted(LEVELS)
    for listed, levels, _ in ROWS:
        assert {LEVELS[number] for number in listed.split(", ")} == set(levels.split(", "))


def test_each_says_whether_it_is_met():
    for listed, _, how in ROWS:
        assert re.search(r"\bmet\b|not applicable|operator|proxy's", how), listed


def test_what_is_named_exists():
    for name in _named(LIST):
        if name.startswith("tests/"):
            assert (ROOT / name).exists(), name
        elif re.fullmatch(rf"({'|'.join(PACKAGES)})(\.\w+)+", name):
            _resolve(name)

"""The rules of a new connection, held to the letter: changing one is a change of the product."""

from pathlib import Path

from connections.policy.defaults import default_rules
from connections.policy.document import Document, dump, load

EXPECTED = Path(__file__).with_name("defaults.yaml").read_text(encoding="utf-8")


def test_a_connection_starts_with_these_rules_and_no_others():
    assert dump(Document(default_rules())) == EXPECTED
    assert load(EXPECTED).rules == default_rules()


def test_they_stand_apart_and_at_their_first_revision():
    rules = default_rules()
    assert [r.position for r in rules] == [10 * (i + 1) for i in range(len(rules))]
    assert {(r.revision, r.enabled) for r in rules} == {(1, True)}

"""Five drivers through the gateway: fewer rows and a shorter hold than ``make test-clients``."""

import pytest

from tests.clients import matrix
from tests.clients.environments import CLIENTS

# What each cannot do for reasons of its own (docs/clients.md).
CANNOT = {
    "py4": set(),
    "py5": set(),
    "adbc": {"async", "multi", "held-async"},
    "jdbc": {"arrow"},
    "node": {"arrow"},
}
# Long enough for a token that ends on the way and is renewed.
PLAN = matrix.Plan(rows=20_000, late=75, at_once=2)


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    chosen = [client for client in CLIENTS if client.name in CANNOT]
    found = matrix.tried(chosen, PLAN, tmp_path_factory.mktemp("clients"))
    print(matrix.printed(found, PLAN.names))
    return {row.client.name: row for row in found}


@pytest.mark.faults
@pytest.mark.parametrize("name", CANNOT)
def test_a_driver_does_everything_through_the_gateway(rows, name):
    row = rows[name]
    if row.missing:
        pytest.skip(row.missing)
    asked = matrix.asked_of(row.client, matrix.BEHAVIOURS)
    expected = {each: "cannot" if each in CANNOT[name] else "ok" for each in asked}
    notes = {each: cell.note for each, cell in row.cells.items() if cell.mark != expected[each]}
    assert {each: cell.mark for each, cell in row.cells.items()} == expected, notes

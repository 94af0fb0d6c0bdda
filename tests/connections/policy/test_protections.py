"""Which columns are protected: by name, by glob, by tag, without regard to case."""

import pytest

from connections.policy.protections import Protections, column_tags
from connections.policy.types import Protection
from connections.sql.catalogue import Catalogue, Column, Table
from connections.sql.facts import ColumnName, ObjectName

TABLE = ObjectName("PROD", "CRM", "CUSTOMERS")
CATALOGUE = Catalogue.of(
    [Table(TABLE, (Column("EMAIL", "VARCHAR", ("PII",)), Column("ID", "INT")))]
)
EMAIL, ID = ColumnName(TABLE, "EMAIL"), ColumnName(TABLE, "ID")


def found(asked, **match):
    protection = Protection("p", "redact", **match)
    return bool(Protections([protection]).of(asked, CATALOGUE))


@pytest.mark.parametrize(
    ("match", "email", "id_"),
    [
        ({"column": "EMAIL"}, True, False),
        ({"column": "email"}, True, False),
        ({"column": "E*"}, True, False),
        ({"column": "*"}, True, True),
        ({"column": "EMAI"}, False, False),
        ({"column": "EMAIL", "table": "CUST*"}, True, False),
        ({"column": "EMAIL", "table": "ORDERS"}, False, False),
        ({"column": "EMAIL", "schema": "HR"}, False, False),
        ({"column": "EMAIL", "database": "DEV"}, False, False),
        ({"column": "EMAIL", "database": "prod", "schema": "crm"}, True, False),
        ({"tag": "PII"}, True, False),
        ({"tag": "pii"}, True, False),
        ({"tag": "PCI"}, False, False),
        ({"tag": "PII", "column": "ID"}, False, False),
        ({"tag": "PII", "column": "EMAIL"}, True, False),
        ({}, False, False),
        ({"column": "EMAIL", "enabled": False}, False, False),
    ],
)
def test_protections_meet_columns(match, email, id_):
    assert found(EMAIL, **match) is email
    assert found(ID, **match) is id_


def test_they_come_in_their_order_and_twice_alike():
    both = Protections(
        [Protection("b", "null", column="EMAIL"), Protection("a", "hash", column="*")]
    )
    assert [p.id for p in both.of(EMAIL, CATALOGUE)] == ["b", "a"]
    assert [p.id for p in both.of(EMAIL, CATALOGUE)] == ["b", "a"]
    assert [p.id for p in both.of(ID, CATALOGUE)] == ["a"]


@pytest.mark.parametrize("before", [{"column": "ID"}, {"tag": "PCI"}, {}, {"table": "ORDERS"}])
def test_what_does_not_meet_a_column_hides_nothing_that_does(before):
    both = Protections([Protection("b", "null", **before), Protection("a", "hash", tag="PII")])
    assert [p.id for p in both.of(EMAIL, CATALOGUE)] == ["a"]


def test_tags_of_what_is_not_known_are_none():
    assert column_tags(EMAIL, CATALOGUE) == ("PII",)
    assert column_tags(ColumnName(TABLE, "GONE"), CATALOGUE) == ()
    assert column_tags(ColumnName(ObjectName("A", "B", "C"), "D"), CATALOGUE) == ()

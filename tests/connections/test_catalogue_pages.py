"""Browsing and searching thousands of tables stays quick, and protected columns are marked."""

import time

import pytest
from django.test import Client
from django.urls import reverse

from accounts.principal import Role
from connections import services
from connections.models import Connection
from connections.services.kinds import kind_of
from connections.services.suggestions import suggest
from connections.sql.catalogue import Catalogue, Column, Table
from connections.sql.facts import ObjectName
from tests import factories

pytestmark = pytest.mark.django_db


def wide(count: int) -> Catalogue:
    tables = [
        Table(
            ObjectName("PROD", f"S{i % 9}", f"T{i:05}"),
            (*(Column(f"C{j}", "TEXT") for j in range(25)), Column("EMAIL", "TEXT", ("PII",))),
        )
        for i in range(count)
    ]
    view = Table(ObjectName("PROD", "S0", "V"), (Column("EMAIL", "TEXT"),), "SELECT email FROM t")
    view = Table(ObjectName("PROD", "S0", "V", "view"), view.columns, view.definition)
    return Catalogue.of([*tables, view])


@pytest.fixture
def client() -> Client:
    client = Client()
    client.force_login(factories.person("ada", Role.ADMIN))
    return client


def test_thousands_of_tables_stay_quick(client: Client) -> None:
    row = factories.connection("big", catalogue=wide(4000))
    items = [{"column": f"C{i}", "strategy": "redact", "table": f"T{i:05}"} for i in range(300)]
    services.create_protections(connection=row, by=None, items=items)
    url = reverse("connections:catalogue", args=[row.name])
    client.get(url)  # the catalogue is read once per process and version
    for query in ({}, {"q": "email"}, {"q": "s3 c24"}, {"only": "protected"}, {"from": "3960"}):
        began = time.perf_counter()
        response = client.get(url, query)
        took = time.perf_counter() - began
        assert response.status_code == 200
        assert took < 3, (query, took)
        assert response.content.count(b"data-row-link") <= 60


def test_search_finds_tables_first_then_columns(client: Client) -> None:
    row = factories.connection("shop")
    url = reverse("connections:catalogue", args=[row.name])
    page = client.get(url, {"q": "crm city"}).content.decode()
    assert "CONTACTS" in page
    assert "ORDERS" not in page
    found = client.get(url, {"q": "orders"}).context["found"]
    assert [str(f.table.name) for f in found] == ["SHOP.RETAIL.ORDERS"]
    found = client.get(url, {"only": "protected"}).context["found"]
    assert [(f.table.name.name, f.protected) for f in found] == [("CONTACTS", 1)]
    found = client.get(url, {"schema": "SHOP.RETAIL"}).context["found"]
    assert len(found) == 1
    assert "Nothing has such a name" in client.get(url, {"q": "nothing"}).content.decode()
    part = client.get(url, {"q": "city"}, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in part


def test_a_table_shows_types_tags_masks_and_a_views_definition(client: Client) -> None:
    row = factories.connection("big", catalogue=wide(3))
    services.create_protection(connection=row, by=None, tag="pii", strategy="hash")
    url = reverse("connections:catalogue", args=[row.name])
    page = client.get(url, {"table": "PROD.S0.T00000"}).content.decode()
    assert "PII" in page
    assert "hash" in page
    assert "Protect" in page
    page = client.get(url, {"table": "PROD.S0.V"}).content.decode()
    assert "Definition" in page
    assert client.get(url, {"table": "PROD.S0.GONE"}).status_code == 404


def test_before_the_first_reading_the_page_says_what_to_do(client: Client) -> None:
    services.register_connection(by=None, name="fresh", account="acme")
    page = client.get(reverse("connections:catalogue", args=["fresh"])).content.decode()
    assert "was not read yet" in page
    page = client.get(reverse("connections:protections", args=["fresh"])).content.decode()
    assert "Read the catalogue first" in page


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("EMAIL", "e-mail"),
        ("CUSTOMER_EMAIL_2", "e-mail"),
        ("emailAddress", "e-mail"),
        ("E_MAIL", "e-mail"),
        ("SSN", "social security"),
        ("PHONE_NUMBER", "phone"),
        ("HomePhone", "phone"),
        ("CARD_NO", "card"),
        ("CREDIT_CARD_NUMBER", "card"),
        ("IBAN", "bank"),
        ("BIRTH_DATE", "birth"),
        ("DOB", "birth"),
        ("LAST_NAME", "name"),
        ("STREET_ADDRESS", "address"),
        ("TAX_ID", "document"),
        ("EMAIL_VERIFIED", None),
        ("CARD_TYPE", None),
        ("PHONE_TYPE", None),
        ("COMPANY", None),
        ("PANTS", None),
        ("CELLAR", None),
        ("SHIP_DATE", None),
        ("NAME", None),
        ("DISCARD", None),
    ],
)
def test_names_that_promise_something_personal(name: str, label: str | None) -> None:
    kind = kind_of(name)
    assert (kind is None) == (label is None)
    if kind and label:
        assert label in kind.label


def test_tags_suggest_what_names_do_not_say() -> None:
    columns = (
        Column("C1", "TEXT", ("SEMANTIC_CATEGORY=EMAIL", "PRIVACY_CATEGORY=IDENTIFIER")),
        Column("C2", "TEXT", ("PII", "GOV.TAGS.PII", "PII=high")),
        Column("C3", "TEXT", ("PII=false",)),
        Column("C4", "TEXT", ("COST_CENTER=sales",)),
        Column("C5", "TEXT", ("SEMANTIC_CATEGORY=ETHNICITY",)),
        Column("C6", "BOOLEAN", ("PII=high",)),
    )
    found = suggest(Catalogue.of([Table(ObjectName("P", "S", "T"), columns)]), [])
    assert [(s.column.name, s.label, s.strategy) for s in found] == [
        ("C1", "an e-mail address", "partial"),
        ("C2", "something personal (PII=high)", "redact"),
        ("C5", "ethnicity", "redact"),
    ]
    assert {s.as_values()["note"].split(" says")[0] for s in found} == {"Suggested: the tag"}


def test_suggestions_fit_the_type_and_leave_out_what_is_covered() -> None:
    name = ObjectName("P", "S", "T")
    columns = (
        Column("EMAIL", "TEXT"),
        Column("PHONE", "NUMBER(38,0)"),
        Column("BIRTH_DATE", "DATE"),
        Column("HAS_PHONE", "BOOLEAN"),
        Column("SSN", "TEXT", ("SECRET",)),
    )
    view = Table(ObjectName("P", "S", "V", "view"), (Column("EMAIL", "TEXT"),), "SELECT 1")
    row = Connection(name="x")
    covered = row.protections.model(connection=row, tag="secret", strategy="redact").as_value()
    found = suggest(Catalogue.of([Table(name, columns), view]), [covered])
    assert [(s.column.name, s.strategy) for s in found] == [
        ("EMAIL", "partial"),
        ("PHONE", "redact"),
        ("BIRTH_DATE", "date"),
    ]

"""The made-up warehouse: the same each time, believable, and nobody's data."""

import warnings

import pyarrow as pa
import pytest

from connections.upstream.emulator.engine import Engine
from connections.upstream.emulator.warehouse.build import build, is_built
from connections.upstream.emulator.warehouse.crm import Crm
from connections.upstream.emulator.warehouse.retail import Retail
from connections.upstream.emulator.warehouse.scale import SMALL


@pytest.fixture(scope="module")
def engine():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        made = Engine(None)
        build(made, small=True)
    yield made
    made.close()


def _rows(engine, sql):
    return engine.duck_conn.cursor().execute(sql).fetchall()


def test_the_same_seed_makes_the_same_rows():
    first, second = Crm(Retail(SMALL, 1)), Crm(Retail(SMALL, 1))
    assert first.contacts().equals(second.contacts())
    assert first.retail.returns().equals(second.retail.returns())
    assert not first.contacts().equals(Crm(Retail(SMALL, 2)).contacts())


def test_a_build_is_known_to_be_whole(engine):
    assert is_built(engine)
    sizes = dict(_rows(engine, "SELECT table_name, estimated_size FROM duckdb_tables()"))
    expected = {"CUSTOMERS": 1000, "ORDERS": 6000, "ORDER_LINES": 20000, "CONTACTS": 2000}
    assert {name: sizes[name] for name in expected} == expected
    assert sizes["DATES"] == 730


def test_keys_point_at_rows(engine):
    for child, key, parent in [
        ("RETAIL.ORDERS", "CUSTOMER_ID", "RETAIL.CUSTOMERS"),
        ("RETAIL.ORDERS", "STORE_ID", "RETAIL.STORES"),
        ("RETAIL.ORDER_LINES", "ORDER_ID", "RETAIL.ORDERS"),
        ("RETAIL.ORDER_LINES", "PRODUCT_ID", "RETAIL.PRODUCTS"),
        ("RETAIL.RETURNS", "LINE_ID", "RETAIL.ORDER_LINES"),
        ("CRM.PAYMENTS", "ORDER_ID", "RETAIL.ORDERS"),
        ("CRM.PAYMENTS", "CONTACT_ID", "CRM.CONTACTS"),
        ("CRM.SUPPORT_TICKETS", "CONTACT_ID", "CRM.CONTACTS"),
    ]:
        orphans = _rows(
            engine, f"SELECT count(*) FROM SHOP.{child} ANTI JOIN SHOP.{parent} USING ({key})"
        )
        assert orphans == [(0,)], child


def test_totals_are_the_sums_of_lines(engine):
    different = _rows(
        engine,
        "SELECT count(*) FROM SHOP.RETAIL.ORDERS o JOIN (SELECT ORDER_ID, sum(AMOUNT) s "
        "FROM SHOP.RETAIL.ORDER_LINES GROUP BY 1) l USING (ORDER_ID) WHERE o.TOTAL <> l.s",
    )
    assert different == [(0,)]


def test_personal_data_belongs_to_nobody():
    contacts = Crm(Retail(SMALL, 7)).contacts().to_pylist()
    assert len({row["SSN"] for row in contacts}) == len(contacts)
    assert len({row["EMAIL"] for row in contacts}) == len(contacts)
    for row in contacts:
        area, group, _ = row["SSN"].split("-")
        assert area.startswith("9")
        assert 1 <= int(group) <= 49
        domain = row["EMAIL"].partition("@")[2]
        assert domain.split(".", domain.count(".") - 1)[-1].startswith("example.")
        assert _luhn(row["CARD_NUMBER"]), row["CARD_NUMBER"]
        assert " 555 " in row["PHONE"]


def _luhn(number: str) -> bool:
    digits = [int(digit) for digit in reversed(number)]
    doubled = [d * 2 - 9 if d > 4 else d * 2 for d in digits[1::2]]
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0


def test_tickets_sometimes_give_a_way_to_be_reached():
    bodies = pa.chunked_array(Crm(Retail(SMALL, 7)).tickets().column("BODY")).to_pylist()
    with_email = sum("@" in body for body in bodies)
    with_phone = sum(" 555 " in body for body in bodies)
    assert 0.2 < with_email / len(bodies) < 0.4
    assert 0.1 < with_phone / len(bodies) < 0.3


@pytest.mark.slow
def test_which_cities_lost_most_has_an_answer():
    made = Engine(None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        build(made)
    lost = _rows(
        made,
        "SELECT CITY, sum(CASE WHEN MONTH >= '2026-08-01' THEN REVENUE ELSE -REVENUE END) d "
        "FROM SHOP.RETAIL.REVENUE_BY_CITY WHERE MONTH >= '2026-05-01' "
        "GROUP BY 1 ORDER BY 2 LIMIT 5",
    )
    assert {city for city, _ in lost[:3]} <= {"Lyon", "Porto", "Leeds", "Rotterdam", "Kraków"}
    made.close()

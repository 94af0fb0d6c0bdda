"""The catalogue as it is read, and a connection tried step by step."""

import pytest

from connections.upstream.check import NAMES, report
from connections.upstream.errors import UpstreamError
from connections.upstream.metadata import read_catalogue


async def test_the_catalogue_has_tables_views_types_and_tags(session):
    said: list[str] = []
    read = await read_catalogue(session, progress=said.append)
    assert read.notes == ()
    assert said == ["Reading tags", "Reading SHOP"]
    contacts = read.catalogue.find("SHOP", "CRM", "CONTACTS")
    assert contacts is not None
    assert contacts.name.kind == "table"
    columns = {column.name: column for column in contacts.columns}
    assert columns["CONTACT_ID"].type == "NUMBER(38,0)"
    assert columns["EMAIL"].tags == ("PII", "GOVERNANCE.TAGS.PII", "PII=email")
    assert columns["CITY"].tags == ()
    card = read.catalogue.find("SHOP", "CRM", "CONTACT_CARD")
    assert card is not None
    assert card.name.kind == "view"
    assert "JOIN SHOP.RETAIL.CUSTOMERS" in (card.definition or "")
    lines = read.catalogue.find("SHOP", "RETAIL", "ORDER_LINES")
    assert lines is not None
    assert lines.columns[-1].type == "NUMBER(12,2)"


async def test_a_view_keeps_its_own_text_until_it_is_dropped(session):
    text = "CREATE OR REPLACE VIEW RETAIL.MINE AS SELECT STORE_ID /* mine */ FROM RETAIL.STORES"
    await session.fetch(text)
    read = await read_catalogue(session, ["SHOP"])
    mine = read.catalogue.find("SHOP", "RETAIL", "MINE")
    assert mine is not None
    assert mine.definition == text
    await session.fetch("DROP VIEW RETAIL.MINE")
    read = await read_catalogue(session, ["SHOP"])
    assert read.catalogue.find("SHOP", "RETAIL", "MINE") is None


async def test_a_database_that_cannot_be_read_is_an_error(session):
    with pytest.raises(UpstreamError):
        await read_catalogue(session, ["SHOP", "NOPE"])


async def test_all_steps_pass(emulator):
    steps = await report(emulator.target())
    assert [step.name for step in steps] == list(NAMES)
    assert all(step.ok for step in steps), steps
    assert steps[-1].to_json()["detail"] == "15 tables and views visible in SHOP"


@pytest.mark.parametrize(
    ("change", "step", "cure"),
    [
        ({"host": "nowhere.invalid"}, "DNS", "account identifier"),
        ({"port": 1}, "TLS", "network policy"),
        ({"protocol": "https"}, "TLS", "certificate"),
        ({"secret": "wrong"}, "Login", "password"),
        ({"role": "NOBODY"}, "Login", "GRANT ROLE NOBODY"),
        ({"warehouse": ""}, "Warehouse", "warehouse"),
        ({"database": "NOPE"}, "Metadata", "spelled"),
    ],
)
async def test_the_step_that_fails_is_the_last_and_says_what_helps(emulator, change, step, cure):
    steps = await report(emulator.target(**change))
    assert (steps[-1].name, steps[-1].ok) == (step, False)
    assert cure in steps[-1].cure
    assert all(before.ok for before in steps[:-1])

"""The warehouse and the connection that drivers are tried on: ``python -m tests.clients.lab PORT``
fills the gateway's database and prints what it made.
"""

import json
import sys

SETUP = [
    "CREATE SCHEMA IF NOT EXISTS SHOP.CRM",
    "CREATE SCHEMA IF NOT EXISTS SHOP.LAB",
    """CREATE OR REPLACE TABLE SHOP.CRM.CONTACTS
       (CONTACT_ID NUMBER(38,0), FULL_NAME VARCHAR, EMAIL VARCHAR, CITY VARCHAR)""",
    """INSERT INTO SHOP.CRM.CONTACTS VALUES
       (1,'Alice Ash','canary-alice@pii.example','Oslo'),
       (2,'Bob Birch','canary-bob@pii.example','Lima'),
       (3,'Carol Cedar',NULL,'Oslo')""",
    """CREATE OR REPLACE TABLE SHOP.LAB.TYPES (N NUMBER(38,0), D NUMBER(10,2), F FLOAT, T VARCHAR,
       B BOOLEAN, BI BINARY, DAY DATE, TM TIME, NTZ TIMESTAMP_NTZ, TZ TIMESTAMP_TZ, V VARIANT,
       A ARRAY)""",
    """INSERT INTO SHOP.LAB.TYPES SELECT 1, 12.50, 1.5, 'ä€😀', TRUE, TO_BINARY('00ff', 'HEX'),
       '2024-02-29'::DATE, '13:14:15.123'::TIME, '2024-02-29 13:14:15.123456'::TIMESTAMP_NTZ,
       '2024-02-29 13:14:15.123 +0100'::TIMESTAMP_TZ, PARSE_JSON('{"a": 1}'),
       PARSE_JSON('[1, 2]')""",
    "INSERT INTO SHOP.LAB.TYPES (N) VALUES (2)",
    "CREATE OR REPLACE TABLE SHOP.LAB.NOTES (ID NUMBER(38,0), WHO VARCHAR, NOTE VARCHAR)",
    "CREATE OR REPLACE TABLE SHOP.LAB.VAULT (ID NUMBER(38,0), NOTE VARCHAR)",
    "INSERT INTO SHOP.LAB.VAULT VALUES (1, 'first'), (2, 'second')",
    "CREATE OR REPLACE TABLE SHOP.LAB.BIG (ID NUMBER(38,0), WORD VARCHAR, AMOUNT NUMBER(12,2))",
    """INSERT INTO SHOP.LAB.BIG SELECT SEQ4(), 'word ' || SEQ4(), SEQ4() / 4
       FROM TABLE(GENERATOR(ROWCOUNT => {rows}))""",
]
# A part of a result holds so many rows; fewer when there are few, so that there are parts.
_PART = 50_000


def setup(rows: int) -> list[str]:
    """What fills the warehouse, with ``rows`` in the large table."""
    return [text.replace("{rows}", str(rows)) for text in SETUP]


def options(rows: int) -> tuple[str, ...]:
    """The emulator's own: how it cuts a result of ``rows``."""
    return ("--chunk-rows", str(min(_PART, max(1, rows // 8))))


_COLUMNS = {
    "CRM.CONTACTS": "CONTACT_ID NUMBER(38,0), FULL_NAME TEXT, EMAIL TEXT, CITY TEXT",
    "LAB.TYPES": "N NUMBER(38,0), D NUMBER(10,2), F FLOAT, T TEXT, B BOOLEAN, BI BINARY, DAY DATE, "
    "TM TIME, NTZ TIMESTAMP_NTZ, TZ TIMESTAMP_TZ, V VARIANT, A ARRAY",
    "LAB.NOTES": "ID NUMBER(38,0), WHO TEXT, NOTE TEXT",
    "LAB.VAULT": "ID NUMBER(38,0), NOTE TEXT",
    "LAB.BIG": "ID NUMBER(38,0), WORD TEXT, AMOUNT NUMBER(12,2)",
}
# First what waits, then what this laboratory may do beyond a connection's usual rules.
_RULES = [
    {
        "slug": "the-vault-waits",
        "effect": "review",
        "match": {"classes": ["select"], "objects": ["SHOP.LAB.VAULT"]},
    },
    {
        "slug": "the-lab-is-free",
        "effect": "allow",
        "match": {
            "classes": ["select", "insert", "update", "delete", "merge", "create-*", "drop-*"],
            "objects": ["SHOP.LAB.*"],
        },
    },
]


def _catalogue() -> object:
    from connections.sql.catalogue import Catalogue, Column, Table
    from connections.sql.facts import ObjectName

    tables = []
    for name, columns in _COLUMNS.items():
        schema, table = name.split(".")
        made = tuple(Column(*each.split(" ", 1)) for each in columns.split(", "))
        tables.append(Table(ObjectName("SHOP", schema, table), made))
    return Catalogue.of(tables)


def main() -> None:
    import django

    django.setup()
    from django.db.models import F

    from accounts.principal import Role
    from accounts.services import issue_token
    from connections.models import Connection
    from tests import factories

    row: Connection = factories.connection("lab", catalogue=_catalogue())
    row.port, row.schema = int(sys.argv[1]), "LAB"
    row.max_rows = 5_000_000
    row.save()
    row.rules.update(position=F("position") + len(_RULES))
    for position, rule in enumerate(_RULES):
        row.rules.create(position=position, **rule)
    owner = factories.person("olga", Role.DEVELOPER)
    agent = factories.agent("drivers", owner=owner)
    factories.allow(row, agent)
    factories.person("rita", Role.REVIEWER)
    token = issue_token(agent=agent, label="matrix", by=owner).text
    print(json.dumps({"token": token, "agent": str(agent.pk)}))


if __name__ == "__main__":
    main()

"""The gateway's rows for the measurement: ``python -m benchmarks.wire.seed PORT``."""

import json
import sys

import django

from benchmarks.wire.canned import COLUMNS

# Which of the large table's columns are protected on which connection. The detectors look through
# the rows of all of them but the first.
UNSEEN = "undetected"
PROTECTED = {UNSEEN: (), "plain": (), "one": ("EMAIL",), "three": ("EMAIL", "NAME", "STREET")}


def main() -> None:
    django.setup()
    from accounts.principal import Role
    from accounts.services import issue_token
    from connections.masking.detectors import DETECTORS
    from connections.sql.catalogue import Catalogue, Column, Table
    from connections.sql.facts import ObjectName
    from tests import factories

    columns = tuple(Column(*each.split(" ", 1)) for each in COLUMNS.split(", "))
    catalogue = Catalogue.of(
        Table(ObjectName("SHOP", "PUBLIC", name), columns) for name in ("WIDE", "BIG")
    )
    owner = factories.person("olga", Role.DEVELOPER)
    agent = factories.agent("load", owner=owner)
    for name, protected in PROTECTED.items():
        row = factories.connection(name, catalogue=catalogue)
        row.protections.all().delete()
        for column in protected:
            row.protections.create(
                strategy="redact",
                database="SHOP",
                schema="PUBLIC",
                table="BIG",
                column=column,
            )
        if name == UNSEEN:
            for each in DETECTORS:
                row.detectors.create(name=each.name, action="off")
        row.port, row.schema, row.max_rows = int(sys.argv[1]), "PUBLIC", 5_000_000
        row.save()
        factories.allow(row, agent)
    print(json.dumps({"token": issue_token(agent=agent, label="load", by=owner).text}))


if __name__ == "__main__":
    main()

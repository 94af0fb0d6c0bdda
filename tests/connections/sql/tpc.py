"""The TPC corpora in the local emulator: data, queries, and the catalogue of both."""

import gzip
import re
from functools import lru_cache
from pathlib import Path

import pytest
from fakesnow.instance import FakeSnow

from connections.sql.catalogue import Catalogue, Column, Table
from connections.sql.facts import ObjectName

ROOT = Path(__file__).parents[4] / "shared" / "corpora" / "tpc"
needs_tpc = pytest.mark.skipif(not ROOT.exists(), reason="the TPC corpora are not beside the repo")

_TYPES = {"BIGINT": "NUMBER(38,0)", "DOUBLE": "FLOAT", "INTEGER": "NUMBER(38,0)"}


# A query names a column that the data has under another name.
_EXTRA = {"tpc-ds": {"CUSTOMER": ", c_last_review_date_sk AS c_last_review_date"}, "tpc-h": {}}

# Columns that hold canaries: ``canary-table-column-739184602n``.
PROTECTED = {
    "tpc-h": (("CUSTOMER", "C_NAME"), ("CUSTOMER", "C_PHONE"), ("SUPPLIER", "S_NAME")),
    "tpc-ds": (
        ("CUSTOMER", "C_LAST_NAME"),
        ("CUSTOMER_ADDRESS", "CA_CITY"),
        ("ITEM", "I_ITEM_DESC"),
    ),
}
CANARIES = {
    suite: tuple(
        f"canary-{t}-{c}-".lower() + str(7391846020 + n) for t, c in pairs for n in range(9)
    )
    for suite, pairs in PROTECTED.items()
}


@lru_cache
def queries(suite):
    """The first statement of each pair, under its title."""
    text = (ROOT / suite / f"{suite}.sql").read_text()
    found = {}
    for part in re.split(r"^-{20,}\n-- ", text, flags=re.MULTILINE)[1:]:
        title, _, body = part.partition("\n")
        body = "\n".join(line for line in body.splitlines() if not line.startswith(("--", "#")))
        found[title.strip()] = body.split(";")[0].strip()
    return found


@lru_cache
def warehouse(suite):
    """A connection to the emulator with the suite's tables in ``TPC.PUBLIC``."""
    connection = FakeSnow().connect(database="TPC", schema="PUBLIC")
    duck = connection._duck_conn
    for file in sorted((ROOT / suite).glob("*.csv.gz")):
        name = file.name.removesuffix(".csv.gz").upper()
        with gzip.open(file, "rt") as lines:
            header = lines.readline().strip().split("|")
        texts = {c: "VARCHAR" for c in header if c.endswith("_zip")}
        duck.execute(
            f"CREATE TABLE TPC.PUBLIC.{name} AS SELECT *{_EXTRA[suite].get(name, '')} FROM"
            f" read_csv('{file}', delim='|', header=true, sample_size=-1, types={texts!r})"
        )
    for table, column in PROTECTED[suite]:
        duck.execute(f"UPDATE TPC.PUBLIC.{table} SET {column} = {_canary(table, column)}")
    return connection


def _canary(table, column):
    return f"'canary-{table}-{column}-'.lower() || (7391846020 + rowid % 9)"


@lru_cache
def catalogue(suite):
    duck = warehouse(suite)._duck_conn
    tables = []
    for file in sorted((ROOT / suite).glob("*.csv.gz")):
        name = file.name.removesuffix(".csv.gz").upper()
        columns = duck.execute(f"DESCRIBE TPC.PUBLIC.{name}").fetchall()
        tables.append(
            Table(
                ObjectName("TPC", "PUBLIC", name),
                tuple(Column(c[0].upper(), _TYPES.get(c[1], c[1])) for c in columns),
            )
        )
    return Catalogue.of(tables, version=1)


def rows(connection, sql):
    """Rows and headers of a statement, in an order that does not depend on the engine's mood."""
    cursor = connection.cursor()
    cursor.execute(sql)
    headers = [d.name for d in cursor.description]
    return headers, sorted((tuple(map(_plain, r)) for r in cursor.fetchall()), key=repr)


def _plain(value):
    return str(round(value, 6)) if isinstance(value, float) else value

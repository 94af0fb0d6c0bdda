"""How long judging takes: cold and from the cache, and statements per second over Spider2.

``python benchmarks/judge.py [--seconds N] [--plain]`` prints a table and ends with one line of
JSON. Beside the clock it shows processor time, which other processes disturb less, and the least
processor time of any repetition, which they disturb least. ``--plain`` keeps Python from loading
sqlglot's compiled modules, to compare.
"""

import argparse
import gzip
import json
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.machinery import SOURCE_SUFFIXES, FileFinder, SourceFileLoader
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))


def without_extensions(path: str) -> FileFinder:
    """A finder that sees sources only, for sqlglot's own folders."""
    if "sqlglot" not in Path(path).parts:
        raise ImportError(path)
    return FileFinder(path, (SourceFileLoader, SOURCE_SUFFIXES))


if "--plain" in sys.argv:
    sys.path_hooks.insert(0, without_extensions)

import sqlglot.parser  # noqa: E402

from connections import judge as module  # noqa: E402
from connections.judge import Ruleset, SessionContext, Verdict, judge  # noqa: E402
from connections.policy.defaults import default_rules  # noqa: E402
from connections.policy.document import load  # noqa: E402
from connections.policy.types import Subject  # noqa: E402
from connections.sql.catalogue import Catalogue  # noqa: E402
from connections.sql.schema import catalogue_from_ddl, catalogue_from_schema  # noqa: E402

CORPORA = ROOT / "tests" / "corpora"
SHARED = ROOT.parent / "shared" / "corpora"
SUBJECT = Subject("agent", "bench", "bench", connection="bench")

FIVE_JOINS = """
SELECT c.CITY, o.STATUS, COUNT(*) AS N, SUM(o.AMOUNT) AS TOTAL
FROM PROD.CRM.CUSTOMERS c
JOIN PROD.CRM.ORDERS o ON o.CUSTOMER_ID = c.ID
JOIN PROD.CRM.VENDORS v ON v.CITY = c.CITY
JOIN PROD.CRM.EVENTS e ON e.CUSTOMER_ID = c.ID
LEFT JOIN PROD.CRM.DELETED_ACCOUNTS d ON d.CUSTOMER_ID = c.ID
LEFT JOIN PROD.CRM.V_CONTACTS k ON k.ID = c.ID
WHERE o.ORDER_TS >= '2026-01-01' AND c.EMAIL LIKE '%x%'
GROUP BY 1, 2 HAVING COUNT(*) > 1 ORDER BY N DESC LIMIT 10
"""


def dbt_model() -> str:
    """About 200 lines in the manner of a dbt model: staged CTEs, one on the other."""
    columns = ("ORDER_ID", "CUSTOMER_ID", "ORDER_TS", "STATUS", "AMOUNT", "CHANNEL")
    listed = ",\n".join(f"    {c}" for c in columns)
    parts = [f"WITH src AS (\n  SELECT\n{listed}\n  FROM PROD.CRM.ORDERS\n)"]
    before = "src"
    for i in range(15):
        parts.append(
            f"step_{i} AS (\n  SELECT\n    ORDER_ID,\n    CUSTOMER_ID,\n    ORDER_TS,\n"
            f"    COALESCE(STATUS, 'none') AS STATUS,\n"
            f"    CASE\n      WHEN AMOUNT > {i} THEN AMOUNT - {i}\n      ELSE 0\n"
            "    END AS AMOUNT,\n"
            f"    UPPER(CHANNEL) AS CHANNEL\n  FROM {before}\n)"
        )
        before = f"step_{i}"
    return (
        ",\n".join(parts)
        + "\nSELECT\n  s.*,\n  c.CITY,\n  c.EMAIL,\n  ROW_NUMBER() OVER (PARTITION BY s.CUSTOMER_ID"
        f" ORDER BY s.ORDER_TS DESC) AS RN\nFROM {before} s\nLEFT JOIN PROD.CRM.CUSTOMERS c\n"
        "  ON c.ID = s.CUSTOMER_ID\nWHERE s.AMOUNT > 0\n"
    )


def tpcds_64() -> tuple[str, Catalogue] | None:
    """TPC-DS 64 and the catalogue of its tables, or None where the corpus is absent."""
    folder = SHARED / "tpc" / "tpc-ds"
    if not folder.exists():
        return None
    schema = {}
    for file in sorted(folder.glob("*.csv.gz")):
        with gzip.open(file, "rt") as lines:
            names = lines.readline().strip().upper().split("|")
        schema[file.name.removesuffix(".csv.gz").upper()] = dict.fromkeys(names, "VARCHAR")
    text = (folder / "tpc-ds.sql").read_text()
    body = text.split("-- TPC-DS 64\n")[1].split(";")[0]
    sql = "\n".join(line for line in body.splitlines() if not line.startswith(("--", "#")))
    return sql, catalogue_from_schema({"TPC": {"PUBLIC": schema}})


def measure(call: Callable[[], Verdict], seconds: float) -> list[float]:
    """Median and 99th percentile by the clock, median and least of processor time; in ms."""
    for _ in range(5):
        call()
    clock: list[float] = []
    busy: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(clock) < LEAST:
        start, used = time.perf_counter(), time.process_time()
        call()
        busy.append((time.process_time() - used) * 1000)
        clock.append((time.perf_counter() - start) * 1000)
    p99 = statistics.quantiles(clock, n=100)[98]
    return [statistics.median(clock), p99, statistics.median(busy), min(busy)]


LEAST = 20  # repetitions, however long each takes


def _cold(ask: Callable[[], Verdict]) -> Verdict:
    module.CACHE.clear()
    return ask()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each figure")
    parser.add_argument("--plain", action="store_true", help="with sqlglot as plain Python")
    seconds = parser.parse_args().seconds
    document = load((CORPORA / "policy.yaml").read_text())
    masked = Ruleset(document.rules, document.protections, revision=1, salt="bench")
    fixture = catalogue_from_ddl((CORPORA / "fixture.sql").read_text())
    cases = {
        "SELECT 1": ("SELECT 1", fixture, SessionContext()),
        "five joins": (FIVE_JOINS, fixture, SessionContext()),
        "200-line model": (dbt_model(), fixture, SessionContext()),
    }
    tpc = tpcds_64()
    if tpc is not None:
        cases["TPC-DS 64"] = (*tpc, SessionContext("TPC", "PUBLIC"))
    result: dict[str, Any] = {"compiled": not sqlglot.parser.__file__.endswith(".py"), "cases": {}}
    heads = ("cold p50", "p99", "CPU p50", "CPU min", "warm p50", "p99", "CPU p50", "CPU min")
    print(f"{'ms':16}" + "".join(f"{head:>10}" for head in heads))
    for name, (sql, catalogue, context) in cases.items():
        ask = partial(
            judge, sql, context=context, catalogue=catalogue, ruleset=masked, subject=SUBJECT
        )
        cold = partial(_cold, ask)
        assert cold().sql_sent, f"{name} is denied"
        figures = [*measure(cold, seconds), *measure(ask, seconds)]
        print(f"{name:16}" + "".join(f"{f:10.3f}" for f in figures))
        kinds = ("p50_ms", "p99_ms", "cpu_p50_ms", "cpu_min_ms")
        keys = [f"{state}_{kind}" for state in ("cold", "warm") for kind in kinds]
        result["cases"][name] = dict(zip(keys, (round(f, 4) for f in figures), strict=True))
    spider = SHARED / "spider2_snow.jsonl"
    if spider.exists():
        rules = Ruleset(default_rules(), revision=1)
        entries = [json.loads(line) for line in spider.read_text().splitlines()]
        work = [(e["sql"], catalogue_from_schema(e["schema"])) for e in entries]
        count, start, used = 0, time.perf_counter(), time.process_time()
        while time.perf_counter() < start + max(seconds, 1):
            for sql, catalogue in work:
                module.CACHE.clear()
                judge(
                    sql,
                    context=SessionContext(),
                    catalogue=catalogue,
                    ruleset=rules,
                    subject=SUBJECT,
                )
            count += len(work)
        result["spider2_per_second"] = round(count / (time.perf_counter() - start), 1)
        result["spider2_per_cpu_second"] = round(count / (time.process_time() - used), 1)
        print(
            f"Spider2: {result['spider2_per_second']} statements per second, "
            f"{result['spider2_per_cpu_second']} per second of one core's time"
        )
    print(json.dumps(result))


if __name__ == "__main__":
    main()

"""Judge statements without a connection or a database: lines in, verdicts out."""

import json
import math
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from connections.judge import Ruleset, SessionContext, Verdict, judge
from connections.policy.defaults import default_rules
from connections.policy.document import DocumentError, load
from connections.policy.types import Effect, Subject
from connections.sql.catalogue import Catalogue
from connections.sql.schema import catalogue_from_ddl, catalogue_from_schema, with_ddl

_FORM = "{id, sql, setup?} or {id, sql, schema}, one a line"
SUBJECT = Subject("agent", "simulated", "simulated")


class LineError(ValueError):
    """A line that is no statement; the text says in what."""


def judge_line(entry: dict[str, Any], catalogue: Catalogue, ruleset: Ruleset) -> dict[str, Any]:
    """The verdict on one line, its ``setup`` having run first in the same session."""
    if entry.get("schema") is not None:
        catalogue = catalogue_from_schema(entry["schema"])
    context = SessionContext()
    for text in entry.get("setup") or []:
        before = _judge(text, context, catalogue, ruleset)
        if before.decision.effect == Effect.DENY:
            continue
        catalogue = with_ddl(catalogue, before.sql_sent or "", context)
        context = context.after(before.facts, keep_result=True)
    verdict = _judge(entry["sql"], context, catalogue, ruleset)
    decision = verdict.decision.effect.value
    if verdict.decision.effect == Effect.ALLOW and verdict.masks:
        decision = "mask"
    return {
        "id": entry.get("id"),
        "decision": decision,
        "columns": list(verdict.output_names),
        "masked_columns": list(verdict.masked_outputs),
        "sql_sent": verdict.sql_sent,
        "reasons": [" ".join(filter(None, (r.text, r.way_out))) for r in verdict.decision.reasons],
    }


def _line(line: bytes, number: int, catalogue: Catalogue, ruleset: Ruleset) -> dict[str, Any]:
    """The verdict on a raw line. One that is no statement is denied, and the next is read."""
    entry: Any = None
    try:
        entry = json.loads(line, parse_constant=str, parse_float=_finite)
        _check(entry)
        return judge_line(entry, catalogue, ruleset)
    except Exception as error:  # noqa: BLE001 - whatever stands in one line, the others are judged
        what = str(error) if isinstance(error, LineError) else "it cannot be read"
        return {
            "id": entry.get("id") if isinstance(entry, dict) else None,
            "decision": Effect.DENY.value,
            "columns": [],
            "masked_columns": [],
            "sql_sent": None,
            "reasons": [f"Line {number} is not a statement: {what}. Write {_FORM}."],
        }


def _check(entry: Any) -> None:
    if not isinstance(entry, dict):
        raise LineError("it is no object")
    if not isinstance(entry.get("sql"), str):
        raise LineError("sql is no text")
    setup = entry.get("setup") or []
    if not isinstance(setup, list) or not all(isinstance(text, str) for text in setup):
        raise LineError("setup is no list of texts")
    if entry.get("schema") is not None and not _is_schema(entry["schema"], 3):
        raise LineError("schema is not {database: {schema: {table: {column: type}}}}")


def _finite(text: str) -> float | str:
    """A number that can be written again, or its text."""
    number = float(text)
    return number if math.isfinite(number) else text


def _is_schema(value: Any, depth: int) -> bool:
    if not isinstance(value, dict):
        return False
    inner = value.values()
    return all(isinstance(v, str) if depth == 0 else _is_schema(v, depth - 1) for v in inner)


def _judge(text: str, context: SessionContext, catalogue: Catalogue, ruleset: Ruleset) -> Verdict:
    return judge(text, context=context, catalogue=catalogue, ruleset=ruleset, subject=SUBJECT)


class Command(BaseCommand):
    help = (
        "Reads lines {id, sql, setup?} or {id, sql, schema} and prints a verdict for each: "
        "{id, decision, columns, masked_columns, sql_sent, reasons}."
    )
    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--fixture", type=Path, help="a script of CREATE statements")
        parser.add_argument("--policy", type=Path, help="a policy.yaml")

    def handle(self, *_args: Any, **options: Any) -> None:
        catalogue = Catalogue()
        if options["fixture"]:
            catalogue = catalogue_from_ddl(options["fixture"].read_text(encoding="utf-8"))
        ruleset = Ruleset(default_rules(), revision=1)
        if options["policy"]:
            try:
                document = load(options["policy"].read_text(encoding="utf-8"))
            except DocumentError as error:
                raise CommandError(str(error)) from error
            ruleset = Ruleset(document.rules, document.protections, revision=1)
        for number, line in enumerate(sys.stdin.buffer, 1):
            if line.strip():
                verdict = _line(line, number, catalogue, ruleset)
                self.stdout.write(json.dumps(verdict, ensure_ascii=True))

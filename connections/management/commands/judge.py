"""Judge statements without a connection or a database: lines in, verdicts out."""

import json
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

SUBJECT = Subject("agent", "simulated", "simulated")


def judge_line(entry: dict[str, Any], catalogue: Catalogue, ruleset: Ruleset) -> dict[str, Any]:
    """The verdict on one line, its ``setup`` having run first in the same session."""
    if "schema" in entry:
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
        for number, line in enumerate(sys.stdin, 1):
            if not line.strip():
                continue
            try:
                entry = json.loads(line)
                verdict = judge_line(entry, catalogue, ruleset)
            except (ValueError, KeyError, TypeError) as error:
                raise CommandError(f"Line {number} is not a statement: {error}") from error
            self.stdout.write(json.dumps(verdict, ensure_ascii=True))

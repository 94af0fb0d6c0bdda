"""What policy would say of a statement now. Nothing runs and nothing is recorded."""

from typing import Any

from django.conf import settings
from django.utils import timezone

from accounts.principal import Principal
from connections import services as connections
from connections.judge import judge
from connections.models import Connection
from connections.policy.types import Subject
from gateway import records
from gateway.requests import check_text
from hoopweb.lib.errors import InvalidRequest


def simulate(
    *, sql: str, connection: Connection, principal: Principal, door: str
) -> dict[str, Any]:
    """The verdict as the API shows it. Raises InvalidRequest for what no door would take."""
    if not sql.strip():
        raise InvalidRequest("sql is empty: send one statement.", field="sql")
    check_text("sql", sql, most=settings.STATEMENT_MAX_BYTES)
    ruleset = connections.ruleset_for(connection)
    verdict = judge(
        sql,
        context=connections.context_for(connection),
        catalogue=connections.catalogue_for(connection),
        ruleset=ruleset,
        subject=Subject(
            kind=str(principal.kind),
            id=str(principal.id),
            name=principal.name,
            groups=principal.groups,
            on_behalf_of=principal.on_behalf_of,
            connection=connection.name,
            door=door,
            at=timezone.now(),
        ),
    )
    decision = verdict.decision
    facts = records.facts(verdict.facts)
    return {
        "effect": str(decision.effect),
        "reasons": [
            {"code": r.code, "text": r.text, "rule": r.rule, "way_out": r.way_out}
            for r in decision.reasons
        ],
        "protections": [
            {"column": p.column, "strategy": p.strategy, "uses": list(p.uses)}
            for p in decision.protections
        ],
        "terms": decision.terms,
        "statement_class": facts["statement_class"],
        "reads": facts["reads"],
        "writes": facts["writes"],
        "columns": facts["columns"],
        "sql_sent": verdict.sql_shown,
        "masked_outputs": [
            verdict.output_names[i] for i in verdict.masked_outputs if i < len(verdict.output_names)
        ],
        "policy_revision": ruleset.revision,
    }

"""From values to what events, rows and pages keep of them: plain JSON, one place."""

import json
from typing import Any

from accounts.principal import Principal, PrincipalKind
from connections.judge import Verdict
from connections.policy.types import Subject
from connections.sql.facts import Facts
from gateway import contexts
from gateway.models import Statement
from gateway.requests import sha256_of


def principal(value: Principal) -> dict[str, Any]:
    """Who asked, as it was when the statement arrived."""
    return {
        "kind": str(value.kind),
        "id": str(value.id),
        "name": value.name,
        "groups": sorted(value.groups),
        "on_behalf_of": value.on_behalf_of,
        "on_behalf_of_id": str(value.on_behalf_of_id) if value.on_behalf_of_id else None,
        "token_connections": None
        if value.token_connections is None
        else sorted(map(str, value.token_connections)),
        # The key id of the token it was sent with: whatever that token sent ends with it.
        "token": value.token,
    }


def subject(statement: Statement, at: Any) -> Subject:
    """The same, as rules match on it."""
    kept = statement.principal
    return Subject(
        kind=str(PrincipalKind(kept["kind"])),
        id=kept["id"],
        name=kept["name"],
        groups=frozenset(kept["groups"]),
        on_behalf_of=kept["on_behalf_of"],
        connection=statement.connection.name,
        door=statement.door,
        at=at,
    )


def facts(value: Facts) -> dict[str, Any]:
    """What analysis proved."""
    proved: dict[str, Any] = {
        "statement_class": value.statement_class,
        "reads": [str(o) for o in value.reads],
        "writes": [str(o) for o in value.writes],
        "columns": [
            {"column": str(c.column), "use": str(c.use), "function": c.function}
            for c in value.columns
        ],
        "outputs": [
            {"name": o.name, "sources": sorted(str(s) for s in o.sources)} for o in value.outputs
        ],
        "functions": list(value.functions),
        "unknown_functions": list(value.unknown_functions),
        "flags": sorted(value.flags),
        "problems": [
            {"code": p.code, "text": p.text, "way_out": p.way_out, "position": p.position}
            for p in value.problems
        ],
    }
    if value.session_changes:
        proved["session_changes"] = [[c.kind, c.name, c.value] for c in value.session_changes]
    if value.transfer is not None:
        proved["transfer"] = {
            "direction": value.transfer.direction,
            "stage": value.transfer.stage,
            "path": value.transfer.path,
            "file": value.transfer.file,
        }
    return proved


def judged(verdict: Verdict, statement: Statement) -> dict[str, Any]:
    """The fields of a statement that a verdict fills; also the decision event's data."""
    connection = statement.connection
    decision = verdict.decision
    return {
        "effect": str(decision.effect),
        "statement_class": verdict.facts.statement_class,
        "facts": facts(verdict.facts),
        "reasons": [
            {"code": r.code, "text": r.text, "rule": r.rule, "way_out": r.way_out}
            for r in decision.reasons
        ],
        "protections": [
            {
                "protection": p.protection,
                "column": p.column,
                "strategy": p.strategy,
                "uses": list(p.uses),
            }
            for p in decision.protections
        ],
        "masked_outputs": list(verdict.masked_outputs),
        "sql_sent": verdict.sql_shown or verdict.sql_sent or "",
        "copies": [
            {
                "database": column.object.database,
                "schema": column.object.schema,
                "table": column.object.name,
                "column": column.column,
                "protection": protection,
            }
            for column, protection in verdict.copies
        ],
        "policy_revision": connection.policy_revision,
        "catalogue_version": connection.catalogue_version,
        "digest": digest(verdict.sql_sent or "", statement),
    }


def digest(sql_sent: str, statement: Statement) -> str:
    """What an approval is bound to: text, binds, who, where, as what, in which context."""
    connection = statement.connection
    place = contexts.place_of(statement)
    bound: dict[str, Any] = {
        "sql": sql_sent,
        "binds": json.loads(statement.binds or "[]"),
        "principal": str(statement.principal_id),
        "connection": str(connection.pk),
        **place,
    }
    # For whom: what somebody approved for one person is not approved for the next.
    kept = statement.principal
    if behind := kept.get("on_behalf_of_id") or kept.get("on_behalf_of"):
        bound["on_behalf_of"] = behind
    if statement.describe_only:
        bound["describe_only"] = True
    return sha256_of(bound)

"""Judging a statement by the catalogue and policy that stand now."""

from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from connections import services as connections
from connections.judge import Verdict, judge, remembered
from connections.models import Connection
from gateway import contexts, records, transfers
from gateway.models import Statement

# A name that analysis could not find may simply be newer than the catalogue.
_FRESH_ENOUGH = timedelta(seconds=30)
_CATALOGUE_GAPS = frozenset({"unknown-table", "unknown-object", "unknown-column"})


def judge_statement(statement: Statement, connection: Connection) -> Verdict:
    """The verdict on a statement; a missing name also asks for a fresh catalogue."""
    statement.connection = connection
    verdict = judge(statement.sql_given, **_circumstances(statement, connection))
    if any(p.code in _CATALOGUE_GAPS for p in verdict.facts.problems):
        transaction.on_commit(lambda: _refresh(connection))
    return transfers.held_to_driver(verdict, statement)


def verdict_before(statement: Statement, connection: Connection) -> Verdict | None:
    """The verdict that was given on the same text in the same circumstances, if this process
    remembers it. Nothing is asked of the database.
    """
    statement.connection = connection
    if statement.context.get("tables") or not connections.is_at_hand(connection):
        return None
    verdict = remembered(statement.sql_given, **_circumstances(statement, connection))
    if verdict is None or any(p.code in _CATALOGUE_GAPS for p in verdict.facts.problems):
        return None
    return transfers.held_to_driver(verdict, statement)


def _circumstances(statement: Statement, connection: Connection) -> dict[str, Any]:
    return {
        "context": contexts.context_of(statement),
        "catalogue": contexts.catalogue_of(statement),
        "ruleset": connections.ruleset_for(connection),
        "subject": records.subject(statement, timezone.now()),
    }


def _refresh(connection: Connection) -> None:
    """Ask for a fresh catalogue, unless one was read a moment ago: the name may just be wrong."""
    recently = timezone.now() - _FRESH_ENOUGH
    if connection.syncs.filter(queued_at__gt=recently).exists():
        return
    connections.request_catalogue_sync(connection=connection, by=None)

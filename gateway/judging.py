"""Judging a statement by the catalogue and policy that stand now."""

from datetime import timedelta

from django.db import transaction
from django.utils import timezone

from connections import services as connections
from connections.judge import Verdict, judge
from connections.models import Connection
from gateway import contexts, records, transfers
from gateway.models import Statement

# A name that analysis could not find may simply be newer than the catalogue.
_FRESH_ENOUGH = timedelta(seconds=30)
_CATALOGUE_GAPS = frozenset({"unknown-table", "unknown-object", "unknown-column"})


def judge_statement(statement: Statement, connection: Connection) -> Verdict:
    """The verdict on a statement; a missing name also asks for a fresh catalogue."""
    statement.connection = connection
    verdict = judge(
        statement.sql_given,
        context=contexts.context_of(statement),
        catalogue=contexts.catalogue_of(statement),
        ruleset=connections.ruleset_for(connection),
        subject=records.subject(statement, timezone.now()),
    )
    if any(p.code in _CATALOGUE_GAPS for p in verdict.facts.problems):
        transaction.on_commit(lambda: _refresh(connection))
    return transfers.held_to_driver(verdict, statement)


def _refresh(connection: Connection) -> None:
    """Ask for a fresh catalogue, unless one was read a moment ago: the name may just be wrong."""
    recently = timezone.now() - _FRESH_ENOUGH
    if connection.syncs.filter(queued_at__gt=recently).exists():
        return
    connections.request_catalogue_sync(connection=connection, by=None)

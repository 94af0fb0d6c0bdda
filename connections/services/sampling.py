"""Detectors over a few rows of each table, when an admin asks for it.

It reads data, so each read is in the audit trail before it is sent, as the installation's own.
What stays is how many values of a column a detector hit; no value leaves the worker's memory, and
no error's own words are kept, for they may quote one.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from asgiref.sync import async_to_sync, sync_to_async
from celery.exceptions import SoftTimeLimitExceeded

from accounts.models import User
from connections.masking.detectors import BY_NAME, Detector
from connections.masking.sampled import count
from connections.masking.types import Family, family
from connections.models import Connection, RunState, Sampling
from connections.policy.types import Protection
from connections.services import runs
from connections.services.acting import actor_of, need_admin_of
from connections.services.evidence import Sampled
from connections.services.suggestions import Marks, covers
from connections.services.values import catalogue_for, detectors_for, target_for
from connections.sql.catalogue import Catalogue, Column, Table
from connections.upstream import sample
from connections.upstream.client import SnowflakeSession, connect
from connections.upstream.errors import LoginRefused, UpstreamError, UpstreamFailure
from hoopweb.lib.errors import Conflict, HoopwebError
from recordings.services import audit

log = structlog.get_logger(__name__)

MAX_TABLES = 100
MAX_COLUMNS = 60
MAX_ROWS = 200
MAX_BYTES = 32 * 1024 * 1024
TABLE_BYTES = 4 * 1024 * 1024
TABLE_SECONDS = 30.0
SECONDS = 600.0
# A shorter number is no card, and no other detector knows numbers without separators.
_MIN_DIGITS = 13


@dataclass(frozen=True, slots=True)
class Look:
    """One table, and those of its columns that are read."""

    table: Table
    columns: tuple[Column, ...]


def request_sampling(
    *, connection: Connection, by: User | None, address: str | None = None
) -> Sampling:
    """Queue one sampling, or join the one that runs. Raises Conflict where it may not be."""
    need_admin_of(by, connection, "have its values sampled")
    _refuse_unless_readable(connection)
    return runs.ask_for(
        Sampling,
        connection=connection,
        by=by,
        address=address,
        action="sampling-requested",
        send=send_sampling,
    )


def _refuse_unless_readable(connection: Connection) -> None:
    if not connection.catalogue_version:
        raise Conflict("Read the catalogue first: it says which columns there are.")
    if connection.is_confirmed and not connection.is_active:
        raise Conflict(f"{connection.name} is disabled, so nothing is read. Enable it first.")


def send_sampling(run: Sampling) -> None:
    from connections.tasks import sample_values as task

    runs.wake(task, run)


def cancel_sampling(*, connection: Connection, by: User | None, address: str | None = None) -> bool:
    """Stop what runs; what it has counted stays. False when nothing ran."""
    need_admin_of(by, connection, "stop its sampling")
    return runs.stop(
        Sampling, connection=connection, by=by, address=address, action="sampling-stopped"
    )


def sampled_of(connection: Connection) -> list[Sampled]:
    """What the last sampling that got anywhere has counted."""
    run = (
        Sampling.objects.filter(connection=connection, tables_done__gt=0)
        .exclude(state__in=(RunState.QUEUED, RunState.RUNNING))
        .first()
    )
    return [Sampled(**entry) for entry in run.findings] if run else []


def run_sampling(run_id: int) -> Sampling | None:
    """Read, count, forget. None when another worker has this run."""
    run = runs.claim(Sampling, run_id)
    if run is None:
        return None
    try:
        _run(run)
    except HoopwebError as error:
        runs.finish(run, RunState.FAILED, error.detail)
    except LoginRefused as error:
        cure = "Test the connection: it says which step fails and what helps."
        runs.finish(run, RunState.FAILED, f"Snowflake said: {error}", cure)
    except UpstreamFailure as error:
        runs.finish(
            run,
            RunState.FAILED,
            f"Snowflake could not be asked any more ({_code(error)}).",
            "Test the connection, then sample again. What was counted until then is kept.",
        )
    except (SoftTimeLimitExceeded, TimeoutError):
        runs.finish(
            run,
            RunState.FAILED,
            "It took too long and was stopped.",
            "What was counted until then is kept. A larger warehouse reads faster.",
        )
    except Exception as error:  # noqa: BLE001  the page has to say that it failed, whatever it was
        # No traceback and no words of the error: either may hold a value that was read.
        log.warning("sampling-failed", connection=run.connection.name, error=type(error).__name__)
        runs.finish(
            run,
            RunState.FAILED,
            f"Sampling failed unexpectedly ({type(error).__name__}).",
            "Sample again. What was counted until then is kept.",
        )
    run.refresh_from_db()
    return run


def _run(run: Sampling) -> None:
    need_admin_of(run.asked_by, run.connection, "have its values sampled")
    row = Connection.objects.get(pk=run.connection_id)
    # It may have been disabled while the run waited for a worker.
    _refuse_unless_readable(row)
    protections = [item.as_value() for item in row.protections.all()]
    looks, left = looks_of(catalogue_for(row), protections)
    if not runs.say(run, tables_total=len(looks), detail="Logging in"):
        return
    async_to_sync(_sample)(_Counted(run, row, len(looks), left), target_for(row), looks)


def looks_of(catalogue: Catalogue, protections: Sequence[Protection]) -> tuple[list[Look], int]:
    """What to read: unprotected columns that a detector may know, of the first tables by name;
    and how many tables are left out. A view shows what its tables hold, so tables are enough.
    """
    marks = Marks(protections)
    found = []
    for table in sorted(catalogue.tables.values(), key=lambda t: str(t.name)):
        if table.definition is not None or table.name.kind == "view":
            continue
        near = marks.near(table)
        columns = [c for c in table.columns if _may_hit(c.type) and not covers(near, table, c)]
        if columns:
            found.append(Look(table, tuple(columns[:MAX_COLUMNS])))
    return found[:MAX_TABLES], max(len(found) - MAX_TABLES, 0)


def _may_hit(column_type: str) -> bool:
    of = family(column_type)
    if of is Family.NUMBER:
        precision, _, scale = column_type.partition("(")[2].rstrip(") ").partition(",")
        whole = scale.strip() in {"", "0"}
        return whole and precision.strip().isdigit() and int(precision) >= _MIN_DIGITS
    return of in {Family.TEXT, Family.VARIANT, Family.OBJECT, Family.ARRAY}


async def _sample(counted: "_Counted", target: Any, looks: Sequence[Look]) -> None:
    async with asyncio.timeout(SECONDS), connect(target) as session:
        for look in looks:
            if not await _one(counted, session, look):
                return
    await sync_to_async(counted.end)()


async def _one(counted: "_Counted", session: SnowflakeSession, look: Look) -> bool:
    """One table. False when the run was ended from outside or has read enough."""
    rows = min(MAX_ROWS, counted.row.max_rows)
    sql = sample.statement(look.table.name, [c.name for c in look.columns], rows)
    if not await sync_to_async(counted.intend)(look, sql, rows):
        return False
    try:
        columns, read, size = await sample.read(
            session,
            sql,
            max_rows=rows,
            max_bytes=TABLE_BYTES,
            seconds=min(TABLE_SECONDS, counted.row.timeout_seconds),
        )
    except UpstreamError as error:
        return await sync_to_async(counted.skip)(look, _code(error))
    findings = [
        finding
        for column, values in zip(look.columns, columns, strict=True)
        for finding in _findings(look.table, column, values, counted.detectors)
    ]
    return await sync_to_async(counted.keep)(findings, read, size)


def _findings(
    table: Table, column: Column, values: Sequence[object], detectors: Sequence[Detector]
) -> list[dict[str, Any]]:
    name = table.name
    labels = {d.name: d.label for d in detectors if d.name not in BY_NAME}
    return [
        {
            "database": name.database,
            "schema": name.schema,
            "table": name.name,
            "column": column.name,
            "detector": found.detector,
            "sampled": found.sampled,
            "whole": found.whole,
            "within": found.within,
            "label": labels.get(found.detector, ""),
        }
        for found in count(values, detectors)[1]
    ]


def _code(error: UpstreamFailure) -> str:
    """What may be told of an error: never its text, which may quote a value."""
    return str(getattr(error, "code", "") or type(error).__name__)


class _Counted:
    """What one run has counted so far, stored after each table."""

    def __init__(self, run: Sampling, row: Connection, total: int, left: int) -> None:
        self.run, self.row, self.total, self.left = run, row, total, left
        self.done = self.rows = self.bytes = 0
        # Those built in that are not switched off here, and those of one's own.
        self.detectors = detectors_for(row)
        self.findings: list[dict[str, Any]] = []
        self.skipped: list[dict[str, str]] = []

    def intend(self, look: Look, sql: str, rows: int) -> bool:
        """Write down what will be read, before it is; False when it shall not be."""
        if self.bytes >= MAX_BYTES:
            self.left += self.total - self.done
            self.end()
            return False
        if not runs.say(self.run, detail=f"Reading {look.table.name}"[:400]):
            return False
        asked_by = self.run.asked_by
        audit(
            actor=actor_of(None),
            action="values-sampled",
            kind="connection",
            object_id=str(self.row.pk),
            object_name=self.row.name,
            after={
                "statement": sql,
                "rows_at_most": rows,
                "asked_by": str(asked_by) if asked_by else "the installation",
            },
        )
        return True

    def skip(self, look: Look, code: str) -> bool:
        self.skipped.append({"table": str(look.table.name), "code": code})
        return self.keep([], 0, 0)

    def keep(self, findings: list[dict[str, Any]], rows: int, size: int) -> bool:
        self.findings += findings
        self.done += 1
        self.rows += rows
        self.bytes += size
        return runs.say(
            self.run,
            tables_done=self.done,
            rows_read=self.rows,
            bytes_read=self.bytes,
            findings=self.findings,
            skipped=self.skipped,
        )

    def end(self) -> None:
        hit = len({(f["database"], f["schema"], f["table"], f["column"]) for f in self.findings})
        said = [f"{self.rows:,} rows of {self.done:,} tables looked at"]
        said.append(f"detectors hit in {hit:,} columns" if hit else "no detector hit")
        if self.skipped:
            said.append(f"{len(self.skipped):,} tables could not be read")
        cure = (
            f"{self.left:,} more tables were left out: a sampling reads at most {MAX_TABLES} "
            f"tables and {MAX_BYTES // 1024 // 1024} MB."
            if self.left
            else ""
        )
        runs.finish(self.run, RunState.DONE, "; ".join(said) + ".", cure)

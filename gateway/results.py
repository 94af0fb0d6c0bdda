"""From upstream rows to what is kept and shown."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from connections.masking.apply import scan
from connections.masking.detectors import Detector, Finding
from connections.services import detectors_for
from connections.upstream.types import QueryResult, ResultColumn
from gateway.models import Statement
from hoopweb.lib.errors import Conflict, ErrorCode, HoopwebError
from recordings import services as recordings

MEDIA_TYPE = "application/vnd.apache.arrow.stream"


class ResultNotReady(Conflict):
    code = ErrorCode.RESULT_NOT_READY


class NoResult(HoopwebError):
    code = ErrorCode.UPSTREAM_FAILED
    status = 409


@dataclass(frozen=True)
class MaskedResult:
    """The only rows that a client or a recording ever sees."""

    table: pa.Table
    columns: list[dict[str, Any]]
    findings: list[dict[str, Any]]
    truncated: bool
    query_id: str
    # Of all parts, where ``table`` is the first of several.
    total: int | None = None

    @property
    def row_count(self) -> int:
        return self.table.num_rows if self.total is None else self.total

    @property
    def content(self) -> bytes:
        """The table as an Arrow IPC stream."""
        sink = io.BytesIO()
        with pa.ipc.new_stream(sink, self.table.schema) as writer:
            writer.write_table(self.table)
        return sink.getvalue()


def detectors_of(statement: Statement) -> tuple[Detector, ...]:
    """What looks at the rows and error texts of a statement."""
    return detectors_for(statement.connection, judged=statement.policy_revision)


def masked(
    result: QueryResult, *, masked_outputs: list[int], detectors: Sequence[Detector]
) -> MaskedResult:
    """Run the detectors over what came back; the second layer behind masks at the source."""
    table, findings = scan(result.table, detectors)
    return described(
        table,
        result.table.schema.names,
        findings,
        rowtype=result.rowtype,
        masked_outputs=masked_outputs,
        truncated=result.truncated,
        query_id=result.query_id,
    )


def described(
    table: pa.Table,
    given: Sequence[str],
    findings: Sequence[Finding],
    *,
    rowtype: Sequence[ResultColumn],
    masked_outputs: Sequence[int],
    query_id: str,
    truncated: bool = False,
    total: int | None = None,
) -> MaskedResult:
    """A table that the detectors have seen, with what is to be said of it; ``given`` are the
    columns' names as they were before.
    """
    # A header may itself have held a value: it is named here as the detectors left it.
    names = dict(zip(given, table.schema.names, strict=True))
    found = [
        {
            "detector": f.detector,
            "column": names.get(f.column, f.column),
            "count": f.count,
            "masked": f.action == "mask",
        }
        for f in findings
    ]
    detected = {f["column"] for f in found if f["masked"]}
    columns = [
        {
            "name": field.name,
            "type": _type_of(rowtype[i]) if i < len(rowtype) else str(field.type),
            "masked": i in masked_outputs or field.name in detected,
        }
        for i, field in enumerate(table.schema)
    ]
    return MaskedResult(table, columns, found, truncated, query_id, total)


def _type_of(column: ResultColumn) -> str:
    """A type as Snowflake's people write it: NUMBER(12,2), TEXT, TIMESTAMP_NTZ(9)."""
    if column.type == "FIXED":
        return f"NUMBER({column.precision or 38},{column.scale or 0})"
    if column.type.startswith("TIMESTAMP") and column.scale is not None:
        return f"{column.type}({column.scale})"
    return column.type


def read_result(statement: Statement) -> pa.Table:
    """The recorded rows. Raises ResultNotReady or NoResult."""
    if not statement.is_final:
        raise ResultNotReady(
            f"The statement is {statement.state}. Ask again when it has finished.",
            state=statement.state,
        )
    if statement.result is None:
        raise NoResult(
            f"The statement is {statement.state}, so there are no rows.",
            state=statement.state,
            reasons=statement.reasons,
        )
    return pa.ipc.open_stream(recordings.read_payload(statement.result)).read_all()

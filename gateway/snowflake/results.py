"""Results on their way through: detected, described for the recording, otherwise as they came."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from connections.masking.apply import scan
from connections.masking.detectors import Detector, Finding
from connections.services import is_at_hand
from connections.upstream import decode
from connections.upstream.results import chunk_headers, columns_of
from connections.upstream.types import ResultColumn
from gateway import contexts, transfers, wire_results
from gateway.models import Statement
from gateway.results import MaskedResult, described, detectors_of
from gateway.snowflake import parameters

# What the reply says of parts is the gateway's to say; the context is kept with its session.
_DROPPED = frozenset({"chunks", "chunkHeaders", "qrmk", "queryContext", "getResultUrl"})
# JSON texts of these types hold no free text that a detector could read.
_PLAIN = ("FIXED", "REAL", "BOOLEAN", "DATE", "TIME", "BINARY")
_SMALL, _FEW = 32 * 1024, 200
KEY_HEADER = "x-hoopweb-chunk-key"


class Unreadable(Exception):
    """A result that cannot be checked or may not be handed out, in words for the one who asked."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What the driver gets; ``chunks`` are paths on this gateway."""

    data: dict[str, Any]

    def to_json(self, base_url: str) -> dict[str, Any]:
        chunks = self.data.get("chunks")
        if not chunks:
            return self.data
        base = base_url.rstrip("/")
        return {**self.data, "chunks": [{**each, "url": base + each["url"]} for each in chunks]}


@dataclass(frozen=True, slots=True)
class Made:
    """One result: what is recorded of it, the reply, and where its further parts lie."""

    recorded: MaskedResult | None
    reply: dict[str, Any]
    places: dict[str, Any]
    parts: dict[str, Any] | None
    transfer: dict[str, Any] | None = None


def is_small(data: Mapping[str, Any], statement: Statement) -> bool:
    """Whether looking at it takes less time than handing it to a thread, and asks nobody."""
    connection = statement.connection
    return (
        len(data.get("rowsetBase64") or "") <= _SMALL
        and len(data.get("rowset") or ()) * len(data.get("rowtype") or ()) <= _FEW
        and not transfers.carried(statement)
        and statement.policy_revision == connection.policy_revision
        and is_at_hand(connection)
    )


def made(data: Mapping[str, Any], statement: Statement) -> Made:
    """Check a final reply. Raises Unreadable rather than hand on what could not be read."""
    if transfers.carried(statement):
        return _transfer(data, statement)
    if "stageInfo" in data or not isinstance(data.get("rowtype"), list):
        raise Unreadable("Snowflake answered in a form that the gateway does not hand on.")
    total = int(data.get("total") or 0)
    most = statement.connection.max_rows
    if total > most:
        raise Unreadable(
            f"The result has {total} rows; this connection hands out at most {most} at once. Add a "
            "LIMIT, aggregate, or ask an admin of the connection for more."
        )
    columns = columns_of(data)
    read = _arrow if _is_arrow(data) else _json
    try:
        first = read(data, columns, detectors_of(statement))
    except (ValueError, KeyError, TypeError, IndexError, pa.ArrowException) as error:
        raise Unreadable(f"The result cannot be read, so it is not handed on: {error}") from error
    wire, findings, content, plain = first
    reply = {name: value for name, value in data.items() if name not in _DROPPED}
    reply |= content
    reply["parameters"] = parameters.corrected(data.get("parameters"))
    reply["rowtype"] = [
        {**given, "name": name}
        for given, name in zip(data["rowtype"], wire.schema.names, strict=True)
    ]
    recorded = described(
        plain,
        [column.name for column in columns],
        findings,
        rowtype=columns,
        masked_outputs=statement.masked_outputs,
        query_id=str(data.get("queryId") or statement.upstream_query_id),
        total=max(total, plain.num_rows),
    )
    places = {name: data.get(f"final{name.capitalize()}Name") for name in contexts.PLACES}
    return Made(recorded, reply, places, _parts(data))


def _transfer(data: Mapping[str, Any], statement: Statement) -> Made:
    """Where a driver finds the files of a PUT or GET. What opens it is for the driver alone."""
    try:
        said = transfers.described(data, statement)
    except ValueError as error:
        raise Unreadable(f"The answer is not handed on: {error}.") from error
    reply = {name: value for name, value in data.items() if name not in _DROPPED}
    reply["parameters"] = parameters.corrected(data.get("parameters"))
    return Made(None, reply, {}, None, said)


def with_parts(made: Made, statement: Statement) -> Reply:
    """The reply, its further parts under addresses of ours."""
    if made.parts is None:
        return Reply(made.reply)
    result_id, key = wire_results.keep(statement, made.parts)
    chunks = [
        {
            "url": f"/chunks/{result_id}/{place}",
            "rowCount": part["rows"],
            "uncompressedSize": part["size"],
            "compressedSize": 0,
        }
        for place, part in enumerate(made.parts["chunks"])
    ]
    return Reply({**made.reply, "chunks": chunks, "chunkHeaders": {KEY_HEADER: key}})


def _is_arrow(data: Mapping[str, Any]) -> bool:
    return data.get("queryResultFormat") == "arrow"


def _parts(data: Mapping[str, Any]) -> dict[str, Any] | None:
    chunks = data.get("chunks")
    if not chunks:
        return None
    return {
        "headers": chunk_headers(data),
        "arrow": _is_arrow(data),
        "rowtype": data["rowtype"],
        "chunks": [
            {
                "url": chunk["url"],
                "rows": int(chunk["rowCount"]),
                "size": int(chunk.get("uncompressedSize") or 0),
            }
            for chunk in chunks
        ],
    }


_First = tuple[pa.Table, Sequence[Finding], dict[str, Any], pa.Table]


def _arrow(
    data: Mapping[str, Any], columns: Sequence[ResultColumn], detectors: Sequence[Detector]
) -> _First:
    text = data.get("rowsetBase64") or ""
    if not text:
        table = decode.empty(columns)
        clean, findings = scan(table, detectors)
        return clean, findings, {"rowsetBase64": ""}, clean
    wire = read_stream(base64.b64decode(text))
    clean, findings = scan(wire, detectors)
    if changed(findings):
        text = base64.b64encode(write_stream(clean)).decode()
    return clean, findings, {"rowsetBase64": text}, decode.plain_table(clean, columns)


def _json(
    data: Mapping[str, Any], columns: Sequence[ResultColumn], detectors: Sequence[Detector]
) -> _First:
    rows = data.get("rowset") or []
    clean, findings, rows = scan_rows(rows, columns, detectors)
    names = clean.schema.names
    plain = decode.json_part(rows, columns).rename_columns(names)
    return clean, findings, {"rowset": rows}, plain


def read_stream(stream: bytes) -> pa.Table:
    with pa.ipc.open_stream(pa.py_buffer(stream)) as reader:
        return reader.read_all()


def write_stream(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def changed(findings: Sequence[Finding]) -> bool:
    return any(finding.action == "mask" for finding in findings)


def scan_rows(
    rows: list[list[str | None]], columns: Sequence[ResultColumn], detectors: Sequence[Detector]
) -> tuple[pa.Table, Sequence[Finding], list[list[str | None]]]:
    """Rows of texts through the detectors: columns of free text are looked at, the others not."""
    if any(len(row) != len(columns) for row in rows):
        raise ValueError("a row has another number of values than columns were announced")
    arrays = [
        pa.nulls(len(rows), pa.null())
        if column.type in _PLAIN or column.type.startswith("TIMESTAMP")
        else pa.array([row[place] for row in rows], pa.string())
        for place, column in enumerate(columns)
    ]
    table = pa.Table.from_arrays(arrays, names=[column.name for column in columns])
    clean, findings = scan(table, detectors)
    if changed(findings):
        rows = [list(row) for row in rows]
        for place, field in enumerate(clean.schema):
            if pa.types.is_string(field.type):
                for row, value in zip(rows, clean.column(place).to_pylist(), strict=True):
                    row[place] = value
    return clean, findings, rows

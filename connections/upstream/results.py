"""From a final reply to rows, a chunk at a time."""

import asyncio
import base64
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pyarrow as pa

from connections.upstream import decode
from connections.upstream.types import QueryResult, ResultColumn
from connections.upstream.wire import Wire, is_zipped, unzipped

_DML = range(0x3000, 0x3700)


def columns_of(data: Mapping[str, Any]) -> tuple[ResultColumn, ...]:
    return tuple(ResultColumn.parse(column) for column in data.get("rowtype") or [])


async def parts(wire: Wire, data: Mapping[str, Any]) -> AsyncIterator[pa.Table]:
    """First what came with the reply, then each remote chunk in order."""
    columns = columns_of(data)
    arrow = data.get("queryResultFormat") == "arrow"
    if arrow:
        stream = base64.b64decode(data.get("rowsetBase64") or "")
        yield await _aside(decode.arrow_part, stream, columns)
    else:
        yield await _aside(decode.json_part, data.get("rowset") or [], columns)
    headers = chunk_headers(data)
    for chunk in data.get("chunks") or []:
        raw = await wire.fetch_chunk(chunk["url"], headers)
        body = await asyncio.to_thread(unzipped, raw) if is_zipped(raw) else raw
        if arrow:
            part = await _aside(decode.arrow_part, body, columns)
        else:
            part = await _aside(lambda raw: decode.json_part(decode.json_chunk(raw), columns), body)
        if part.num_rows != int(chunk["rowCount"]):
            raise ValueError(f"a chunk has {part.num_rows} rows instead of {chunk['rowCount']}")
        yield part


async def collect(
    wire: Wire,
    data: Mapping[str, Any],
    query_id: str,
    *,
    max_rows: int | None,
    max_bytes: int | None,
) -> QueryResult:
    """Rows up to the limits; chunks beyond them are never fetched."""
    columns = columns_of(data)
    taken: list[pa.Table] = []
    rows = size = 0
    async for part in parts(wire, data):
        kept = _within(part, max_rows, max_bytes, rows, size)
        taken.append(kept)
        rows, size = rows + kept.num_rows, size + kept.nbytes
        # A full one may still have a successor; the next turn would only be thrown away.
        if kept.num_rows < part.num_rows or (max_rows is not None and rows >= max_rows):
            break
    table = decode.join(taken)
    total = int(data.get("total") or 0)
    type_id = int(data.get("statementTypeId") or 0)
    counts = None
    if type_id in _DML and table.num_rows:
        first = table.slice(0, 1).to_pylist()[0]
        counts = {name: int(value) for name, value in first.items() if str(value).isdigit()}
    return QueryResult(
        table=table,
        query_id=str(data.get("queryId") or query_id),
        rowtype=columns,
        total=max(total, table.num_rows),
        truncated=table.num_rows < total,
        counts=counts,
        stats=data.get("stats") or {},
        statement_type_id=type_id,
        database=data.get("finalDatabaseName"),
        schema=data.get("finalSchemaName"),
        role=data.get("finalRoleName"),
        warehouse=data.get("finalWarehouseName"),
    )


def _within(
    part: pa.Table, max_rows: int | None, max_bytes: int | None, rows: int, size: int
) -> pa.Table:
    keep = part.num_rows
    if max_rows is not None:
        keep = min(keep, max_rows - rows)
    if max_bytes is not None and part.num_rows and size + part.nbytes > max_bytes:
        keep = min(keep, int((max_bytes - size) / max(part.nbytes / part.num_rows, 1)))
    return part.slice(0, max(keep, 0))


def chunk_headers(data: Mapping[str, Any]) -> dict[str, str]:
    """What a request for a remote part has to carry."""
    if headers := data.get("chunkHeaders"):
        return {str(name): str(value) for name, value in headers.items()}
    if key := data.get("qrmk"):
        return {
            "x-amz-server-side-encryption-customer-algorithm": "AES256",
            "x-amz-server-side-encryption-customer-key": str(key),
        }
    return {}


async def _aside(work: Any, *given: Any) -> pa.Table:
    """Decoding is work of the size of its input: a thread does it unless there is little."""
    size = len(given[0])
    return await asyncio.to_thread(work, *given) if size > 200_000 else work(*given)  # noqa: PLR2004

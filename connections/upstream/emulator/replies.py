"""The bodies that clients read."""

import asyncio
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from connections.upstream.emulator import encode
from connections.upstream.emulator.statements import Statement
from connections.upstream.emulator.values import Outcome, SqlError

_STATS = {0x3100: "numRowsInserted", 0x3200: "numRowsUpdated", 0x3300: "numRowsDeleted"}


def success(data: Any) -> JSONResponse:
    return JSONResponse({"data": data, "code": None, "message": None, "success": True})


def failure(error: SqlError, query_id: str | None = None) -> JSONResponse:
    data = {
        "errorCode": error.code,
        "sqlState": error.sqlstate,
        "queryId": query_id,
        "internalError": False,
        "type": None,
        "line": -1,
        "pos": -1,
        "age": 0,
    }
    return JSONResponse(
        {"data": data, "code": error.code, "message": error.message, "success": False}
    )


def in_progress(statement: Statement, *, asynchronous: bool) -> JSONResponse:
    code = "333334" if asynchronous else "333333"
    data = {
        "queryId": statement.id,
        "getResultUrl": f"/queries/{statement.id}/result",
        "queryAbortsAfterSecs": 300,
        "progressDesc": None,
    }
    message = "Query execution in progress."
    return JSONResponse({"data": data, "code": code, "message": message, "success": True})


async def final(statement: Statement, base_url: str, chunk_rows: int) -> JSONResponse:
    if statement.error is not None:
        return failure(statement.error, statement.id)
    outcome = statement.outcome
    if outcome is None:
        raise AssertionError("a finished statement has an outcome or an error")
    if outcome.extra.get("carried"):
        known = {
            "queryId": statement.id,
            "sqlState": "00000",
            "statementTypeId": outcome.type_id,
            "parameters": [],
        }
        return success({**known, **outcome.extra["carried"]})
    # Encoding is work of the size of the result: not on the loop that serves everyone.
    return success(await asyncio.to_thread(_result, statement, outcome, base_url, chunk_rows))


def _result(
    statement: Statement, outcome: Outcome, base_url: str, chunk_rows: int
) -> dict[str, Any]:
    total = outcome.table.num_rows
    inline = min(total, chunk_rows)
    as_json = statement.as_json or outcome.is_dml
    data: dict[str, Any] = {
        "parameters": [
            {"name": "TIMEZONE", "value": "Etc/UTC"},
            {"name": "BINARY_OUTPUT_FORMAT", "value": "HEX"},
            {"name": "DATE_OUTPUT_FORMAT", "value": "YYYY-MM-DD"},
            {"name": "TIME_OUTPUT_FORMAT", "value": "HH24:MI:SS"},
            {"name": "TIMESTAMP_OUTPUT_FORMAT", "value": "YYYY-MM-DD HH24:MI:SS.FF3 TZHTZM"},
            {"name": "TIMESTAMP_NTZ_OUTPUT_FORMAT", "value": "YYYY-MM-DD HH24:MI:SS.FF3"},
            {"name": "TIMESTAMP_LTZ_OUTPUT_FORMAT", "value": ""},
            {"name": "TIMESTAMP_TZ_OUTPUT_FORMAT", "value": ""},
        ],
        "rowtype": encode.described(outcome),
        "total": total,
        "returned": total,
        "queryId": statement.id,
        "sqlState": "00000",
        "statementTypeId": outcome.type_id,
        "finalDatabaseName": outcome.database,
        "finalSchemaName": outcome.schema,
        "finalRoleName": outcome.role,
        "finalWarehouseName": outcome.warehouse,
        "numberOfBinds": len(statement.entry.bindings or {}),
        "arrayBindSupported": outcome.type_id == 0x3100,  # noqa: PLR2004 - the id of INSERT
        "version": 1,
        "queryContext": {"entries": [{"id": 0, "timestamp": 0, "priority": 0, "context": ""}]},
        "queryResultFormat": "json" if as_json else "arrow",
        **outcome.extra.get("several", {}),
    }
    if as_json:
        data["rowset"] = encode.json_rows(outcome, 0, inline)
    else:
        # Even without rows a stream carries the schema.
        data["rowsetBase64"] = encode.arrow_text(outcome, 0, inline)
    if outcome.type_id in _STATS:
        data["stats"] = dict.fromkeys(_STATS.values(), 0) | {
            _STATS[outcome.type_id]: outcome.affected
        }
    if total > inline:
        data["chunkHeaders"] = {"x-emulator-chunk-key": statement.chunk_key}
        data["chunks"] = [
            {
                "url": f"{base_url}_emulator/chunks/{statement.id}/{start}",
                "rowCount": min(chunk_rows, total - start),
                "uncompressedSize": outcome.table.slice(start, chunk_rows).nbytes,
                "compressedSize": 0,
            }
            for start in range(inline, total, chunk_rows)
        ]
    return data


class CutShort(Response):
    """Sends half of a body and drops the connection."""

    def __init__(self, whole: Response) -> None:
        super().__init__()
        self.whole = whole

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        body = bytes(self.whole.body)
        await send(
            {
                "type": "http.response.start",
                "status": self.whole.status_code,
                "headers": [
                    (b"content-type", b"application/json"),
                    (b"content-length", str(len(body) or 100).encode()),
                ],
            }
        )
        await send(
            {"type": "http.response.body", "body": body[: len(body) // 2], "more_body": True}
        )
        raise ConnectionAbortedError("cut short, as ordered")

"""The envelopes of every answer."""

import json
from typing import Any

from starlette.responses import Response

from gateway.snowflake.errors import Refusal

IN_PROGRESS, IN_PROGRESS_ASYNC = "333333", "333334"


def _envelope(data: Any, code: str | None, message: str | None, *, success: bool) -> Response:
    body = {"data": data, "code": code, "message": message, "success": success}
    return Response(
        json.dumps(body, ensure_ascii=False, separators=(",", ":"), default=str).encode(
            "utf-8", "replace"
        ),
        media_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def success(data: Any) -> Response:
    return _envelope(data, None, None, success=True)


def failure(refusal: Refusal) -> Response:
    data = {
        "errorCode": refusal.code,
        "sqlState": refusal.sqlstate,
        "queryId": refusal.query_id,
        "internalError": False,
        "type": None,
        "line": -1,
        "pos": -1,
        "age": 0,
    }
    return _envelope(data, refusal.code, refusal.message, success=False)


def one_text(column: str, text: str, *, query_id: str, type_id: int) -> dict[str, Any]:
    """A result of one text, as what the gateway answers by itself."""
    return {
        "parameters": [],
        "rowtype": [
            {
                "name": column,
                "database": "",
                "schema": "",
                "table": "",
                "type": "text",
                "nullable": False,
                "length": len(text),
                "byteLength": len(text) * 4,
                "precision": None,
                "scale": None,
                "collation": None,
            }
        ],
        "rowset": [[text]],
        "total": 1,
        "returned": 1,
        "queryId": query_id,
        "sqlState": "00000",
        "statementTypeId": type_id,
        "version": 1,
        "queryResultFormat": "json",
    }


def in_progress(query_id: str, *, detached: bool = False, said: str = "") -> Response:
    data = {
        "queryId": query_id,
        "getResultUrl": f"/queries/{query_id}/result",
        "queryAbortsAfterSecs": 300,
        "progressDesc": said or None,
    }
    message = said or "Query execution in progress."
    code = IN_PROGRESS_ASYNC if detached else IN_PROGRESS
    return _envelope(data, code, message, success=True)


def missing(path: str) -> Response:
    return Response(
        json.dumps(
            {
                "success": False,
                "code": "390404",
                "message": f"The gateway does not serve {path}. It is recorded and goes nowhere.",
                "data": None,
            }
        ),
        status_code=404,
        media_type="application/json",
    )


def unavailable() -> Response:
    """The recorder is away: drivers send the same request again, with the same id."""
    return Response(
        json.dumps(
            {
                "success": False,
                "code": "390503",
                "message": "Nothing can be recorded now, so nothing runs. Try again shortly.",
                "data": None,
            }
        ),
        status_code=503,
        media_type="application/json",
        headers={"Retry-After": "2"},
    )

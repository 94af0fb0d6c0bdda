"""Request bodies: JSON, compressed by some clients and not by others."""

import gzip
import json
from typing import Any

from starlette.requests import Request

from connections.upstream.emulator.values import SqlError


async def body_of(request: Request) -> dict[str, Any]:
    raw = await request.body()
    try:
        if raw[:2] == b"\x1f\x8b":
            raw = gzip.decompress(raw)
        body = json.loads(raw or b"{}")
    except (OSError, ValueError) as error:
        raise SqlError("390100", "The request's body is no JSON.", "08001") from error
    if not isinstance(body, dict):
        raise SqlError("390100", "The request's body is no JSON object.", "08001")
    return body

"""What a driver sends: a body, compressed or not, and its token."""

import json
import re
import zlib
from typing import Any

from starlette.requests import Request

from gateway.models import WireSession
from gateway.snowflake.errors import Refusal

# After decompression: what one statement and its bound values may take together.
MOST = 16 * 1024 * 1024
_TOKEN = re.compile(r'Snowflake Token="([^"]*)"')


async def body_of(request: Request) -> dict[str, Any]:
    """The JSON object of a request. Raises Refusal."""
    raw = await request.body()
    try:
        if raw[:2] == b"\x1f\x8b":
            raw = _unzipped(raw)
        body = json.loads(raw or b"{}")
    except (zlib.error, ValueError, RecursionError) as error:
        raise Refusal("390400", "The request's body is no JSON.", "08001") from error
    if not isinstance(body, dict):
        raise Refusal("390400", "The request's body is no JSON object.", "08001")
    return body


def _unzipped(raw: bytes) -> bytes:
    zipped = zlib.decompressobj(wbits=31)
    clear = zipped.decompress(raw, MOST)
    if zipped.unconsumed_tail:
        raise Refusal("390400", f"The request's body exceeds {MOST} bytes.", "08001")
    if not zipped.eof:
        raise Refusal("390400", "The request's body was cut short.", "08001")
    return clear


def token_of(request: Request) -> str:
    """The token that a call of a session carries. Raises Refusal."""
    match = _TOKEN.fullmatch(request.headers.get("authorization", ""))
    if match is None or match[1] in {"", "None"}:
        raise Refusal("390103", "The request carries no session token. Connect first.", "08001")
    return match[1]


def address_of(request: Request) -> str | None:
    return request.client.host if request.client is not None else None


def request_name(session: WireSession, request_id: str) -> str:
    """A driver's id for a statement is its own only within its session."""
    return f"{session.pk}/{request_id}"[:200]

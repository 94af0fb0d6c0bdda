"""Paths that this door does not serve: recorded where someone known asks, and refused."""

from starlette.requests import Request
from starlette.responses import Response

from gateway import logins, wire_sessions
from gateway.snowflake import replies
from gateway.snowflake.bodies import address_of, token_of
from gateway.snowflake.errors import Refusal
from gateway.snowflake.hops import hop
from recordings.services import audit


async def refuse(request: Request, _: Exception) -> Response:
    """What this door does not serve."""
    try:
        token = token_of(request)
    except Refusal:
        return replies.missing(request.url.path)
    await hop(_record, token, request.method, request.url.path, address_of(request))
    return replies.missing(request.url.path)


def _record(token: str, method: str, path: str, address: str | None) -> None:
    try:
        session = wire_sessions.find(token)
    except (wire_sessions.TokenExpired, wire_sessions.SessionOver, logins.LoginOver):
        return
    kept = session.principal
    audit(
        actor={"kind": kept["kind"], "id": kept["id"], "name": kept["name"]},
        action="path-refused",
        kind="wire-session",
        object_id=str(session.pk),
        object_name=f"{method} {path}"[:200],
        address=address,
    )

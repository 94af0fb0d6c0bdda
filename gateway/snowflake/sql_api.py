"""Snowflake's SQL API: one statement a request, without a session; 202 while it is held."""

import json
import uuid
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from accounts.authentication import authenticate_bearer
from accounts.bearer import BearerRefused
from accounts.principal import Principal
from connections.models import Connection
from gateway import contexts, pipeline, services, wire_sessions
from gateway.models import Statement
from gateway.requests import StatementRequest
from gateway.results import read_result
from gateway.snowflake import jsonv2, prompts, waiting
from gateway.snowflake.answers import HOLD_SECONDS
from gateway.snowflake.bodies import address_of, body_of
from gateway.snowflake.errors import Refusal, refusal_for
from gateway.snowflake.hops import hop
from gateway.states import StatementState
from hoopweb.lib.errors import HoopwebError, NotFound

PATH = "/api/v2/statements"
_HELD, _DONE = "333334", "090001"
_UNAUTHORISED, _UNPROCESSABLE, _ACCEPTED = 401, 422, 202


@dataclass(frozen=True, slots=True)
class _Ask:
    bearer: str
    address: str | None
    request_id: str
    connection: str
    body: dict[str, Any]
    trace: str


async def send(request: Request) -> Response:
    """Send a statement through the SQL API."""
    ask = _Ask(
        bearer=_bearer(request),
        address=address_of(request),
        request_id=request.query_params.get("requestId") or str(uuid.uuid4()),
        connection=request.headers.get("x-hoopweb-connection", ""),
        body=await body_of(request),
        trace=prompts.trace_of(request.headers.get("traceparent")),
    )
    statement = await hop(_submit, ask)
    wait = request.query_params.get("async") != "true"
    return await _answer(statement, HOLD_SECONDS if wait else 0.0)


async def look(request: Request) -> Response:
    """A statement of the SQL API, with its rows when it has them."""
    statement, _ = await _mine(request)
    if request.query_params.get("partition", "0") != "0":
        return _said(_UNPROCESSABLE, "000900", "The result has one partition, number 0.")
    return await _answer(statement, HOLD_SECONDS)


async def cancel(request: Request) -> Response:
    """Cancel a statement of the SQL API."""
    await request.body()
    statement, principal = await _mine(request)
    await hop(services.cancel, statement_id=statement.pk, by=principal)
    return _said(200, "000604", "SQL execution canceled", statementHandle=str(statement.pk))


def _bearer(request: Request) -> str:
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" else ""


def _who(bearer: str, address: str | None) -> Principal:
    return authenticate_bearer(bearer, door=wire_sessions.DOOR, address=address).principal


async def _mine(request: Request) -> tuple[Statement, Principal]:
    return await hop(_find, _bearer(request), address_of(request), request.path_params["handle"])


def _find(bearer: str, address: str | None, handle: str) -> tuple[Statement, Principal]:
    principal = _who(bearer, address)
    try:
        found = Statement.objects.filter(
            pk=UUID(handle), principal_id=principal.id, door=wire_sessions.DOOR
        ).first()
    except ValueError:
        found = None
    if found is None:
        raise NotFound("There is no such statement of yours.")
    return found, principal


def _submit(ask: _Ask) -> Statement:
    principal = _who(ask.bearer, ask.address)
    connection = _connection(ask.connection, principal)
    text = ask.body.get("statement")
    if not isinstance(text, str) or not text.strip():
        raise Refusal("000900", "statement is empty: send one statement.", "42601")
    bindings = ask.body.get("bindings") or {}
    if not isinstance(bindings, dict) or not all(isinstance(b, dict) for b in bindings.values()):
        raise Refusal("000900", "bindings have a form that is not Snowflake's.", "42601")
    parameters = ask.body.get("parameters") or {}
    if str(parameters.get("MULTI_STATEMENT_COUNT", "1")) != "1":
        raise Refusal("000900", "Send the statements one by one.", "0A000")
    return pipeline.submit(
        StatementRequest(
            connection_id=connection.pk,
            sql=text,
            request_id=f"sql-api/{ask.request_id}"[:200],
            door=wire_sessions.DOOR,
            binds=bindings,
            prompt=prompts.prompt_of(parameters.get("query_tag") or parameters.get("QUERY_TAG")),
            client="SQL API",
            address=ask.address,
            context=_context(ask.body, connection),
            trace=ask.trace,
        ),
        principal=principal,
    )


def _connection(named: str, principal: Principal) -> Connection:
    """The connection of the header ``X-Hoopweb-Connection``, or the only one there is."""
    usable = list(Connection.objects.usable_by(principal))
    found = [row for row in usable if not named or row.name == named.lower()]
    if len(found) != 1:
        names = ", ".join(sorted(row.name for row in usable)) or "none yet"
        raise NotFound(f"Name a connection in X-Hoopweb-Connection. Usable now: {names}.")
    return found[0]


def _context(body: dict[str, Any], connection: Connection) -> dict[str, Any]:
    """Where names are looked up. Role and warehouse are the connection's own."""
    context = contexts.fresh(connection)
    for name in ("role", "warehouse"):
        asked = body.get(name)
        if asked and str(asked).upper() != str(context[name] or "").upper():
            raise Refusal("390201", f"Leave {name} out: it is the connection's own.", "42501")
    for name in ("database", "schema"):
        if asked := body.get(name):
            context[name] = str(asked)
    return context


async def _answer(statement: Statement, seconds: float) -> Response:
    if not statement.is_final and seconds:
        statement = await waiting.until_final(statement, seconds)
    if not statement.is_final:
        return _said(
            _ACCEPTED,
            _HELD,
            "Asynchronous execution in progress. Use provided query id to perform query monitoring "
            "and management.",
            **_handle(statement),
        )
    if statement.state != StatementState.SUCCEEDED:
        refusal = refusal_for(statement)
        return _said(
            _UNPROCESSABLE,
            refusal.code,
            refusal.message,
            sqlState=refusal.sqlstate,
            **_handle(statement),
        )
    return await hop(_rows, statement.pk)


def _rows(statement_id: UUID) -> Response:
    statement = Statement.objects.select_related("result").get(pk=statement_id)
    table = read_result(statement)
    data = jsonv2.rows(table, statement.columns)
    return _said(
        200,
        _DONE,
        "Statement executed successfully.",
        sqlState="00000",
        createdOn=int(statement.received_at.timestamp() * 1000),
        resultSetMetaData={
            "numRows": len(data),
            "format": "jsonv2",
            "rowType": jsonv2.row_type(statement.columns),
            "partitionInfo": [{"rowCount": len(data), "uncompressedSize": table.nbytes}],
        },
        data=data,
        **_handle(statement),
    )


def _handle(statement: Statement) -> dict[str, str]:
    handle = str(statement.pk)
    return {"statementHandle": handle, "statementStatusUrl": f"{PATH}/{handle}"}


def _said(status: int, code: str, message: str, **more: Any) -> Response:
    body = {"code": code, "message": message, **more}
    return Response(
        json.dumps(body, ensure_ascii=False, separators=(",", ":")),
        status_code=status,
        media_type="application/json",
    )


def refused(error: Exception) -> Response | None:
    """An error of ours in this interface's form: here the HTTP status speaks too."""
    if isinstance(error, BearerRefused):
        return _said(error.status, "390303", error.detail)
    if isinstance(error, Refusal):
        return _said(_UNPROCESSABLE, error.code, error.message, sqlState=error.sqlstate)
    if isinstance(error, HoopwebError):
        return _said(error.status, "390400", error.detail)
    return None

"""The routes of the emulator."""

import asyncio
import gzip
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from fakesnow.transforms import SERVER_VERSION
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from connections.upstream.emulator import encode
from connections.upstream.emulator.bodies import body_of
from connections.upstream.emulator.controls import Controls
from connections.upstream.emulator.credentials import Credentials
from connections.upstream.emulator.dialect import Context
from connections.upstream.emulator.engine import Engine, EngineSession
from connections.upstream.emulator.faults import Fault, Faults
from connections.upstream.emulator.journal import milliseconds
from connections.upstream.emulator.replies import CutShort, failure, final, in_progress, success
from connections.upstream.emulator.sessions import Session, Sessions
from connections.upstream.emulator.statements import Statement, Statements
from connections.upstream.emulator.values import SqlError

_PREFIX, _SUFFIX = 'Snowflake Token="', '"'


@dataclass(slots=True)
class Front:
    """What the routes work on."""

    engine: Engine
    sessions: Sessions
    statements: Statements
    credentials: Credentials
    account: str = "LOCAL"
    hold_seconds: float = 40.0
    chunk_rows: int = 50_000
    faults: Faults = field(default_factory=Faults)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                self._route("/session/v1/login-request", self.login),
                self._route("/session/token-request", self.renew),
                self._route("/session/heartbeat", self.heartbeat),
                self._route("/session", self.log_out),
                self._route("/queries/v1/query-request", self.query),
                self._route("/queries/v1/abort-request", self.abort_request),
                self._route("/queries/{query_id}/abort-request", self.abort_query),
                self._route("/queries/{query_id}/result", self.result, "GET"),
                self._route("/monitoring/queries/{query_id}", self.monitor, "GET"),
                # One driver writes two slashes.
                self._route("/monitoring/queries//{query_id}", self.monitor, "GET"),
                self._route("/telemetry/send", self.telemetry),
                self._route("/telemetry/send/sessionless", self.telemetry),
                self._route("/oauth/token-request", self.oauth_token),
                self._route("/_emulator/chunks/{query_id}/{start:int}", self.chunk, "GET"),
                *Controls(self.engine, self.statements.journal, self.faults).routes(),
            ]
        )

    def _route(
        self, path: str, handle: Callable[[Request], Awaitable[Response]], method: str = "POST"
    ) -> Route:
        async def answer(request: Request) -> Response:
            try:
                return await handle(request)
            except SqlError as error:
                return failure(error)

        return Route(path, answer, methods=[method])

    def _token(self, request: Request) -> str:
        header = request.headers.get("authorization", "")
        if not header.startswith(_PREFIX):
            raise SqlError("390103", "Session token not found in the request data.", "08001")
        return header.removeprefix(_PREFIX).removesuffix(_SUFFIX)

    def _session(self, request: Request) -> Session:
        return self.sessions.find(self._token(request))

    async def login(self, request: Request) -> Response:
        data = (await body_of(request)).get("data") or {}
        user = await asyncio.to_thread(self.credentials.check, data)
        asked = request.query_params
        session_id = self.sessions.next_id()
        context = Context(
            user=user,
            role=_stored(asked.get("roleName")) or "SYSADMIN",
            warehouse=_stored(asked.get("warehouse")),
            account=self.account,
            session_id=session_id,
        )
        for name, value in (data.get("SESSION_PARAMETERS") or {}).items():
            context.parameters[name.upper()] = str(value)
        if not self.credentials.may_use(context.role):
            raise SqlError(
                "390189",
                f"Role '{context.role}' specified in the connect string is not granted to this "
                "user. Contact your local system administrator, or attempt to login with another "
                "role.",
                "08001",
            )
        for over in self.sessions.take_over():
            self.statements.close_after(over)
        engine = await asyncio.to_thread(
            EngineSession,
            self.engine,
            context,
            _stored(asked.get("databaseName")),
            _stored(asked.get("schemaName")),
        )
        session = self.sessions.open(session_id, user, str(data.get("CLIENT_APP_ID")), engine)
        lifetimes = self.sessions.lifetimes
        return success(
            {
                "token": session.token,
                "masterToken": session.master,
                "validityInSeconds": int(lifetimes.session),
                "masterValidityInSeconds": int(lifetimes.master),
                "sessionId": session.id,
                "displayUserName": user,
                "serverVersion": SERVER_VERSION,
                "firstLogin": False,
                "healthCheckInterval": 45,
                "newClientForUpgrade": None,
                "idToken": None,
                "mfaToken": None,
                "parameters": [
                    {"name": "AUTOCOMMIT", "value": True},
                    {"name": "CLIENT_SESSION_KEEP_ALIVE", "value": False},
                    {"name": "CLIENT_SESSION_KEEP_ALIVE_HEARTBEAT_FREQUENCY", "value": 3600},
                    {"name": "CLIENT_STAGE_ARRAY_BINDING_THRESHOLD", "value": 0},
                    {"name": "CLIENT_PREFETCH_THREADS", "value": 4},
                    {"name": "CLIENT_TELEMETRY_ENABLED", "value": False},
                    {"name": "QUERY_CONTEXT_CACHE_SIZE", "value": 5},
                    {"name": "TIMEZONE", "value": "Etc/UTC"},
                ],
                "sessionInfo": {
                    "databaseName": engine.connection.database,
                    "schemaName": engine.connection.schema,
                    "warehouseName": context.warehouse,
                    "roleName": context.role,
                },
            }
        )

    async def renew(self, request: Request) -> Response:
        body = await body_of(request)
        session = self.sessions.renew(self._token(request), str(body.get("oldSessionToken")))
        lifetimes = self.sessions.lifetimes
        return success(
            {
                "sessionToken": session.token,
                "masterToken": session.master,
                "sessionId": session.id,
                "validityInSecondsST": int(lifetimes.session),
                "validityInSecondsMT": int(lifetimes.master),
            }
        )

    async def heartbeat(self, request: Request) -> Response:
        self._session(request)
        return success(None)

    async def log_out(self, request: Request) -> Response:
        session = self._session(request)
        if request.query_params.get("delete") == "true":
            self.sessions.forget(session)
            self.statements.close_after(session)
        return success(None)

    async def telemetry(self, request: Request) -> Response:
        await request.body()
        return success("Log Received")

    async def oauth_token(self, request: Request) -> Response:
        form = (await request.body()).decode()
        return self.credentials.grant(form, request.headers.get("authorization", ""))

    async def query(self, request: Request) -> Response:
        body = await body_of(request)
        session = self._session(request)
        sql = body.get("sqlText")
        if not isinstance(sql, str) or not sql.strip():
            raise SqlError("000900", "SQL text is empty.")
        fault = self.faults.take("query", sql)
        early = self._before(fault, session)
        if early is not None:
            return early
        request_id = request.query_params.get("requestId", "")
        statement = self.statements.submit(session, request_id, body, fault.delay_before)
        asynchronous = body.get("asyncExec") is True
        if not asynchronous:
            await statement.finished(self.hold_seconds)
        elif fault.delay_after or fault.status_after or fault.reset_after:
            await statement.finished(None)  # such a fault strikes after the work is done
        answer = (
            await self._answer(statement, request)
            if statement.done.is_set() and not asynchronous
            else in_progress(statement, asynchronous=asynchronous)
        )
        return await self._after(fault, answer)

    async def result(self, request: Request) -> Response:
        session = self._session(request)
        statement = self._owned(session, request.path_params["query_id"])
        fault = self.faults.take("result", statement.entry.sql)
        early = self._before(fault, session)
        if early is not None:
            return early
        if not await statement.finished(self.hold_seconds):
            return in_progress(statement, asynchronous=False)
        return await self._after(fault, await self._answer(statement, request))

    async def _answer(self, statement: Statement, request: Request) -> Response:
        return await final(statement, str(request.base_url), self.chunk_rows)

    def _before(self, fault: Fault, session: Session) -> Response | None:
        if fault.expire_token:
            session.token_until = 0.0
            raise SqlError("390112", "Your session has expired. Please login again.", "08001")
        if fault.status_before:
            return Response("ordered", status_code=fault.status_before)
        if fault.fail_code:
            raise SqlError(fault.fail_code, fault.fail_message, fault.fail_sqlstate)
        return None

    async def _after(self, fault: Fault, answer: Response) -> Response:
        if fault.delay_after:
            await asyncio.sleep(fault.delay_after)
        if fault.status_after:
            return Response("ordered", status_code=fault.status_after)
        return CutShort(answer) if fault.reset_after else answer

    def _owned(self, session: Session, query_id: str) -> Statement:
        statement = self.statements.by_id(query_id)
        if statement is None or statement.entry.user != session.user:
            raise SqlError("000612", f"Result for query {query_id} has expired", "02000")
        return statement

    async def chunk(self, request: Request) -> Response:
        statement = self.statements.by_id(request.path_params["query_id"])
        key = request.headers.get("x-emulator-chunk-key", "")
        if (
            statement is None
            or statement.outcome is None
            or not hmac.compare_digest(key.encode(), statement.chunk_key.encode())
        ):
            return Response("no such chunk", status_code=403)
        fault = self.faults.take("chunk", statement.entry.sql)
        if fault.status_before:
            return Response("ordered", status_code=fault.status_before)
        make = encode.json_chunk if statement.as_json else encode.arrow_stream
        start = int(request.path_params["start"])
        body = await asyncio.to_thread(
            lambda outcome: gzip.compress(make(outcome, start, self.chunk_rows), 1),
            statement.outcome,
        )
        answer = Response(
            body, media_type="binary/octet-stream", headers={"Content-Encoding": "gzip"}
        )
        return await self._after(fault, answer)

    async def monitor(self, request: Request) -> Response:
        session = self._session(request)
        entry = self.statements.journal.get(request.path_params["query_id"])
        if entry is None or entry.user != session.user:
            return success({"queries": []})
        return success(
            {
                "queries": [
                    {
                        "id": entry.query_id,
                        "status": entry.status,
                        "state": "FINISHED" if entry.ended else "EXECUTING",
                        "errorCode": entry.error_code,
                        "errorMessage": entry.error_message,
                        "sqlText": entry.sql,
                        "sessionId": entry.session_id,
                        "startTime": milliseconds(entry.started),
                        "endTime": milliseconds(entry.ended),
                    }
                ]
            }
        )

    async def abort_request(self, request: Request) -> Response:
        body = await body_of(request)
        session = self._session(request)
        return self._abort(self.statements.by_request(session, str(body.get("requestId"))))

    async def abort_query(self, request: Request) -> Response:
        session = self._session(request)
        return self._abort(self._owned(session, request.path_params["query_id"]))

    def _abort(self, statement: Statement | None) -> Response:
        if statement is None or not self.statements.abort(statement):
            raise SqlError(
                "000605", "Identified SQL statement is not currently executing.", "02000"
            )
        return success(None)


def _stored(name: str | None) -> str | None:
    if not name:
        return None
    return name[1:-1] if name.startswith('"') and name.endswith('"') else name.upper()

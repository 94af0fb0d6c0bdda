"""A session with Snowflake: submit once, wait, fetch, abort, ask."""

import asyncio
import contextlib
import logging
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from connections.upstream import find as lookup
from connections.upstream import results, submission
from connections.upstream.errors import (
    OutcomeUnknown,
    SessionLost,
    StatementTimedOut,
    UpstreamFailure,
    UpstreamUnreachable,
)
from connections.upstream.types import (
    Bindings,
    Found,
    Keeper,
    QueryHandle,
    QueryResult,
    Target,
    UpstreamSession,
)
from connections.upstream.wire import (
    EXPIRED,
    LOST,
    AnswerLost,
    Reply,
    Wire,
    fetch_chunk,
    open_http,
)

logger = logging.getLogger(__name__)

_NOT_RUNNING = "000605"
_RESULT_GONE = {"000612", "000709"}
# How long polling goes on against a dead line before the outcome is called unknown.
_PATIENCE = 60.0
_SETTLE = 10.0
_HOLD = 90.0


@contextlib.asynccontextmanager
async def connect(
    target: Target,
    *,
    resume: UpstreamSession | None = None,
    keep: bool = False,
    on_renew: Callable[[UpstreamSession], None] | None = None,
) -> AsyncIterator["SnowflakeSession"]:
    """A session for the length of the block.

    ``resume`` goes on with a session whose tokens were kept; one that is over is replaced by a
    new login. ``keep`` leaves the session alive at the end; ``on_renew`` hears of new tokens.
    """
    async with open_http(target) as http:
        wire = None if resume is None else Wire(target, resume, http, on_renew)
        if wire is None or not await _still_there(wire):
            # The driver takes long to import, and only who logs in needs it.
            from connections.upstream.login import log_in

            tokens = await log_in(target)
            if on_renew is not None:
                on_renew(tokens)
            wire = Wire(target, tokens, http, on_renew)
        session = SnowflakeSession(wire)
        try:
            yield session
        finally:
            if not keep:
                await session.close()


@contextlib.asynccontextmanager
async def resume(
    target: Target, tokens: UpstreamSession, *, keeper: Keeper | None
) -> AsyncIterator["SnowflakeSession"]:
    """Go on with a session that other processes may be using too (``keeper`` has its tokens); it
    stays open at the end.

    ``target`` needs no secret: what cannot be renewed is lost, and never replaced by a new login.
    """
    async with open_http(target) as http:
        yield SnowflakeSession(Wire(target, tokens, http, keeper=keeper))


async def fetch_part(target: Target, url: str, headers: Mapping[str, str]) -> bytes:
    """A remote part of a result whose session is over. Raises ``OutcomeUnknown`` when gone."""
    async with open_http(target) as http:
        try:
            return await fetch_chunk(http, url, headers)
        except AnswerLost as error:
            raise OutcomeUnknown(str(error)) from error


async def _still_there(wire: Wire) -> bool:
    try:
        return (await wire.call("POST", "/session/heartbeat", body={})).success
    except SessionLost:
        return False
    except AnswerLost as error:
        raise UpstreamUnreachable(str(error)) from error


class SnowflakeSession:
    """One logged-in session. Statements may run side by side in it."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._sequence = 0
        self._query_context: dict[int, dict[str, Any]] = {}
        self._early: dict[str, Reply] = {}

    @property
    def tokens(self) -> UpstreamSession:
        """As they are now; renewals change them."""
        return self._wire.tokens

    @property
    def target(self) -> Target:
        return self._wire.target

    async def submit(
        self,
        sql: str,
        *,
        binds: Bindings | Sequence[Any] | None = None,
        request_id: str | None = None,
        tag: str | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the statement's limit, not the call's
        repeatable: bool = False,
        asynchronous: bool = True,
        parameters: dict[str, Any] | None = None,
        describe_only: bool = False,
    ) -> QueryHandle:
        """Hand ``sql`` to Snowflake, at most once, and return as soon as it has been taken.

        ``repeatable`` is for statements proven to change nothing: only those are sent again, under
        the same request id, when an answer is lost. ``asynchronous=False`` saves a round trip for
        short statements. Raises ``UpstreamUnreachable`` (nothing sent), ``UpstreamError``
        (refused) or ``OutcomeUnknown`` (sent, no answer).
        """
        request_id = request_id or str(uuid.uuid4())
        deadline = None if timeout is None else asyncio.get_running_loop().time() + timeout
        self._sequence += 1
        body = submission.body(
            sql,
            asynchronous=asynchronous,
            sequence=self._sequence,
            binds=binds,
            tag=tag,
            timeout=timeout,
            parameters=parameters,
            describe_only=describe_only,
            context=self._query_context.values(),
        )
        reply = await self._send(request_id, body, 3 if repeatable else 1)
        query_id = reply.data.get("queryId")
        if not reply.success:
            raise submission.failed(reply, query_id)
        if not query_id:
            raise OutcomeUnknown("Snowflake gave the statement no id", request_id=request_id)
        if not reply.in_progress:
            self._early[query_id] = reply
        return QueryHandle(query_id, request_id, deadline)

    async def _send(self, request_id: str, body: dict[str, Any], tries: int) -> Reply:
        for attempt in range(tries):
            query = {"requestId": request_id, "request_guid": str(uuid.uuid4())}
            if attempt:
                query |= {"retryCount": str(attempt), "clientStartTime": str(int(time.time()))}
            try:
                reply = await self._wire.call(
                    "POST", "/queries/v1/query-request", query=query, body=body, seconds=_HOLD
                )
            except AnswerLost as error:
                if attempt == tries - 1:
                    raise OutcomeUnknown(str(error), request_id=request_id) from error
                logger.warning("answer lost, asking again under the same request id")
                await asyncio.sleep(0.2 * 2**attempt)
            except UpstreamUnreachable as error:
                if attempt:  # an earlier try may have arrived
                    raise OutcomeUnknown(str(error), request_id=request_id) from error
                raise
            else:
                return reply
        raise AssertionError("unreachable: the loop returns or raises")

    def handle(self, query_id: str, *, timeout: float | None = None) -> QueryHandle:
        """A handle on a statement of an earlier session, to fetch its result by id."""
        now = asyncio.get_running_loop().time()
        return QueryHandle(query_id, deadline=None if timeout is None else now + timeout)

    async def result(
        self, handle: QueryHandle, *, max_rows: int | None = None, max_bytes: int | None = None
    ) -> QueryResult:
        """Wait for the end and fetch rows up to the limits.

        Raises ``UpstreamError`` when the statement failed, ``StatementTimedOut`` when it overran
        and was ended, ``OutcomeUnknown`` when Snowflake cannot be asked any more.
        """
        reply = await self._final(handle)
        try:
            return await results.collect(
                self._wire, reply.data, handle.query_id, max_rows=max_rows, max_bytes=max_bytes
            )
        except (ValueError, KeyError, pa.ArrowException) as error:
            # It ran; only its rows cannot be read. That is not a failure of the statement.
            raise OutcomeUnknown(
                f"The result cannot be read: {error}", query_id=handle.query_id
            ) from error
        except AnswerLost as error:
            raise OutcomeUnknown(str(error), query_id=handle.query_id) from error

    async def data(self, handle: QueryHandle) -> dict[str, Any]:
        """Wait for the end; what Snowflake then says, to the letter. Raises as ``result`` does."""
        return (await self._final(handle)).data

    async def chunk(self, url: str, headers: Mapping[str, str]) -> bytes:
        """A remote part of a result, zipped or not, as it lies where Snowflake put it.

        Raises ``OutcomeUnknown`` when it is gone.
        """
        try:
            return await self._wire.fetch_chunk(url, headers)
        except AnswerLost as error:
            raise OutcomeUnknown(str(error)) from error

    async def alive(self) -> bool:
        """Whether the session goes on; asking keeps it from ending idle."""
        return await _still_there(self._wire)

    async def parts(self, handle: QueryHandle) -> AsyncIterator[pa.Table]:
        """The result piece by piece, so that no more than a chunk is ever held."""
        reply = await self._final(handle)
        async for part in results.parts(self._wire, reply.data):
            yield part

    async def _final(self, handle: QueryHandle) -> Reply:
        reply = self._early.pop(handle.query_id, None)
        if reply is None:
            try:
                async with asyncio.timeout_at(handle.deadline):
                    reply = await self._poll(handle, _PATIENCE)
            except TimeoutError:
                reply = await self._settle(handle)
                if reply.code == submission.CANCELLED:
                    raise StatementTimedOut(
                        submission.TIMED_OUT,
                        "57014",
                        "The statement overran its time and was ended.",
                        handle.query_id,
                    ) from None
        if not reply.success:
            if reply.code in _RESULT_GONE | LOST | {EXPIRED}:
                raise OutcomeUnknown(
                    f"Snowflake no longer tells: {reply.message}", query_id=handle.query_id
                )
            raise submission.failed(reply, handle.query_id)
        self._keep_context(reply)
        return reply

    async def _poll(self, handle: QueryHandle, patience: float) -> Reply:
        """Ask for the result until it is there. Asking changes nothing, so it may be repeated."""
        clock = asyncio.get_running_loop().time
        silent_since: float | None = None
        pause = 0.05
        while True:
            asked = clock()
            try:
                reply = await self._wire.call(
                    "GET", f"/queries/{handle.query_id}/result", seconds=_HOLD
                )
            except SessionLost as error:
                raise OutcomeUnknown(str(error), query_id=handle.query_id) from error
            except (AnswerLost, UpstreamUnreachable) as error:
                silent_since = silent_since or asked
                if clock() - silent_since > patience:
                    raise OutcomeUnknown(str(error), query_id=handle.query_id) from error
            else:
                if not (reply.success and reply.in_progress):
                    return reply
                silent_since = None
                if clock() - asked > 1:
                    pause = 0.05  # the server holds the call itself
                    continue
            await asyncio.sleep(pause)
            pause = min(pause * 2, 1.0)

    async def _settle(self, handle: QueryHandle) -> Reply:
        """Time is up: end the statement, and find out which of the two came first."""
        with contextlib.suppress(UpstreamFailure):
            await self.abort(handle)
        try:
            async with asyncio.timeout(_SETTLE):
                return await self._poll(handle, _SETTLE)
        except TimeoutError:
            raise OutcomeUnknown(
                "The statement overran its time and does not end", query_id=handle.query_id
            ) from None

    async def abort(self, handle: QueryHandle) -> bool:
        """End the statement; False when it had ended before."""
        path = f"/queries/{handle.query_id}/abort-request"
        return await self._abort(path, {}, handle.query_id)

    async def abort_request(self, request_id: str, sql: str = "") -> bool:
        """As ``abort``, for a statement whose query id never came back."""
        return await self._abort(
            "/queries/v1/abort-request", {"sqlText": sql, "requestId": request_id}, None
        )

    async def _abort(self, path: str, body: dict[str, Any], query_id: str | None) -> bool:
        query = {"requestId": str(uuid.uuid4())}
        try:
            reply = await self._wire.call("POST", path, query=query, body=body, seconds=30)
        except AnswerLost as error:
            raise OutcomeUnknown(str(error), query_id=query_id) from error
        if not reply.success and reply.code != _NOT_RUNNING:
            raise reply.error(query_id)
        return reply.success

    async def find(
        self,
        *,
        tag: str | None = None,
        request_id: str | None = None,
        since: datetime | None = None,
    ) -> Found:
        """What became of a statement, by its query tag or by the request id within the tag.

        ``NOT_FOUND`` soon after a lost answer is not yet proof: history may lag some seconds.
        """
        return await lookup.find(self, tag=tag, request_id=request_id, since=since)

    async def fetch(self, sql: str, binds: Sequence[Any] | None = None) -> pa.Table:
        """Rows of a question of our own: a read that may be asked again."""
        handle = await self.submit(
            sql, binds=binds, tag="hoopweb", timeout=120, repeatable=True, asynchronous=False
        )
        return (await self.result(handle)).table

    async def close(self) -> None:
        """End the session; a session that cannot be reached ends by itself."""
        with contextlib.suppress(UpstreamFailure):
            await self._wire.call("POST", "/session", query={"delete": "true"}, body={}, seconds=5)

    def _keep_context(self, reply: Reply) -> None:
        """Hand back what Snowflake wants to be reminded of: opaque, newest per id."""
        context = reply.data.get("queryContext") or {}
        for entry in context.get("entries") or []:
            known = self._query_context.get(entry["id"])
            if known is None or entry.get("timestamp", 0) >= known.get("timestamp", 0):
                self._query_context[entry["id"]] = entry

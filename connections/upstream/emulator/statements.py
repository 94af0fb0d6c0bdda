"""Statements in flight and their results: run once, join by request id, fetch by query id."""

import asyncio
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from connections.upstream.emulator import several
from connections.upstream.emulator.journal import Entry, Journal, now
from connections.upstream.emulator.sessions import Session
from connections.upstream.emulator.values import Outcome, SqlError

_STATEMENTS_KEPT = 5000
_RESULT_BYTES_KEPT = 768 * 1024 * 1024


@dataclass(slots=True)
class Statement:
    """One statement's life."""

    entry: Entry
    session: Session
    as_json: bool
    outcome: Outcome | None = None
    error: SqlError | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)
    aborted: threading.Event = field(default_factory=threading.Event)
    chunk_key: str = field(default_factory=lambda: uuid.uuid4().hex)
    # The parts of several statements in one text, as they are come to.
    parts: list["Statement"] = field(default_factory=list)

    @property
    def id(self) -> str:
        return self.entry.query_id

    async def finished(self, seconds: float | None) -> bool:
        try:
            await asyncio.wait_for(self.done.wait(), seconds)
        except TimeoutError:
            return False
        return True


class Statements:
    """All statements of this process, by query id and by request id."""

    def __init__(self, journal: Journal, workers: int = 16) -> None:
        self.journal = journal
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="statement")
        self._by_id: dict[str, Statement] = {}
        self._by_request: dict[tuple[int, str], Statement] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def submit(
        self, session: Session, request_id: str, body: dict[str, Any], delay_before: float = 0.0
    ) -> Statement:
        """The statement of this request: a new one, or the one that the request id names."""
        known = self._by_request.get((session.id, request_id)) if request_id else None
        if known is not None:
            known.entry.requests += 1
            return known
        context = session.engine.context
        parameters = {name.upper(): value for name, value in (body.get("parameters") or {}).items()}
        tag = parameters.get("QUERY_TAG") or context.parameters.get("QUERY_TAG") or ""
        entry = Entry(
            query_id=str(uuid.uuid4()),
            request_id=request_id,
            session_id=session.id,
            user=session.user,
            sql=str(body["sqlText"]),
            query_tag=str(tag),
            parameters=parameters,
            bindings=body.get("bindings"),
            database=session.engine.connection.database,
            schema=session.engine.connection.schema,
            role=context.role,
            warehouse=context.warehouse,
            describe_only=bool(body.get("describeOnly")),
            received=now(),
        )
        statement = Statement(entry, session, as_json=_wants_json(session, parameters))
        self._know(statement)
        if request_id:
            self._by_request[session.id, request_id] = statement
        self._keep(asyncio.create_task(self._run(statement, delay_before)))
        return statement

    def _know(self, statement: Statement) -> None:
        self._by_id[statement.id] = statement
        self.journal.write(statement.entry)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, statement: Statement, delay_before: float) -> None:
        entry = statement.entry
        # Ordered to wait, it can be aborted like one that waits for its warehouse.
        until = asyncio.get_running_loop().time() + delay_before
        while not statement.aborted.is_set():
            left = until - asyncio.get_running_loop().time()
            if left <= 0:
                break
            await asyncio.sleep(min(left, 0.02))
        entry.status, entry.started = "RUNNING", now()
        entry.executions += 1
        limit = float(entry.parameters.get("STATEMENT_TIMEOUT_IN_SECONDS") or 0)
        loop = asyncio.get_running_loop()
        count = several.wanted(entry.parameters)
        work = (
            loop.run_in_executor(self._pool, self._execute, statement)
            if count == 1
            else asyncio.ensure_future(self._run_several(statement, count))
        )
        watch = loop.call_later(limit, self._overrun, statement) if limit > 0 else None
        try:
            statement.outcome = await work
            statement.error = None  # a limit that struck too late changed nothing
            entry.status, entry.rows = "SUCCESS", statement.outcome.table.num_rows
        except SqlError as error:
            self._fail(statement, error)
        except Exception as error:  # noqa: BLE001 - an unexpected fault is a statement's failure too
            self._fail(
                statement, SqlError("000603", f"The emulator cannot do this: {error}", "XX000")
            )
        finally:
            if watch is not None:
                watch.cancel()
            entry.ended = now()
            self.journal.write(entry)
            self._forget_old_results()
            statement.done.set()

    async def _run_several(self, statement: Statement, count: int) -> Outcome:
        """One after the other, to the first that fails; its failure is that of them all."""
        parent = statement.entry
        if parent.describe_only:
            raise SqlError("000007", "Several statements cannot be prepared at once.", "0A000")
        for part in several.cut(parent.sql, count, parent.bindings):
            entry = replace(
                parent,
                query_id=str(uuid.uuid4()),
                request_id="",
                sql=part.sql,
                bindings=part.bindings,
                parameters={**parent.parameters, several.COUNT: 1},
                status="QUEUED",
                executions=0,
                received=now(),
            )
            child = Statement(
                entry, statement.session, as_json=statement.as_json, aborted=statement.aborted
            )
            statement.parts.append(child)
            self._know(child)
            await self._run(child, 0.0)
            if child.error is not None:
                raise child.error
        statement.as_json = True
        return several.outcome([(part.id, part.outcome) for part in statement.parts])

    def _execute(self, statement: Statement) -> Outcome:
        entry = statement.entry
        if ";" in entry.sql:
            several.cut(entry.sql, 1, entry.bindings)
        return statement.session.engine.run(
            statement.id,
            entry.sql,
            bindings=entry.bindings,
            aborted=statement.aborted,
            history=(
                self.journal.history(entry.user) if "QUERY_HISTORY" in entry.sql.upper() else None
            ),
            describe_only=entry.describe_only,
        )

    def _fail(self, statement: Statement, error: SqlError) -> None:
        entry = statement.entry
        if statement.error is None:  # an overrun has left its own reason
            statement.error = error
        entry.status = "ABORTED" if statement.aborted.is_set() else "FAILED_WITH_ERROR"
        entry.error_code, entry.error_message = statement.error.code, statement.error.message

    def _overrun(self, statement: Statement) -> None:
        seconds = statement.entry.parameters.get("STATEMENT_TIMEOUT_IN_SECONDS")
        statement.error = SqlError(
            "000630",
            f"Statement reached its statement or warehouse timeout of {seconds} second(s) and was "
            "canceled.",
            "57014",
        )
        self.abort(statement)

    def abort(self, statement: Statement) -> bool:
        """Ask for an end; False when there is nothing to end any more."""
        if statement.done.is_set():
            return False
        statement.aborted.set()
        self._keep(asyncio.create_task(self._interrupt(statement)))
        return True

    async def _interrupt(self, statement: Statement) -> None:
        # An interruption between two steps of the engine is lost, so one is not enough.
        while not statement.done.is_set():
            for each in (statement, *statement.parts):
                statement.session.engine.interrupt(each.id)
            await asyncio.sleep(0.05)

    def close_after(self, session: Session) -> None:
        """Close a session's connection once nothing runs in it: statements outlive sessions."""
        self._keep(asyncio.create_task(self._close_after(session)))

    async def _close_after(self, session: Session) -> None:
        for statement in list(self._by_id.values()):
            if statement.session is session:
                await statement.done.wait()
        await asyncio.to_thread(session.engine.close)

    def by_request(self, session: Session, request_id: str) -> Statement | None:
        return self._by_request.get((session.id, request_id))

    def by_id(self, query_id: str) -> Statement | None:
        return self._by_id.get(query_id)

    def _forget_old_results(self) -> None:
        while (
            len(self._by_id) > _STATEMENTS_KEPT and next(iter(self._by_id.values())).done.is_set()
        ):
            oldest = self._by_id.pop(next(iter(self._by_id)))
            self._by_request.pop((oldest.session.id, oldest.entry.request_id), None)
        size = 0
        for statement in reversed(self._by_id.values()):
            if statement.outcome is not None:
                size += statement.outcome.table.nbytes
                if size > _RESULT_BYTES_KEPT:
                    statement.outcome = None
                    statement.error = SqlError(
                        "000612", f"Result for query {statement.id} has expired", "02000"
                    )

    def close(self) -> None:
        for statement in self._by_id.values():
            if not statement.done.is_set():
                statement.aborted.set()
                statement.session.engine.interrupt(statement.id)
        self._pool.shutdown(wait=True, cancel_futures=True)


def _wants_json(session: Session, parameters: dict[str, Any]) -> bool:
    asked = [
        str(value).upper()
        for name, value in parameters.items()
        if name.endswith("QUERY_RESULT_FORMAT")
    ]
    return "JSON" in asked or ("ARROW" not in asked and session.wants_json)

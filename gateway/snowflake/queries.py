"""A statement as a driver sends it: into the pipeline, and back with rows, an error or patience."""

import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from accounts.principal import Principal
from gateway import admission, contexts, logins, pipeline, wire_sessions
from gateway.admission import Admitted
from gateway.claiming import WORKER
from gateway.grouping import Grouped
from gateway.models import Statement, WireSession
from gateway.requests import StatementRequest
from gateway.snowflake import answers, batches, cancelling, prompts, running
from gateway.snowflake.bodies import address_of, body_of, request_name, token_of
from gateway.snowflake.errors import Refusal
from gateway.snowflake.hops import hop
from gateway.states import StatementState

_REUSE = re.compile(r"RESULT_SCAN|LAST_QUERY_ID", re.IGNORECASE)
_MOST_RESULTS = 50
# What of a statement's parameters goes on to Snowflake: how the result is written, nothing else.
_FORWARDED = re.compile(r"[A-Z_]*QUERY_RESULT_FORMAT|[A-Z_]+_OUTPUT_FORMAT|TIMEZONE")


@dataclass(frozen=True, slots=True)
class Ask:
    """One query-request."""

    token: str
    request_id: str
    sql: str
    bindings: Mapping[str, Mapping[str, Any]]
    detached: bool
    describe_only: bool
    parameters: Mapping[str, Any]
    trace: str
    address: str | None
    base_url: str

    @classmethod
    async def read(cls, request: Request) -> "Ask":
        """Raises Refusal for what cannot be a statement."""
        body = await body_of(request)
        sql = body.get("sqlText")
        if not isinstance(sql, str) or not sql.strip():
            raise Refusal("000900", "The statement's text is empty.", "42601")
        if body.get("bindStage"):
            raise Refusal(
                "003001",
                "Values bound by way of a stage cannot be looked at, so the gateway takes none. "
                "Send fewer rows at a time, or set CLIENT_STAGE_ARRAY_BINDING_THRESHOLD to 0.",
                "42501",
            )
        parameters = body.get("parameters")
        parameters = parameters if isinstance(parameters, dict) else {}
        return cls(
            token=token_of(request),
            request_id=request.query_params.get("requestId") or str(uuid.uuid4()),
            sql=sql,
            bindings=_bindings(body.get("bindings")),
            detached=body.get("asyncExec") is True,
            describe_only=body.get("describeOnly") is True,
            parameters={str(name).upper(): value for name, value in parameters.items()},
            trace=prompts.trace_of(request.headers.get("traceparent")),
            address=address_of(request),
            base_url=str(request.base_url),
        )

    @property
    def forwarded(self) -> dict[str, Any]:
        return {n: v for n, v in self.parameters.items() if _FORWARDED.fullmatch(n)}


def _bindings(given: Any) -> dict[str, dict[str, Any]]:
    if not given:
        return {}
    if not isinstance(given, dict) or not all(
        isinstance(bound, dict) and {"type", "value"} <= set(bound) for bound in given.values()
    ):
        raise Refusal("000900", "The bound values have a form that is not Snowflake's.", "42601")
    return given


@dataclass(frozen=True, slots=True)
class Taken:
    """A statement as the database has it, and whether this process is to run it."""

    session: WireSession
    principal: Principal
    statement: Statement
    run_here: bool


async def query(request: Request) -> Response:
    """A statement, judged, held and run."""
    ask = await Ask.read(request)
    if batches.is_batch(ask.parameters):
        return await batches.query(ask)
    cancelled = await cancelling.answer(ask)
    if cancelled is not None:
        return cancelled
    judged = _judged_before(ask)
    if judged is None:
        judged = await hop(_judge, ask)
    return await answer(ask, await _taking.do(judged))


async def answer(ask: Ask, taken: Taken) -> Response:
    """Run what is to be run here, and wait for the end as long as a driver's call may take."""
    if taken.run_here:
        running.start(taken.statement, taken.session, ask.forwarded)
    if ask.detached:
        return await answers.detached(taken.statement, taken.session, ask.base_url)
    return await answers.settled(taken.statement, taken.session, ask.base_url)


@dataclass(frozen=True, slots=True)
class _Judged:
    """A statement on its way to be recorded."""

    ask: Ask
    admitted: Admitted
    judged: pipeline.Judged


def _judge(ask: Ask) -> _Judged:
    """Everything before the first writing."""
    admitted = admission.admitted(ask.token, ask.address)
    session = admitted.session
    logins.need_to_begin(session, request_name(session, ask.request_id), ask.request_id)
    request = _request(ask, admitted, sql=ask.sql, request_id=ask.request_id)
    judged = pipeline.judged(request, principal=admitted.principal, connection=admitted.connection)
    return _Judged(ask, admitted, judged)


def _judged_before(ask: Ask) -> _Judged | None:
    """The same where it takes no question to the database and hardly any time, so that it can be
    done on the loop that serves everyone: for a session and a text that are known.
    """
    admitted = admission.recent(ask.token, ask.address)
    if admitted is None or _REUSE.search(ask.sql):
        return None
    session = admitted.session
    if not (logins.counts(session) and session.recording.is_open):
        return None
    request = _request(ask, admitted, sql=ask.sql, request_id=ask.request_id)
    judged = pipeline.judged_before(
        request, principal=admitted.principal, connection=admitted.connection
    )
    return None if judged is None else _Judged(ask, admitted, judged)


def _request(ask: Ask, admitted: Admitted, *, sql: str, request_id: str) -> StatementRequest:
    session = admitted.session
    prompt = prompts.prompt_of(ask.parameters.get("QUERY_TAG") or session.query_tag)
    return StatementRequest(
        connection_id=session.connection_id,
        sql=sql,
        request_id=request_name(session, request_id),
        door=wire_sessions.DOOR,
        binds=ask.bindings,
        prompt=prompt,
        prompt_known=prompt == session.prompt,
        session_id=wire_sessions.recording_for(session, admitted.principal),
        wire_session_id=session.pk,
        context=_context(session, sql),
        describe_only=ask.describe_only,
        detached=ask.detached,
        trace=ask.trace,
    )


class _Overtaken(Exception):
    """What they were judged by has changed, and nothing of them was written."""


async def _take_all(asked: Sequence[_Judged]) -> Sequence[Taken | Exception]:
    return await hop(_record, asked)


async def _take_one(each: _Judged) -> Taken:
    return await hop(_record_again, each)


_taking: Grouped[_Judged, Taken] = Grouped(_take_all, _take_one)


def _record(asked: Sequence[_Judged]) -> list[Taken | Exception]:
    """Record what arrived together. Raises _Overtaken or what else keeps all of it from being
    recorded: each goes alone then.
    """
    admitted = [each.admitted.versions for each in asked if each.admitted.versions is not None]
    took = None
    if len(admitted) == len(asked):
        took = pipeline.take_quickly([each.judged for each in asked], admitted, WORKER)
    if took is None:
        raise _Overtaken
    return [
        one if isinstance(one, Exception) else _taken(each, one)
        for each, one in zip(asked, took, strict=True)
    ]


def _record_again(each: _Judged) -> Taken:
    """The long way: asked and judged anew, and joined where its id is known."""
    return _record_one(_judge(each.ask))


def _record_one(each: _Judged) -> Taken:
    return _taken(each, pipeline.take_one(each.judged, WORKER))


def _taken(each: _Judged, took: tuple[Statement, bool]) -> Taken:
    statement, new = took
    session, request = each.admitted.session, each.judged.request
    if new and not request.prompt_known:
        wire_sessions.remember(session.pk, prompt=request.prompt)
    run_here = new and statement.state == StatementState.RUNNING
    return Taken(session, each.admitted.principal, statement, run_here)


def take_part(
    ask: Ask, session: WireSession, principal: Principal, *, sql: str, request_id: str
) -> Taken:
    """One statement of a text with several: from its words to its row."""
    connection = admission.connection_of(session, principal)
    admitted = Admitted(session, principal, connection)
    request = _request(ask, admitted, sql=sql, request_id=request_id)
    judged = pipeline.judged(request, principal=principal, connection=connection)
    return _record_one(_Judged(ask, admitted, judged))


def _context(session: WireSession, sql: str) -> dict[str, Any]:
    context = dict(session.context)
    if session.tables:
        context["tables"] = session.tables
    if _REUSE.search(sql):
        context["results"] = _results(session)
    return context


def _results(session: WireSession) -> list[dict[str, Any]]:
    """Earlier results of this session, latest last, as RESULT_SCAN may name them."""
    done = (
        Statement.objects.filter(
            wire_session=session, state=StatementState.SUCCEEDED, describe_only=False
        )
        .exclude(upstream_query_id="")
        .order_by("-finished_at")[:_MOST_RESULTS]
    )
    found = [contexts.result_of(statement) for statement in reversed(done)]
    # From the first that cannot be told on, counting back from the last would miss.
    while None in found:
        found = found[found.index(None) + 1 :]
    return [each for each in found if each is not None]

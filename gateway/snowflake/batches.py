"""Several statements in one text: cut apart, each judged and run by itself, answered as one.

Each part is a statement of its own, under a request id made from the batch's. So a batch may be
gone on with by any process at any time: parts that were run are joined, never run again.
"""

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import structlog
from starlette.responses import Response

from accounts.principal import Principal
from connections.sql import guard
from gateway import admission, logins, wire_batches, wire_sessions
from gateway.models import Statement, WireBatch, WireSession
from gateway.snowflake import answers, part_binds, prompts, replies, running, waiting
from gateway.snowflake.errors import CANCELLED, CANCELLED_STATE, Refusal, refusal_for
from gateway.snowflake.hops import hop
from gateway.states import StatementState

if TYPE_CHECKING:
    from gateway.snowflake.queries import Ask, Taken

log = structlog.get_logger(__name__)
_TYPE = 0xA000
_COUNT = "MULTI_STATEMENT_COUNT"
# Snowflake's type ids by class of statement, as drivers read them.
_TYPES = {
    "select": 0x1000,
    "insert": 0x3100,
    "update": 0x3200,
    "delete": 0x3300,
    "merge": 0x3400,
    "show": 0x4400,
    "copy-in": 0x3600,
    "unload": 0x3700,
    "describe": 0x4500,
    "transaction": 0x5000,
}
_CARRIES = re.compile(r"\s*(?:PUT|GET)\s", re.IGNORECASE)
_OTHER_TYPE = 0x6000
_SESSION_TYPE = 0x4000
_driving: dict[UUID, "asyncio.Task[Refusal | None]"] = {}


@dataclass(frozen=True, slots=True)
class _Begun:
    session: WireSession
    principal: Principal
    batch: WireBatch
    parts: tuple[str, ...]
    binds: tuple[dict[str, Any], ...]


def is_batch(parameters: Mapping[str, Any]) -> bool:
    """Whether the driver says that its text holds several statements."""
    return str(parameters.get(_COUNT, "1")) not in {"1", "None", ""}


async def query(ask: "Ask") -> Response:
    begun = await hop(_begin, ask)
    drive(begun, ask)
    if ask.detached:
        return replies.in_progress(str(begun.batch.pk), detached=True)
    return await result(begun.batch, begun.session, ask.base_url)


def _begin(ask: "Ask") -> _Begun:
    session = wire_sessions.find(ask.token)
    principal = admission.admit(session, ask.address)
    logins.need_to_begin(session, "", ask.request_id)
    parts = tuple(guard.split(ask.sql))
    wanted = str(ask.parameters[_COUNT])
    if wanted != "0" and wanted != str(len(parts)):
        raise Refusal(
            "000008",
            f"Actual statement count {len(parts)} did not match the desired statement count "
            f"{wanted[:20]}.",
            "0A000",
        )
    if any(_CARRIES.match(part) for part in parts):
        raise Refusal("000900", "PUT and GET are sent by themselves, one at a time.", "0A000")
    if ask.describe_only:
        # By this number drivers know that they have to go on without a description.
        raise Refusal("000007", "Several statements cannot be prepared at once.", "0A000")
    binds = part_binds.distribute(parts, ask.bindings)
    batch = wire_batches.keep(
        session,
        request_id=ask.request_id,
        sql=ask.sql,
        prompt=prompts.prompt_of(ask.parameters.get("QUERY_TAG") or session.query_tag),
        binds=ask.bindings,
    )
    return _Begun(session, principal, batch, parts, binds)


def drive(begun: _Begun, ask: "Ask") -> None:
    """Have the parts run in order here, unless that goes on already."""
    if begun.batch.pk in _driving:
        return
    task = asyncio.get_running_loop().create_task(_drive(begun, ask))
    _driving[begun.batch.pk] = task
    task.add_done_callback(lambda _: _driving.pop(begun.batch.pk, None))


async def _drive(begun: _Begun, ask: "Ask") -> Refusal | None:
    """One part after the other, to the first that does not succeed."""
    for place, text in enumerate(begun.parts):
        try:
            taken = await hop(_take, begun, ask, place, text)
        except Exception as error:  # noqa: BLE001 - the batch's answer says so
            from gateway.snowflake.errors import refusal_of

            log.warning("batch_part_refused", error=type(error).__name__)
            return refusal_of(error) or Refusal("370001", "The gateway failed on a part.", "XX000")
        if taken is None:
            return Refusal(CANCELLED, "SQL execution canceled", CANCELLED_STATE)
        statement = await _ended(taken, ask)
        if statement.state != StatementState.SUCCEEDED:
            return refusal_for(statement)
    return None


def _take(begun: _Begun, ask: "Ask", place: int, text: str) -> "Taken | None":
    from gateway.snowflake import queries

    if WireBatch.objects.filter(pk=begun.batch.pk, stopped_at__isnull=False).exists():
        return None
    # What earlier parts set is in the row by now.
    session = WireSession.objects.select_related("recording").get(pk=begun.session.pk)
    if session.ended_at is not None:
        raise wire_sessions.SessionOver("This session has ended. Connect again.")
    principal = admission.admit(session, ask.address)
    part = replace(ask, sql=text, bindings=begun.binds[place], detached=False)
    return queries.take_part(
        part, session, principal, sql=text, request_id=f"{begun.batch.request_id}/{place}"
    )


async def _ended(taken: "Taken", ask: "Ask") -> Statement:
    if taken.run_here:
        running.start(taken.statement, taken.session, ask.forwarded)
    entry = running.find(taken.statement.pk)
    if entry is not None:
        statement, _ = await entry.done
        running.drop(statement.pk)
        return statement
    statement = taken.statement
    while not statement.is_final:
        statement = await waiting.until_final(statement, answers.HOLD_SECONDS)
    return statement


async def result(
    batch: WireBatch, session: WireSession, base_url: str, seconds: float = answers.HOLD_SECONDS
) -> Response:
    """The parent's answer: the ids of the parts, the first failure, or that it goes on."""
    task = _driving.get(batch.pk)
    if task is None:
        task = await _resumed(batch, session, base_url)
    finished, _ = await asyncio.wait({task}, timeout=seconds)
    if not finished:
        return replies.in_progress(str(batch.pk))
    refusal = task.result()
    if refusal is not None:
        raise refusal
    statements = await hop(wire_batches.parts_of, batch)
    return replies.success(_parent(batch, statements))


async def _resumed(
    batch: WireBatch, session: WireSession, base_url: str
) -> "asyncio.Task[Refusal | None]":
    """Go on with a batch that another process began, or that is done: its parts are joined."""
    from gateway.snowflake.queries import Ask

    ask = Ask(
        token="",
        request_id=batch.request_id,
        sql=batch.sql,
        bindings={},
        detached=False,
        describe_only=False,
        parameters={"QUERY_TAG": batch.prompt} if batch.prompt else {},
        trace="",
        address=None,
        base_url=base_url,
    )
    principal = await hop(admission.admit, session, str(session.address or ""))
    parts = tuple(guard.split(batch.sql))
    bindings = json.loads(batch.binds) if batch.binds else {}
    begun = _Begun(session, principal, batch, parts, part_binds.distribute(parts, bindings))
    drive(begun, replace(ask, address=session.address))
    return _driving[batch.pk]


def _parent(batch: WireBatch, statements: list[Statement]) -> dict[str, Any]:
    said = replies.one_text(
        "multiple statement execution",
        "Multiple statements executed successfully.",
        query_id=str(batch.pk),
        type_id=_TYPE,
    )
    return {
        **said,
        "resultIds": ",".join(row.upstream_query_id or str(row.pk) for row in statements),
        "resultTypes": ",".join(str(_type(row.statement_class)) for row in statements),
    }


def _type(statement_class: str) -> int:
    if statement_class.startswith(("use-", "set", "alter-session")):
        return _SESSION_TYPE
    return _TYPES.get(statement_class, _OTHER_TYPE)


async def stop(batch: WireBatch, session: WireSession) -> None:  # noqa: ARG001
    await hop(wire_batches.stop, batch.pk)


def current(batch: WireBatch, session: WireSession) -> Statement | None:  # noqa: ARG001
    """The part that is under way."""
    return next((row for row in wire_batches.parts_of(batch) if not row.is_final), None)

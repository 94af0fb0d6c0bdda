"""Waiting for statements that others run or decide on: one question for all of them together."""

import asyncio
from uuid import UUID

import structlog
from django.db.models import Q

from connections.sql.stages import TRANSFERS
from gateway.models import Statement
from gateway.snowflake.hops import hop
from gateway.states import FINAL, StatementState
from hoopweb.lib.stopping import STOPPING

log = structlog.get_logger(__name__)
_ASK_EVERY = 0.4
_waiters: dict[UUID, set[asyncio.Event]] = {}
_asking: asyncio.Task[None] | None = None


async def until_final(statement: Statement, seconds: float) -> Statement:
    """The statement once it is final or its driver's to carry, or as it stands after ``seconds``
    or when the server ends.
    """
    event = asyncio.Event()
    _waiters.setdefault(statement.pk, set()).add(event)
    _ask()
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
    finally:
        waiting = _waiters.get(statement.pk)
        if waiting is not None:
            waiting.discard(event)
            if not waiting:
                _waiters.pop(statement.pk, None)
    return await hop(read, statement.pk)


def read(statement_id: UUID) -> Statement:
    return Statement.objects.select_related("connection").get(pk=statement_id)


def _ask() -> None:
    global _asking  # noqa: PLW0603 - one asker per process
    if _asking is None or _asking.done():
        _asking = asyncio.get_running_loop().create_task(_ask_on())


async def _ask_on() -> None:
    while _waiters:
        await asyncio.sleep(_ASK_EVERY)
        if STOPPING.is_set():
            # A server that is about to end answers now: the driver asks again, and finds another.
            final = set(_waiters)
        else:
            try:
                final = await hop(_final, list(_waiters))
            except Exception as error:  # noqa: BLE001 - asked again in a moment
                log.warning("waiting_blind", error=type(error).__name__)
                continue
        for statement_id in final:
            for event in _waiters.get(statement_id, ()):
                event.set()


def _final(waited_for: list[UUID]) -> set[UUID]:
    carried = Q(state=StatementState.QUEUED, statement_class__in=TRANSFERS)
    rows = Statement.objects.filter(Q(state__in=FINAL) | carried, pk__in=waited_for)
    return set(rows.values_list("pk", flat=True))

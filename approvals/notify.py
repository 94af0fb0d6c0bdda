"""Waking people up. A message says which row changed and nothing of what is in it; whoever hears
it asks again, and is checked again. Nothing here may fail the work that it speaks of.
"""

import asyncio
import time
from typing import Any
from uuid import UUID

import structlog
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction

log = structlog.get_logger(__name__)
_PATIENCE = 1.0
# After a failure nothing is tried for a moment: a layer that is away must not slow the work down.
_PAUSE = 2.0
_silent_until = 0.0
EVERYWHERE = "connections.all"


def connection_group(connection_id: UUID | str) -> str:
    return f"connection.{connection_id}"


def person_group(person_id: UUID | str) -> str:
    return f"person.{person_id}"


async def _send(groups: set[str], message: dict[str, Any]) -> None:
    layer = get_channel_layer()
    if layer is None:
        raise RuntimeError("no channel layer is configured")
    async with asyncio.timeout(_PATIENCE):
        for group in groups:
            await layer.group_send(group, message)


def _tell(groups: set[str], message: dict[str, Any]) -> None:
    global _silent_until  # noqa: PLW0603 - one layer per process
    if time.monotonic() < _silent_until:
        return
    try:
        async_to_sync(_send)(groups, message)
    except Exception as error:  # noqa: BLE001 - the browser asks again after a gap; never the caller's loss
        _silent_until = time.monotonic() + _PAUSE
        log.warning("not_notified", kind=message["type"], error=type(error).__name__)


def row_changed(
    kind: str, row_id: UUID, *, connection_id: UUID, people: tuple[UUID | None, ...] = ()
) -> None:
    """After commit, tell everyone who may see the row that it changed.

    ``kind`` is ``approval``, ``session`` or ``statement``.
    """
    groups = {EVERYWHERE, connection_group(connection_id)}
    groups |= {person_group(p) for p in people if p is not None}
    message = {"type": "row.changed", "kind": kind, "id": str(row_id)}
    transaction.on_commit(lambda: _tell(groups, message))

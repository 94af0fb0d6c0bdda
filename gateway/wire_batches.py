"""Several statements sent as one: kept, so that any process can go on where one stopped."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils import timezone

from gateway.models import Statement, WireBatch, WireSession
from hoopweb.lib.errors import IdempotencyMismatch


def keep(
    session: WireSession,
    *,
    request_id: str,
    sql: str,
    prompt: str,
    binds: Mapping[str, Mapping[str, Any]] | None = None,
) -> WireBatch:
    """The batch of a request: a new one, or the one that the request id names.

    Raises IdempotencyMismatch for another text, or other binds, under the same id.
    """
    bound = json.dumps(binds, sort_keys=True) if binds else ""
    found = session.batches.filter(request_id=request_id).first()
    if found is None:
        try:
            with transaction.atomic():
                return WireBatch.objects.create(
                    wire_session=session,
                    request_id=request_id,
                    sql=sql,
                    prompt=prompt,
                    binds=bound,
                )
        except IntegrityError:
            found = session.batches.get(request_id=request_id)
    if (found.sql, found.binds) != (sql, bound):
        raise IdempotencyMismatch("This request id was used for another text. Use a new one.")
    return found


def stop(batch_id: UUID) -> None:
    """Let no further part of it begin."""
    WireBatch.objects.filter(pk=batch_id, stopped_at=None).update(stopped_at=timezone.now())


def parts_of(batch: WireBatch) -> list[Statement]:
    """The statements of a batch that have been taken in so far, in their order."""
    prefix = f"{batch.wire_session_id}/{batch.request_id}/"
    rows = Statement.objects.select_related("connection").filter(
        wire_session_id=batch.wire_session_id, request_id__startswith=prefix
    )
    return sorted(rows, key=lambda row: int(row.request_id.rpartition("/")[2]))

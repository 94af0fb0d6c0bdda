"""Runs that a worker makes while a person watches: asked for, claimed, heard of, ended.

Each move is a conditional update, so that a run which was cancelled or given up stays so,
whatever its worker still says.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

from django.db import IntegrityError, models, transaction
from django.utils import timezone

from accounts.models import User
from connections.models import Connection, ConnectionTest, Run, RunState, Sampling
from connections.models.runs import LOST_AFTER, OPEN
from connections.services.acting import actor_of
from recordings.services import audit
from recordings.services.trail import plain_address

R = TypeVar("R", bound=Run)

# A queued run whose message was lost with the broker is sent again, and later given up.
RESEND_AFTER = timedelta(minutes=2)
GIVE_UP_AFTER = timedelta(minutes=15)
KEEP = 10
_WIDTH = 400

LOST = "The worker that ran it went away."
LOST_CURE = "Start it again. If it happens twice, look at the worker's log."


def ask_for(
    kind: type[R],
    *,
    connection: Connection,
    by: User | None,
    address: str | None,
    action: str,
    send: Callable[[R], None],
) -> R:
    """Queue one run, or join the one that is under way; ``send`` wakes a worker on commit."""
    give_up_lost(kind, connection)
    rows = _rows(kind).filter(connection=connection)
    try:
        with transaction.atomic():
            if found := rows.filter(state__in=OPEN).first():
                return found
            run = _rows(kind).create(
                connection=connection, asked_by=by, address=plain_address(address)
            )
            old = list(rows.values_list("pk", flat=True)[KEEP:])
            rows.filter(pk__in=old).delete()
            audit(
                actor=actor_of(by),
                action=action,
                kind="connection",
                object_id=str(connection.pk),
                object_name=connection.name,
                address=address,
            )
            send(run)
    except IntegrityError:
        # Somebody else queued one between our look and our row; theirs serves both.
        return rows.filter(state__in=OPEN).latest("queued_at")
    return run


def wake(task: Any, run: Run) -> None:
    """Send the run's id to its connection's workers once this transaction stands."""
    run_id, queue = run.pk, run.connection.queue

    # A function with a name: Django logs it when the broker is gone and the call fails.
    def send() -> None:
        task.apply_async(args=(run_id,), queue=queue, ignore_result=True)

    transaction.on_commit(send, robust=True)


def claim(kind: type[R], run_id: int) -> R | None:
    """The run, now ours; None when another worker has it or nobody wants it any more."""
    now = timezone.now()
    mine = (
        _rows(kind)
        .filter(pk=run_id, state=RunState.QUEUED)
        .update(state=RunState.RUNNING, started_at=now, heard_at=now)
    )
    return _rows(kind).select_related("connection").get(pk=run_id) if mine else None


def say(run: Run, **changes: Any) -> bool:
    """Keep how far it is. False when it was ended from outside: then stop."""
    return bool(_open(run, RunState.RUNNING).update(heard_at=timezone.now(), **changes))


def finish(run: R, state: RunState, detail: str = "", cure: str = "", **changes: Any) -> bool:
    """End it, unless it was ended from outside already."""
    return bool(
        _open(run, RunState.RUNNING).update(
            state=state,
            finished_at=timezone.now(),
            detail=detail[:_WIDTH],
            cure=cure[:_WIDTH],
            **changes,
        )
    )


def stop(
    kind: type[R], *, connection: Connection, by: User | None, address: str | None, action: str
) -> bool:
    """End what a person no longer wants; False when nothing ran."""
    who = "The installation" if by is None else str(by)
    with transaction.atomic():
        stopped = cancel_open(kind, connection, f"{who} stopped it.")
        if stopped:
            audit(
                actor=actor_of(by),
                action=action,
                kind="connection",
                object_id=str(connection.pk),
                object_name=connection.name,
                address=address,
            )
    return bool(stopped)


def cancel_open(kind: type[R], connection: Connection, detail: str, cure: str = "") -> int:
    """End what is under way on ``connection``; its worker stops at its next word."""
    return (
        _rows(kind)
        .filter(connection=connection, state__in=OPEN)
        .update(state=RunState.CANCELLED, finished_at=timezone.now(), detail=detail, cure=cure)
    )


def give_up_lost(kind: type[R], connection: Connection | None = None) -> int:
    """End runs whose worker went away, and those that no worker ever took."""
    now = timezone.now()
    rows = _rows(kind).all()
    if connection is not None:
        rows = rows.filter(connection=connection)
    ended = rows.filter(state=RunState.RUNNING, heard_at__lt=now - LOST_AFTER).update(
        state=RunState.FAILED, finished_at=now, detail=LOST, cure=LOST_CURE
    )
    return ended + rows.filter(state=RunState.QUEUED, queued_at__lt=now - GIVE_UP_AFTER).update(
        state=RunState.FAILED,
        finished_at=now,
        detail="No worker took it.",
        cure="See that a worker listens to the connection's queue, then start it again.",
    )


def sweep(kind: type[R], send: Callable[[R], None]) -> int:
    """Give up what is lost and send lost messages again; says how many were sent."""
    give_up_lost(kind)
    sent = 0
    with transaction.atomic():
        late = timezone.now() - RESEND_AFTER
        for run in (
            _rows(kind)
            .select_related("connection")
            .filter(state=RunState.QUEUED, queued_at__lt=late)
        ):
            send(run)
            sent += 1
    return sent


def newest(kind: type[R], connection: Connection) -> R | None:
    return _rows(kind).filter(connection=connection).first()


def place_changed(connection: Connection) -> None:
    """What runs against the old place or credential says nothing about the new one."""
    for kind in (ConnectionTest, Sampling):
        cancel_open(kind, connection, "The settings changed while it ran.", "Start it again.")


def _rows(kind: type[R]) -> models.Manager[R]:
    return kind._default_manager  # noqa: SLF001  what Django calls a model's documented way in


def _open(run: Run, state: RunState) -> Any:
    return _rows(type(run)).filter(pk=run.pk, state=state)

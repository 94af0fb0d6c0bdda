"""Trying a connection out in the background: each step said as it happens, with its cure."""

import asyncio
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import structlog
from asgiref.sync import async_to_sync, sync_to_async
from celery.exceptions import SoftTimeLimitExceeded
from django.db import transaction
from django.utils import timezone

from accounts.models import User
from connections.models import Connection, ConnectionTest, RunState
from connections.services import runs
from connections.services.acting import need_admin_of
from connections.services.targets import record_test
from connections.services.values import target_for
from connections.upstream import check
from connections.upstream.types import Target
from hoopweb.lib.errors import HoopwebError

log = structlog.get_logger(__name__)

STEPS = ("Credential", *check.NAMES)
# All steps together; each has a shorter time of its own.
SECONDS = 120.0


def request_connection_test(
    *, connection: Connection, by: User | None, address: str | None = None
) -> ConnectionTest:
    """Queue a test; one that is under way is joined. Its worker tests what is stored then."""
    need_admin_of(by, connection, "test it")
    return runs.ask_for(
        ConnectionTest,
        connection=connection,
        by=by,
        address=address,
        action="connection-test-requested",
        send=send_test,
    )


def send_test(run: ConnectionTest) -> None:
    from connections.tasks import test_connection as task

    runs.wake(task, run)


def cancel_connection_test(
    *, connection: Connection, by: User | None, address: str | None = None
) -> bool:
    """Stop the test that runs; False when none did."""
    need_admin_of(by, connection, "stop its test")
    return runs.stop(
        ConnectionTest,
        connection=connection,
        by=by,
        address=address,
        action="connection-test-stopped",
    )


def run_connection_test(run_id: int) -> ConnectionTest | None:
    """Log in as a statement would and look round, keeping each step as it happens.

    None when another worker has this run. Never raises for what is wrong on Snowflake's side:
    that is what the steps say.
    """
    run = runs.claim(ConnectionTest, run_id)
    if run is None:
        return None
    try:
        _run(run)
    except (SoftTimeLimitExceeded, TimeoutError):
        runs.finish(
            run,
            RunState.FAILED,
            "It took too long and was stopped.",
            "Look at the step that was running: what it waits for does not answer.",
        )
    except Exception as error:  # noqa: BLE001  the page has to say that it failed, whatever it was
        # No traceback: a login has the opened secret in its frames.
        log.warning(
            "connection-test-failed",
            connection=run.connection.name,
            error=type(error).__name__,
        )
        runs.finish(
            run,
            RunState.FAILED,
            f"The test itself failed unexpectedly ({type(error).__name__}).",
            "Test again. If it stays, the worker's log has the time and the kind of error.",
        )
    run.refresh_from_db()
    return run


def _run(run: ConnectionTest) -> None:
    found = _Steps(run)
    if not found.begin():
        return
    began = timezone.now()
    try:
        need_admin_of(run.asked_by, run.connection, "test it")
        # What is stored is tested, whatever it was when the test was asked for.
        row = Connection.objects.get(pk=run.connection_id)
        target = target_for(row)
    except HoopwebError as error:
        found.end(
            "Credential",
            ok=False,
            milliseconds=_since(began),
            detail=error.detail,
            cure="Set the credential, then test again.",
        )
    else:
        detail = f"Opened, for {target.login_name or target.method}"
        if found.end("Credential", ok=True, milliseconds=_since(began), detail=detail):
            async_to_sync(_try)(target, found)
    found.keep()


async def _try(target: Target, found: "_Steps") -> None:
    async with asyncio.timeout(SECONDS):
        async for step in check.check(target):
            if not await sync_to_async(found.end)(
                step.name,
                ok=step.ok,
                milliseconds=round(step.seconds * 1000),
                detail=step.detail,
                cure=step.cure,
            ):
                return


def _since(began: datetime) -> int:
    passed: timedelta = timezone.now() - began
    return round(passed.total_seconds() * 1000)


class _Steps:
    """The steps of one run, stored whenever one of them moves."""

    def __init__(self, run: ConnectionTest) -> None:
        self.run = run
        self.steps = [blank(name) for name in STEPS]

    def begin(self) -> bool:
        self.steps[0]["state"] = "running"
        return runs.say(self.run, steps=self.steps)

    def end(self, name: str, *, ok: bool, milliseconds: int, detail: str, cure: str = "") -> bool:
        """One step ended, and the next begins with it. False when nobody wants it any more."""
        place = STEPS.index(name)
        self.steps[place].update(
            state="ok" if ok else "failed", milliseconds=milliseconds, detail=detail, cure=cure
        )
        if ok and place + 1 < len(STEPS):
            self.steps[place + 1]["state"] = "running"
        return runs.say(self.run, steps=self.steps)

    def keep(self) -> None:
        """End the run, and let the connection carry what it found, both or neither."""
        ended = [step for step in self.steps if step["state"] in {"ok", "failed"}]
        failed = [step for step in ended if step["state"] == "failed"]
        with transaction.atomic():
            # The same order of locks as changing a setting has.
            Connection.objects.select_for_update(no_key=True).get(pk=self.run.connection_id)
            state = RunState.FAILED if failed else RunState.DONE
            detail = f"{failed[0]['name']} failed." if failed else "Everything works."
            if runs.finish(self.run, state, detail):
                record_test(
                    connection=self.run.connection,
                    report=report_of(ended),
                    by=self.run.asked_by,
                    address=self.run.address,
                )


def blank(name: str) -> dict[str, Any]:
    """A step that has not begun."""
    return {"name": name, "state": "pending", "detail": "", "cure": "", "milliseconds": None}


def report_of(steps: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Steps that ended, in the shape that ``Connection.test_report`` keeps."""
    return [
        {
            "name": step["name"],
            "ok": step["state"] == "ok",
            "detail": step["detail"],
            "cure": step["cure"],
            "milliseconds": step["milliseconds"] or 0,
        }
        for step in steps
    ]

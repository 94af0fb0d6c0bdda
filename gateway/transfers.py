"""Files that a driver carries to a stage or from one: judged and recorded here, seen nowhere.

Snowflake answers PUT and GET with an address and short-lived keys of its storage, and the driver
goes there by itself. So the answer is handed on as it is; of it is recorded what is not secret:
which files, which stage, which storage. Afterwards the stage is listed, and what lies there now,
with its sizes, is recorded as well. Until then the statement's story is not over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction
from django.utils import timezone

from connections.judge import Verdict
from connections.masking.apply import scan_text
from connections.models import Connection
from connections.policy.types import Decision, Effect, Reason
from connections.sql.stages import TRANSFERS, listing_of
from connections.upstream.errors import UpstreamFailure
from connections.upstream.types import Target
from gateway import upstream
from gateway.models import Statement
from gateway.results import detectors_of
from gateway.states import StatementState
from hoopweb.lib.errors import HoopwebError
from recordings import services as recordings
from recordings.kinds import EventKind
from recordings.models import Event

log = structlog.get_logger(__name__)
# In an outcome: another event of this kind follows, and the session stays open for it.
AWAITS = {"awaits": str(EventKind.TRANSFER)}
_COMMANDS = {"put": "UPLOAD", "get": "DOWNLOAD"}
_STORES = frozenset({"S3", "AZURE", "GCS"})
# Of where the storage is; never what opens it, nor what the files are encrypted with.
_PLACE = {
    "locationType": "type",
    "location": "location",
    "path": "path",
    "region": "region",
    "endPoint": "end_point",
    "storageAccount": "storage_account",
    "isClientSideEncrypted": "encrypted_by_client",
}
_HOW = {"overwrite": "overwrite", "autoCompress": "compressed", "sourceCompression": "compression"}
_MOST_FILES = 1000
# How long after the answer the files of a PUT are waited for, and how long they take at least.
_PATIENCE = timedelta(seconds=90)
_AT_LEAST = timedelta(seconds=3)
_CLOCKS_DIFFER = timedelta(minutes=2)
_NO_DRIVER = Reason(
    "needs-driver",
    "Files of PUT and GET are carried by a Snowflake driver, and none is there to do it.",
    way_out="Connect with a driver and send the statement by itself; it cannot be described.",
)


def carried(statement: Statement) -> bool:
    """Whether a driver has to carry files for this statement, so that no worker can run it."""
    return statement.statement_class in TRANSFERS


def held_to_driver(verdict: Verdict, statement: Statement) -> Verdict:
    """Deny what only a driver could do where there is none, or where it asks for columns only."""
    there = statement.wire_session_id is not None and not statement.describe_only
    if there or verdict.facts.statement_class not in TRANSFERS:
        return verdict
    if verdict.decision.effect == Effect.DENY:
        return verdict
    return replace(verdict, decision=Decision(Effect.DENY, (_NO_DRIVER,)), sql_sent=None)


def described(data: Mapping[str, Any], statement: Statement) -> dict[str, Any]:
    """What is recorded of Snowflake's answer to PUT or GET, without a single secret.

    Raises ValueError where the answer is not one to what was judged: it is not handed on.
    """
    command, place, files = data.get("command"), data.get("stageInfo"), data.get("src_locations")
    if command != _COMMANDS.get(statement.statement_class) or not isinstance(place, dict):
        raise ValueError("Snowflake's answer is none to this statement")
    if not isinstance(files, list) or not all(isinstance(each, str) for each in files):
        raise ValueError("Snowflake's answer names no files")
    store = place.get("locationType")
    # A store on the driver's own disk is for the local Snowflake only.
    if store not in _STORES and not (
        store == "LOCAL_FS" and statement.connection.protocol == "http"
    ):
        raise ValueError("Snowflake's answer names a storage that the gateway does not know")
    asked = statement.facts.get("transfer") or {}
    detectors = detectors_of(statement)
    if command == "UPLOAD" and not _is_asked(files, str(asked.get("file", ""))):
        raise ValueError("Snowflake's answer names other files than were asked for")
    return {
        "command": command,
        "stage": asked.get("stage", ""),
        "path": asked.get("path", ""),
        "files": [scan_text(each, detectors)[0] for each in files[:_MOST_FILES]],
        "count": len(files),
        "storage": {ours: _plain(place[name]) for name, ours in _PLACE.items() if name in place},
        **{ours: _plain(data[name]) for name, ours in _HOW.items() if name in data},
    }


def _is_asked(files: Sequence[str], asked: str) -> bool:
    """Whether Snowflake only echoes the path that the agent wrote."""
    wanted = asked.removeprefix("file://")
    return len(files) == 1 and bool(files[0]) and wanted.lstrip("/") == files[0].lstrip("/")


def _plain(value: Any) -> str | bool:
    return value if isinstance(value, bool) else str(value or "")[:500].partition("?")[0]


def unmeasured() -> list[UUID]:
    """Transfers whose files have not been looked at yet."""
    done = Statement.objects.filter(
        statement_class__in=TRANSFERS,
        state=StatementState.SUCCEEDED,
        finished_at__lt=timezone.now() - _AT_LEAST,
        session__ended_at=None,
    ).order_by("finished_at")
    found = Event.objects.filter(kind=EventKind.TRANSFER)
    return [
        pk
        for pk in done.values_list("pk", flat=True)[:200]
        if not found.filter(statement_id=pk).exists()
    ]


def measure(statement_id: UUID) -> bool:
    """List the stage and record what lies there; False while the files may still be on their way.

    The listing goes through a session of our own: in the driver's it would be the last query.
    """
    statement = Statement.objects.select_related("session").get(pk=statement_id)
    statement.connection = Connection.objects.select_related("credential").get(
        pk=statement.connection_id
    )
    assert statement.finished_at is not None
    late = statement.finished_at < timezone.now() - _PATIENCE
    try:
        sql = listing_of(statement.sql_upstream)
        target = upstream.target_of(statement.connection)
        rows = upstream.run(_list(sql, upstream.key_of(statement.connection), target))
    except (UpstreamFailure, HoopwebError, ValueError) as error:
        log.info("transfer_not_listed", error=type(error).__name__)
        rows = None
    files = _seen(rows or [], statement)
    if not files and not late:
        return False
    _record(statement, files, listed=rows is not None)
    return True


async def _list(sql: str, key: str, target: Target) -> list[dict[str, Any]]:
    warm = await upstream.pool.take(key, target)
    try:
        rows: list[dict[str, Any]] = (await warm.session.fetch(sql)).to_pylist()
    except BaseException:
        await upstream.pool.drop(warm)
        raise
    await upstream.pool.give_back(key, warm)
    return rows


def _seen(rows: Sequence[Mapping[str, Any]], statement: Statement) -> list[dict[str, Any]]:
    """Of the files in a stage, those that this transfer speaks of."""
    found = []
    upload = statement.statement_class == "put"
    asked = str(statement.facts["transfer"]["file"]).replace("\\", "/").rpartition("/")[2]
    detectors = detectors_of(statement)
    for row in rows:
        values = {str(name).lower(): value for name, value in row.items()}
        name, changed = str(values.get("name", "")), _moment(values.get("last_modified"))
        base = PurePosixPath(name).name
        if upload and not (fnmatchcase(base, asked) or fnmatchcase(base, f"{asked}.*")):
            continue
        began = statement.started_at or statement.received_at
        found.append(
            {
                "name": scan_text(name, detectors)[0],
                "size": int(values.get("size") or 0),
                "md5": str(values.get("md5") or ""),
                "changed": changed.isoformat() if changed is not None else "",
                "new": upload and (changed is None or changed >= began - _CLOCKS_DIFFER),
            }
        )
    return found


def _moment(text: Any) -> datetime | None:
    try:
        return parsedate_to_datetime(str(text))
    except (TypeError, ValueError):
        return None


@transaction.atomic
def _record(statement: Statement, files: list[dict[str, Any]], *, listed: bool) -> None:
    Statement.objects.select_for_update(of=("self",)).get(pk=statement.pk)
    if Event.objects.filter(statement_id=statement.pk, kind=EventKind.TRANSFER).exists():
        return
    recordings.append(
        session_id=statement.session_id,
        kind=EventKind.TRANSFER,
        actor=recordings.SYSTEM,
        statement_id=statement.pk,
        data={
            "listed": listed,
            "files": files[:_MOST_FILES],
            "count": len(files),
            "size": sum(each["size"] for each in files),
        },
    )

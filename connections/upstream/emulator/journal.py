"""Every statement that arrived and what became of it: the oracle of tests, and QUERY_HISTORY."""

import json
from collections import OrderedDict
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

_KEPT = 20_000

_COLUMNS = pa.schema(
    [
        ("QUERY_ID", pa.string()),
        ("QUERY_TEXT", pa.string()),
        ("DATABASE_NAME", pa.string()),
        ("SCHEMA_NAME", pa.string()),
        ("QUERY_TYPE", pa.string()),
        ("SESSION_ID", pa.int64()),
        ("USER_NAME", pa.string()),
        ("ROLE_NAME", pa.string()),
        ("WAREHOUSE_NAME", pa.string()),
        ("QUERY_TAG", pa.string()),
        ("EXECUTION_STATUS", pa.string()),
        ("ERROR_CODE", pa.string()),
        ("ERROR_MESSAGE", pa.string()),
        ("START_TIME", pa.timestamp("us", tz="UTC")),
        ("END_TIME", pa.timestamp("us", tz="UTC")),
        ("TOTAL_ELAPSED_TIME", pa.int64()),
        ("ROWS_PRODUCED", pa.int64()),
    ]
)
_STATUS = {
    "QUEUED": "RUNNING",
    "RUNNING": "RUNNING",
    "SUCCESS": "SUCCESS",
    "FAILED_WITH_ERROR": "FAILED_WITH_ERROR",
    "ABORTED": "FAILED_WITH_ERROR",
    "FAILED_WITH_INCIDENT": "FAILED_WITH_INCIDENT",
}


@dataclass(slots=True)
class Entry:
    """One statement, whatever number of HTTP requests spoke of it."""

    query_id: str
    request_id: str
    session_id: int
    user: str
    sql: str
    query_tag: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    bindings: dict[str, Any] | None = None
    database: str | None = None
    schema: str | None = None
    role: str | None = None
    warehouse: str | None = None
    describe_only: bool = False
    requests: int = 1
    executions: int = 0
    status: str = "QUEUED"
    error_code: str = ""
    error_message: str = ""
    rows: int | None = None
    received: str = ""
    started: str = ""
    ended: str = ""


def now() -> str:
    return datetime.now(UTC).isoformat()


class Journal:
    """Entries in order of arrival; in a file too, so that history outlives a restart."""

    def __init__(self, file: Path | None) -> None:
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._file = file
        if file is not None and file.exists():
            self._load(file)
            self._compact(file)

    def _load(self, file: Path) -> None:
        for line in file.read_text(encoding="utf-8").splitlines():
            try:
                entry = Entry(**json.loads(line))
            except (ValueError, TypeError):
                continue  # the line that a kill cut short
            self._entries[entry.query_id] = entry
        for entry in self._entries.values():
            if entry.status in {"QUEUED", "RUNNING"}:
                entry.status, entry.error_code = "FAILED_WITH_INCIDENT", "000603"
                entry.error_message = "The warehouse stopped while this statement ran."
                entry.ended = entry.started or entry.received

    def _compact(self, file: Path) -> None:
        while len(self._entries) > _KEPT:
            self._entries.popitem(last=False)
        new = file.with_suffix(".new")
        new.write_text("".join(_line(entry) for entry in self), encoding="utf-8")
        new.replace(file)

    def __iter__(self) -> Any:
        return iter(self._entries.values())

    def __getitem__(self, query_id: str) -> Entry:
        return self._entries[query_id]

    def get(self, query_id: str) -> Entry | None:
        return self._entries.get(query_id)

    def write(self, entry: Entry) -> None:
        """Keep ``entry`` as it is now."""
        self._entries[entry.query_id] = entry
        if len(self._entries) > _KEPT:
            self._entries.popitem(last=False)
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as sink:
                sink.write(_line(entry))

    def history(self, user: str) -> pa.Table:
        """What INFORMATION_SCHEMA.QUERY_HISTORY shows to ``user``: the newest first."""
        rows = [_row(entry) for entry in reversed(self._entries.values()) if entry.user == user]
        return pa.Table.from_pylist(rows, schema=_COLUMNS)


def _line(entry: Entry) -> str:
    return json.dumps(asdict(entry), ensure_ascii=False) + "\n"


def _row(entry: Entry) -> dict[str, Any]:
    start = _time(entry.started or entry.received)
    end = _time(entry.ended)
    elapsed = ((end or datetime.now(UTC)) - start).total_seconds() if start else 0.0
    words = entry.sql.split(None, 1)
    return {
        "QUERY_ID": entry.query_id,
        "QUERY_TEXT": entry.sql,
        "DATABASE_NAME": entry.database,
        "SCHEMA_NAME": entry.schema,
        "QUERY_TYPE": words[0].upper() if words else "",
        "SESSION_ID": entry.session_id,
        "USER_NAME": entry.user,
        "ROLE_NAME": entry.role,
        "WAREHOUSE_NAME": entry.warehouse,
        "QUERY_TAG": entry.query_tag,
        "EXECUTION_STATUS": _STATUS.get(entry.status, entry.status),
        "ERROR_CODE": entry.error_code or None,
        "ERROR_MESSAGE": entry.error_message or None,
        "START_TIME": start,
        "END_TIME": end,
        "TOTAL_ELAPSED_TIME": int(elapsed * 1000),
        "ROWS_PRODUCED": entry.rows,
    }


def milliseconds(text: str) -> int:
    """A moment of an entry as drivers want it; 0 for one that has not come."""
    moment = _time(text)
    return round(moment.timestamp() * 1000) if moment else 0


def _time(text: str) -> datetime | None:
    return datetime.fromisoformat(text) if text else None

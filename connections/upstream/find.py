"""What became of a statement whose answer was lost: Snowflake's own history knows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from connections.upstream.types import Found, FoundState

if TYPE_CHECKING:
    from connections.upstream.client import SnowflakeSession

_MOST = 10_000
_REACH = timedelta(days=6)
_SKEW = timedelta(minutes=10)
_RUNNING = {"RUNNING", "QUEUED", "BLOCKED", "RESUMING_WAREHOUSE", "QUEUED_REPAIRING_WAREHOUSE"}


async def find(
    session: SnowflakeSession,
    *,
    tag: str | None,
    request_id: str | None,
    since: datetime | None,
) -> Found:
    """Look the statement up by the tag that it was sent with."""
    if tag is not None:
        condition, sought = "QUERY_TAG = ?", tag
    elif request_id is not None:
        condition, sought = "CONTAINS(QUERY_TAG, ?)", request_id
    else:
        raise ValueError("find needs the statement's tag or its request id")
    database = session.tokens.database or session.target.database or "SNOWFLAKE"
    start = _start(since)
    # The function yields the newest rows of the time asked for, and only then is WHERE applied.
    sql = (
        "SELECT QUERY_ID, EXECUTION_STATUS, ERROR_CODE, ERROR_MESSAGE, ROWS_PRODUCED "  # noqa: S608
        f"FROM TABLE({quoted(database)}.INFORMATION_SCHEMA.QUERY_HISTORY("
        f"END_TIME_RANGE_START => TO_TIMESTAMP_LTZ('{start:%Y-%m-%d %H:%M:%S} +0000'), "
        f"RESULT_LIMIT => {_MOST})) WHERE {condition} ORDER BY START_TIME DESC"
    )
    rows = (await session.fetch(sql, [sought])).to_pylist()
    if not rows:
        return Found(FoundState.NOT_FOUND)
    row = rows[0]
    status = str(row["EXECUTION_STATUS"] or "").upper()
    if status == "SUCCESS":
        state = FoundState.SUCCEEDED
    elif status in _RUNNING:
        state = FoundState.RUNNING
    else:
        state = FoundState.FAILED
    return Found(
        state=state,
        query_id=row["QUERY_ID"],
        error_code=str(row["ERROR_CODE"]) if row["ERROR_CODE"] else None,
        error_message=row["ERROR_MESSAGE"],
        rows=row["ROWS_PRODUCED"],
        matches=len(rows),
    )


def _start(since: datetime | None) -> datetime:
    """From when to look: clocks differ, and history refuses to go back a week."""
    earliest = datetime.now(UTC) - _REACH
    return earliest if since is None else max(earliest, since.astimezone(UTC) - _SKEW)


def quoted(name: str) -> str:
    """An identifier exactly as stored."""
    return '"' + name.replace('"', '""') + '"'

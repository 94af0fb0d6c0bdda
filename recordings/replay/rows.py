"""Recorded result rows, a page at a time, with the columns that were masked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from recordings import services
from recordings.models import Payload
from recordings.payloads import ARROW, PayloadDamagedError

# Beside a step; the page of a result has more.
STEP_ROWS = 200
PAGE_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of a result, or its text when it is no table."""

    columns: list[dict[str, Any]] = field(default_factory=list)
    rows: list[list[Any]] = field(default_factory=list)
    total: int = 0
    first: int = 0
    text: str = ""
    # Why there is nothing to show, when a body is not what was recorded.
    damage: str = ""

    @property
    def is_table(self) -> bool:
        return bool(self.columns)

    @property
    def last(self) -> int:
        return self.first + len(self.rows)

    @property
    def more(self) -> bool:
        return self.last < self.total


def read_rows(
    payload: Payload,
    *,
    columns: Sequence[Mapping[str, Any]],
    first: int = 0,
    limit: int = PAGE_ROWS,
) -> Rows:
    """Rows ``first`` and on. ``columns`` are as the outcome names them: name, type, mask."""
    try:
        content = services.read_payload(payload)
    except PayloadDamagedError as error:
        return Rows(damage=str(error))
    if payload.media_type != ARROW:
        return Rows(text=content.decode("utf-8", "replace"))
    try:
        table: Any = pa.ipc.open_stream(content).read_all()
    except pa.ArrowInvalid as error:
        return Rows(damage=f"the recorded rows cannot be read: {error}")
    part = table.slice(first, limit)
    values = [part.column(i).to_pylist() for i in range(part.num_columns)]
    heads = [
        {
            "name": name,
            "type": columns[i].get("type", "") if i < len(columns) else str(table.schema[i].type),
            "mask": columns[i].get("mask", "") if i < len(columns) else "",
        }
        for i, name in enumerate(table.column_names)
    ]
    rows = [list(row) for row in zip(*values, strict=True)] if values else []
    return Rows(columns=heads, rows=rows, total=table.num_rows, first=first)

"""Plain Arrow as the SQL API writes it: rows of texts, and what each column is."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

import pyarrow as pa

_TYPE = re.compile(r"([A-Z_]+)(?:\((\d+)(?:,(\d+))?\))?")
_EPOCH = date(1970, 1, 1)


def row_type(columns: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [_column(column) for column in columns]


def _column(column: Mapping[str, Any]) -> dict[str, Any]:
    match = _TYPE.match(str(column["type"]).upper())
    name, first, second = match.groups() if match else ("TEXT", None, None)
    number = name == "NUMBER"
    return {
        "name": column["name"],
        "type": "fixed" if number else name.lower(),
        "nullable": True,
        "precision": int(first) if number and first else None,
        "scale": int(second or 0) if number else (int(first) if first else None),
        "length": None,
        "byteLength": None,
        "database": "",
        "schema": "",
        "table": "",
    }


def rows(table: pa.Table, columns: Sequence[Mapping[str, Any]]) -> list[list[str | None]]:
    """Each value as text; null stays null."""
    zoned = [str(column["type"]).upper().startswith("TIMESTAMP_TZ") for column in columns]
    texts = [
        [_text(value, zoned=zone) for value in table.column(place).to_pylist()]
        for place, zone in enumerate(zoned)
    ]
    return [list(row) for row in zip(*texts, strict=True)]


def _text(value: Any, *, zoned: bool) -> str | None:  # noqa: PLR0911 - one per type
    match value:
        case None:
            return None
        case bool():
            return "true" if value else "false"
        case datetime():
            return _moment(value, zoned=zoned)
        case date():
            return str((value - _EPOCH).days)
        case time():
            seconds = value.hour * 3600 + value.minute * 60 + value.second
            return f"{seconds}.{value.microsecond:06d}000"
        case bytes():
            return value.hex().upper()
        case float():
            return repr(value)
    return str(value)


def _moment(value: datetime, *, zoned: bool) -> str:
    known = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    whole = int(known.timestamp() // 1)
    text = f"{whole}.{known.microsecond:06d}000"
    if not zoned:
        return text
    offset = known.utcoffset()
    minutes = int(offset.total_seconds() // 60) if offset is not None else 0
    return f"{text} {minutes + 1440}"

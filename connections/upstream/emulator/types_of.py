"""Snowflake's description of an Arrow table, for types that fakesnow cannot describe."""

from typing import Any

import pyarrow as pa

_NAMES: tuple[tuple[Any, str], ...] = (
    (pa.types.is_boolean, "boolean"),
    (pa.types.is_integer, "fixed"),
    (pa.types.is_decimal, "fixed"),
    (pa.types.is_floating, "real"),
    (pa.types.is_date, "date"),
    (pa.types.is_time, "time"),
    (pa.types.is_binary, "binary"),
    (pa.types.is_nested, "variant"),
)


def rowtype_of(table: pa.Table) -> list[dict[str, Any]]:
    return [_column(field) for field in table.schema]


def _column(field: pa.Field) -> dict[str, Any]:
    kind = field.type
    if pa.types.is_timestamp(kind):
        name = "timestamp_tz" if kind.tz else "timestamp_ntz"
    else:
        name = next((name for test, name in _NAMES if test(kind)), "text")
    return {
        "name": field.name,
        "database": "",
        "schema": "",
        "table": "",
        "nullable": True,
        "type": name,
        "byteLength": 16777216 if name in {"text", "variant"} else None,
        "length": 16777216 if name in {"text", "variant"} else None,
        "precision": (kind.precision if pa.types.is_decimal(kind) else 38)
        if name == "fixed"
        else (0 if name.startswith("time") else None),
        "scale": (kind.scale if pa.types.is_decimal(kind) else 0)
        if name == "fixed"
        else (9 if name.startswith("time") else None),
        "collation": None,
    }

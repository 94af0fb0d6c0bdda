"""Results as they travel: Arrow streams as Snowflake types them, or JSON rows of strings."""

import base64
import json
from collections.abc import Callable, Iterator
from typing import Any, cast

import pyarrow as pa
import pyarrow.compute as pc
from fakesnow.arrow import to_ipc, to_sf

from connections.upstream.emulator.types_of import rowtype_of
from connections.upstream.emulator.values import Outcome

_MICROSECONDS = 1_000_000


def arrow_stream(outcome: Outcome, start: int, count: int) -> bytes:
    table = _plain(outcome).slice(start, count).combine_chunks()
    return bytes(to_ipc(_with_nulls(to_sf(table, cast("Any", outcome.rowtype)), table)))


def _with_nulls(travelling: pa.Table, plain: pa.Table) -> pa.Table:
    """A timestamp travels as a structure of whole numbers; without a value all of it is null, not
    the numbers in it, which clients read without looking.
    """
    for place, column in enumerate(plain.columns):
        field = travelling.schema.field(place)
        if column.null_count and pa.types.is_struct(field.type):
            values = travelling.column(place).combine_chunks()
            parts = [
                values.field(i).fill_null(0).cast(field.type.field(i).type)
                for i in range(field.type.num_fields)
            ]
            made = pa.StructArray.from_arrays(
                parts, fields=list(field.type), mask=pc.is_null(column.combine_chunks())
            )
            travelling = travelling.set_column(place, field, pa.chunked_array([made]))
    return travelling


def arrow_text(outcome: Outcome, start: int, count: int) -> str:
    return base64.b64encode(arrow_stream(outcome, start, count)).decode()


def json_rows(outcome: Outcome, start: int, count: int) -> list[list[str | None]]:
    table = _plain(outcome).slice(start, count)
    columns = [
        _texts(column, described["type"])
        for column, described in zip(table.columns, outcome.rowtype, strict=True)
    ]
    return [list(row) for row in zip(*columns, strict=True)]


def json_chunk(outcome: Outcome, start: int, count: int) -> bytes:
    """Rows with commas between them and no brackets around them, as remote chunks are."""
    return json.dumps(json_rows(outcome, start, count))[1:-1].encode()


def _plain(outcome: Outcome) -> pa.Table:
    """Types that Snowflake has no Arrow form for become JSON text or the nearest number."""
    table = outcome.table
    for place, field in enumerate(table.schema):
        column = table.column(place)
        if pa.types.is_floating(field.type) and outcome.rowtype[place]["type"] == "fixed":
            # DuckDB hands sums of whole numbers out as floats.
            whole = pc.round(column).cast(pa.decimal128(38, 0))
            table = table.set_column(place, field.name, whole)
            continue
        if pa.types.is_nested(field.type):
            texts = [None if v is None else json.dumps(v, default=str) for v in column.to_pylist()]
            table = table.set_column(
                place, field.name, pa.chunked_array([pa.array(texts, pa.string())])
            )
        elif pa.types.is_float32(field.type):
            table = table.set_column(place, field.name, column.cast(pa.float64()))
    return table


def _texts(column: pa.ChunkedArray, kind: str) -> Iterator[str | None]:
    render = _RENDER.get(kind, str)
    if kind.startswith("timestamp"):
        values = column.cast(pa.timestamp("us", tz=column.type.tz)).cast(pa.int64()).to_pylist()
    elif kind == "time":
        values = column.cast(pa.time64("us")).cast(pa.int64()).to_pylist()
    elif kind == "date":
        values = pc.cast(column, pa.date32()).cast(pa.int32()).to_pylist()
    else:
        values = column.to_pylist()
    return (None if value is None else render(value) for value in values)


def _seconds(microseconds: int) -> str:
    sign = "-" if microseconds < 0 else ""
    whole, rest = divmod(abs(microseconds), _MICROSECONDS)
    return f"{sign}{whole}.{rest:06d}000"


_RENDER: dict[str, Callable[[Any], str]] = {
    "boolean": lambda value: "1" if value else "0",
    "time": _seconds,
    "timestamp_ntz": _seconds,
    "timestamp_ltz": _seconds,
    "timestamp_tz": lambda value: f"{_seconds(value)} 1440",
    "binary": lambda value: value.hex().upper(),
    "real": repr,
}


def described(outcome: Outcome) -> list[dict[str, Any]]:
    return outcome.rowtype or rowtype_of(outcome.table)

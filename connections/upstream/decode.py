"""Snowflake's results as Arrow tables of plain types.

Numbers become int64 where they fit and decimals otherwise, timestamps get microseconds (digits
beyond are cut: Python has no place for them), semi-structured values stay JSON text.
"""

import json
import math
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from connections.upstream.types import ResultColumn

_WIDE = pa.decimal128(38, 0)
_INT64_DIGITS = 18
_UTC_OFFSET = 1440  # minutes; Snowflake adds a day so that offsets are never negative


def arrow_part(stream: bytes, columns: Sequence[ResultColumn]) -> pa.Table:
    """One Arrow stream as it comes, with plain types."""
    if not stream:
        return empty(columns)
    with pa.ipc.open_stream(pa.py_buffer(stream)) as reader:
        return plain_table(reader.read_all(), columns)


def plain_table(wire: pa.Table, columns: Sequence[ResultColumn]) -> pa.Table:
    """Arrow as Snowflake sends it, with plain types."""
    if wire.num_columns != len(columns):
        raise ValueError(f"{wire.num_columns} columns came where {len(columns)} were announced")
    plain = [_plain(wire.column(i).combine_chunks(), c) for i, c in enumerate(columns)]
    return pa.Table.from_arrays(plain, names=[c.name for c in columns])


def json_part(rows: Sequence[Sequence[str | None]], columns: Sequence[ResultColumn]) -> pa.Table:
    """JSON rows of strings with the types that ``columns`` tell."""
    if not rows:
        return empty(columns)
    plain = [
        _from_text([row[place] for row in rows], column) for place, column in enumerate(columns)
    ]
    return pa.Table.from_arrays(plain, names=[c.name for c in columns])


def json_chunk(body: bytes) -> list[list[str | None]]:
    """A remote chunk: rows with commas between them and nothing around them."""
    rows: list[list[str | None]] = json.loads(b"[" + body + b"]")
    return rows


def empty(columns: Sequence[ResultColumn]) -> pa.Table:
    return pa.Table.from_arrays(
        [pa.array([], _type_of(column)) for column in columns], names=[c.name for c in columns]
    )


def join(parts: Sequence[pa.Table]) -> pa.Table:
    """One table of all parts; where parts disagree on a column's type, the wider one wins."""
    columns = []
    for place in range(parts[0].num_columns):
        arrays = [part.column(place) for part in parts]
        target = _common({array.type for array in arrays})
        chunks = [chunk for array in arrays for chunk in array.cast(target).chunks]
        columns.append(_narrowed(pa.chunked_array(chunks, type=target)))
    return pa.Table.from_arrays(columns, names=parts[0].column_names)


def _common(types: set[pa.DataType]) -> pa.DataType:
    if len(types) == 1:
        return next(iter(types))
    if all(pa.types.is_timestamp(kind) for kind in types):
        return pa.timestamp("us", tz="UTC")
    if all(pa.types.is_integer(kind) or pa.types.is_decimal(kind) for kind in types):
        scale = max((kind.scale for kind in types if pa.types.is_decimal(kind)), default=0)
        return pa.decimal128(38, scale)
    raise ValueError(f"parts of one column disagree on its type: {sorted(map(str, types))}")


def _narrowed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Whole numbers that all fit are int64, whatever width the column could hold."""
    if column.type == _WIDE:
        try:
            return column.cast(pa.int64())
        except pa.ArrowInvalid:
            return column
    return column


_TYPES = {
    "REAL": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "BINARY": pa.binary(),
    "DATE": pa.date32(),
    "TIME": pa.time64("us"),
    "TIMESTAMP_NTZ": pa.timestamp("us"),
    "TIMESTAMP_LTZ": pa.timestamp("us", tz="UTC"),
    "TIMESTAMP_TZ": pa.timestamp("us", tz="UTC"),
}


def _type_of(column: ResultColumn) -> pa.DataType:
    if column.type == "FIXED":
        return pa.decimal128(column.precision or 38, column.scale) if column.scale else pa.int64()
    return _TYPES.get(column.type, pa.string())


def _plain(array: pa.Array, column: ResultColumn) -> pa.Array:  # noqa: PLR0911 - one per type
    if pa.types.is_null(array.type):
        return pa.nulls(len(array), _type_of(column))
    match column.type:
        case "FIXED":
            return _fixed(array, column)
        case "TIME":
            return _scaled(array, (column.scale or 0) - 6).cast(pa.time64("us"))
        case "TIMESTAMP_NTZ":
            return _microseconds(array, column).cast(pa.timestamp("us"))
        case "TIMESTAMP_LTZ":
            return _microseconds(array, column).cast(pa.timestamp("us", tz="UTC"))
        case "TIMESTAMP_TZ":
            offsets = _child(array, "timezone")
            return _microseconds(array, column).cast(pa.timestamp("us", tz=_zone(offsets)))
    return array


def _fixed(array: pa.Array, column: ResultColumn) -> pa.Array:
    scale = column.scale or 0
    if pa.types.is_integer(array.type):
        if not scale:
            return array.cast(pa.int64())
        return _with_scale(array.cast(pa.int64()).cast(_WIDE), scale)
    if pa.types.is_decimal(array.type) and not scale:
        return array.cast(_WIDE)
    return array


def _with_scale(array: pa.Array, scale: int) -> pa.Array:
    """The same digits, read with the point ``scale`` places from the right."""
    wide = array.cast(_WIDE)
    return pa.Array.from_buffers(
        pa.decimal128(38, scale), len(wide), wide.buffers(), wide.null_count, wide.offset
    )


def _child(array: pa.Array, name: str) -> pa.Array:
    # Not .field(): a null struct's children hold values all the same.
    return pc.struct_field(array, name)


def _microseconds(array: pa.Array, column: ResultColumn) -> pa.Array:
    """Since the epoch, from any of the forms in which timestamps travel."""
    if not pa.types.is_struct(array.type):
        return _scaled(array, (column.scale or 0) - 6)
    names = {field.name for field in array.type}
    epoch = _child(array, "epoch").cast(pa.int64())
    if "fraction" not in names:
        return _scaled(epoch, (column.scale or 0) - 6)
    fraction = pc.divide(_child(array, "fraction").cast(pa.int64()), 1000)
    return pc.add(pc.multiply(epoch, 1_000_000), fraction)


def _scaled(array: pa.Array, power: int) -> pa.Array:
    """``array`` divided by ten to the ``power``, rounded down."""
    whole = array.cast(pa.int64())
    if power <= 0:
        return pc.multiply(whole, 10**-power)
    divisor = 10**power
    quotient = pc.divide(whole, divisor)
    inexact = pc.and_(pc.less(whole, 0), pc.not_equal(pc.multiply(quotient, divisor), whole))
    return pc.subtract(quotient, inexact.cast(pa.int64()))


def _zone(offsets: pa.Array) -> str:
    """The offset that all values share, else UTC: an Arrow column has one zone."""
    seen = pc.unique(offsets.drop_null()).to_pylist()
    if len(seen) != 1 or seen[0] == _UTC_OFFSET:
        return "UTC"
    sign, minutes = "+" if seen[0] >= _UTC_OFFSET else "-", abs(seen[0] - _UTC_OFFSET)
    return f"{sign}{minutes // 60:02d}:{minutes % 60:02d}"


def _from_text(  # noqa: PLR0911 - one per type
    texts: list[str | None], column: ResultColumn
) -> pa.Array:
    match column.type:
        case "FIXED":
            wide = pa.decimal128(column.precision or 38, column.scale or 0)
            small = not column.scale and (column.precision or 38) <= _INT64_DIGITS
            return pa.array(texts, pa.string()).cast(pa.int64() if small else wide)
        case "REAL":
            return _each(texts, float, pa.float64())
        case "BOOLEAN":
            return _each(texts, lambda text: text in {"1", "true", "TRUE"}, pa.bool_())
        case "BINARY":
            return _each(texts, bytes.fromhex, pa.binary())
        case "DATE":
            return pa.array(texts, pa.string()).cast(pa.int32()).cast(pa.date32())
        case "TIME" | "TIMESTAMP_NTZ" | "TIMESTAMP_LTZ":
            return _each(texts, _text_microseconds, pa.int64()).cast(_type_of(column))
        case "TIMESTAMP_TZ":
            offsets = _each(texts, lambda text: int(text.split(" ")[1]), pa.int32())
            moments = _each(texts, lambda text: _text_microseconds(text.split(" ")[0]), pa.int64())
            return moments.cast(pa.timestamp("us", tz=_zone(offsets)))
    return pa.array(texts, pa.string())


def _each(
    texts: Sequence[str | None], convert: Callable[[str], Any], kind: pa.DataType
) -> pa.Array:
    return pa.array([None if text is None else convert(text) for text in texts], kind)


def _text_microseconds(text: str) -> int:
    """``1700000000.123456789`` as microseconds, rounded down."""
    return math.floor(Decimal(text) * 1_000_000)

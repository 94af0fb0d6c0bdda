"""One result, three forms: JSON, CSV and Arrow. Masked columns are marked in each."""

import csv
import io
import json
import math
from collections.abc import Callable, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pyarrow as pa
from rest_framework.renderers import BaseRenderer

ARROW = "application/vnd.apache.arrow.stream"
_EXACT = 2**53


class RawRenderer(BaseRenderer):
    """Content that the view has made already."""

    charset: Any = None

    def render(self, data: Any, *_: Any, **__: Any) -> Any:
        return data


class CSVRenderer(RawRenderer):
    """``text/csv``, RFC 4180."""

    media_type = "text/csv"
    format = "csv"
    charset = "utf-8"


class ArrowRenderer(RawRenderer):
    """An Arrow IPC stream."""

    media_type = ARROW
    format = "arrow"


def plain(value: Any) -> Any:
    """A value as JSON takes it without losing any of it."""
    for kinds, convert in _PLAIN:
        if isinstance(value, kinds):
            return convert(value)
    return str(value)


def _decimal(value: Decimal) -> int | str:
    """A whole number of scale 0 is an integer; whatever has a scale stays exact as text."""
    if value.as_tuple().exponent == 0 and abs(value) <= _EXACT:
        return int(value)
    return format(value, "f")


_PLAIN: tuple[tuple[Any, Callable[[Any], Any]], ...] = (
    ((str, bool, type(None)), lambda v: v),
    (int, lambda v: v if -_EXACT <= v <= _EXACT else str(v)),
    (float, lambda v: v if math.isfinite(v) else str(v)),
    (Decimal, _decimal),
    ((datetime, date, time), lambda v: v.isoformat()),
    (bytes, bytes.hex),
    (dict, lambda v: {str(k): plain(each) for k, each in v.items()}),
    ((list, tuple), lambda v: [plain(each) for each in v]),
)


def rows_of(table: pa.Table) -> list[list[Any]]:
    columns = [[plain(v) for v in column.to_pylist()] for column in table.columns]
    return [list(row) for row in zip(*columns, strict=True)]


def as_csv(table: pa.Table) -> bytes:
    """Header and rows. NULL is an empty cell; an empty string is ``""``."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(table.column_names)
    columns = [[_cell(v) for v in column.to_pylist()] for column in table.columns]
    for row in zip(*columns, strict=True):
        out.write(",".join(row))
        out.write("\r\n")
    return out.getvalue().encode("utf-8", "replace")


def _cell(value: Any) -> str:
    value = plain(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return '"' + text.replace('"', '""') + '"'


def as_arrow(table: pa.Table, columns: Sequence[dict[str, Any]]) -> bytes:
    """An IPC stream whose fields say which of them are masked."""
    fields = []
    for i, field in enumerate(table.schema):
        known = columns[i] if i < len(columns) else {}
        said = {b"hoopweb.masked": b"true" if known.get("masked") else b"false"}
        if kind := known.get("type"):
            said[b"hoopweb.type"] = str(kind).encode()
        fields.append(field.with_metadata({**(field.metadata or {}), **said}))
    marked = table.cast(pa.schema(fields, metadata=table.schema.metadata))
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, marked.schema) as writer:
        writer.write_table(marked)
    return sink.getvalue()


def masked_header(columns: Sequence[dict[str, Any]]) -> str:
    """Names of masked columns for a header, each percent-encoded."""
    return ", ".join(quote(c["name"], safe="") for c in columns if c.get("masked"))

"""Wire forms that the local warehouse never sends and a real account does."""

import datetime as dt
import io
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest

from connections.upstream import decode
from connections.upstream.types import ResultColumn


def _stream(array: pa.Array) -> bytes:
    table = pa.table({"C": array})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _struct(**children: list[int | None]) -> pa.Array:
    return pa.StructArray.from_arrays(
        [pa.array(values) for values in children.values()],
        names=list(children),
        mask=pa.array([values is None for values in next(iter(children.values()))]),
    )


def _decoded(array: pa.Array, kind: str, **facts: Any) -> pa.ChunkedArray:
    column = ResultColumn("C", kind, **facts)
    return decode.join([decode.arrow_part(_stream(array), [column])]).column(0)


@pytest.mark.parametrize("width", [pa.int8(), pa.int16(), pa.int32(), pa.int64()])
def test_scaled_numbers_of_every_width(width):
    found = _decoded(pa.array([-125, None, 7], width), "FIXED", precision=5, scale=2)
    assert found.to_pylist() == [Decimal("-1.25"), None, Decimal("0.07")]


def test_whole_numbers_are_int64_where_they_fit():
    small = pa.array([1, None], pa.decimal128(38, 0))
    large = pa.array([10**30], pa.decimal128(38, 0))
    assert _decoded(small, "FIXED", precision=38, scale=0).type == pa.int64()
    assert _decoded(large, "FIXED", precision=38, scale=0).to_pylist() == [Decimal(10**30)]


def test_parts_of_different_width_join():
    column = [ResultColumn("C", "FIXED", precision=38, scale=0)]
    parts = [
        decode.arrow_part(_stream(pa.array([1], pa.int8())), column),
        decode.arrow_part(_stream(pa.array([10**30], pa.decimal128(38, 0))), column),
        decode.json_part([["5"]], column),
    ]
    assert decode.join(parts).column(0).to_pylist() == [1, 10**30, 5]


def test_timestamps_in_every_form():
    naive = dt.datetime(2024, 2, 29, 12, 0, 0, 123456)  # noqa: DTZ001
    epoch = int(naive.replace(tzinfo=dt.UTC).timestamp())
    forms = [
        (_struct(epoch=[epoch, None], fraction=[123456789, None]), 9),
        (pa.array([epoch * 10**6 + 123456, None]), 6),
        (pa.array([epoch * 10**9 + 123456789, None]), 9),
    ]
    for array, scale in forms:
        assert _decoded(array, "TIMESTAMP_NTZ", scale=scale).to_pylist() == [naive, None]
    whole = _decoded(pa.array([-1]), "TIMESTAMP_NTZ", scale=0).to_pylist()
    assert whole == [dt.datetime(1969, 12, 31, 23, 59, 59)]  # noqa: DTZ001


def test_far_years_do_not_overflow():
    far = dt.datetime(9999, 12, 31)  # noqa: DTZ001
    epoch = int(far.replace(tzinfo=dt.UTC).timestamp())
    array = _struct(epoch=[epoch], fraction=[0])
    assert _decoded(array, "TIMESTAMP_NTZ", scale=9).to_pylist() == [far]


def test_an_offset_shared_by_all_is_kept_and_mixed_ones_are_utc():
    shared = _struct(epoch=[0, 3600], fraction=[0, 0], timezone=[1560, 1560])
    found = _decoded(shared, "TIMESTAMP_TZ", scale=9)
    assert found.type == pa.timestamp("us", tz="+02:00")
    assert found.to_pylist()[0].isoformat() == "1970-01-01T02:00:00+02:00"
    mixed = _struct(epoch=[0, 0], fraction=[0, 0], timezone=[1560, 1380])
    assert _decoded(mixed, "TIMESTAMP_TZ", scale=9).type == pa.timestamp("us", tz="UTC")
    text = decode.json_part([["0.500 1380"]], [ResultColumn("C", "TIMESTAMP_TZ", scale=3)])
    assert text.column(0).to_pylist()[0].isoformat() == "1969-12-31T23:00:00.500000-01:00"


def test_time_and_nulls():
    found = _decoded(pa.array([3_723_500, None], pa.int32()), "TIME", scale=3)
    assert found.to_pylist() == [dt.time(1, 2, 3, 500000), None]
    assert _decoded(pa.nulls(2), "FIXED", precision=10, scale=2).null_count == 2


def test_a_stream_that_is_not_what_was_announced_is_refused():
    column = ResultColumn("C", "TEXT")
    with pytest.raises(ValueError, match="announced"):
        decode.arrow_part(_stream(pa.array(["x"])), [column, column])

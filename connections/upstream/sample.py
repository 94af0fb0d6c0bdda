"""A few values of a table's columns, read to be counted and forgotten."""

from collections.abc import Sequence

from connections.sql.facts import ObjectName
from connections.upstream.client import SnowflakeSession
from connections.upstream.find import quoted

# What a detector needs of a value; the rest of a long text is not read.
CHARACTERS = 256
TAG = "hoopweb-sampling"


def statement(name: ObjectName, columns: Sequence[str], rows: int) -> str:
    """The read of at most ``rows`` rows, each value cut to ``CHARACTERS``; columns are numbered."""
    table = ".".join(quoted(part) for part in (name.database, name.schema, name.name))
    parts = ", ".join(
        f'LEFT(TO_VARCHAR({quoted(column)}), {CHARACTERS}) AS "C{number}"'
        for number, column in enumerate(columns)
    )
    return f"SELECT {parts} FROM {table} LIMIT {rows}"  # noqa: S608  every name is quoted


async def read(
    session: SnowflakeSession, sql: str, *, max_rows: int, max_bytes: int, seconds: float
) -> tuple[list[list[object]], int, int]:
    """The values of each column, and how many rows and bytes they were."""
    handle = await session.submit(
        sql, tag=TAG, timeout=seconds, repeatable=True, asynchronous=False
    )
    table = (await session.result(handle, max_rows=max_rows, max_bytes=max_bytes)).table
    return [column.to_pylist() for column in table.columns], table.num_rows, table.nbytes

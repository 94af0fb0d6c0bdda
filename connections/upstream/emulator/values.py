"""Values that the emulator's parts hand to each other."""

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

SELECT_TYPE = 0x1000
UNKNOWN_TYPE = 0x0000


class SqlError(Exception):
    """A refusal in Snowflake's own terms."""

    def __init__(self, code: str, message: str, sqlstate: str = "42000") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.sqlstate = sqlstate


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a statement produced: DuckDB's table and Snowflake's description of it."""

    table: pa.Table
    rowtype: list[dict[str, Any]]
    type_id: int
    is_dml: bool = False
    affected: int = 0
    database: str | None = None
    schema: str | None = None
    role: str | None = None
    warehouse: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)

"""Families of Snowflake types: what a mask can be computed on and what it can look like."""

import re
from enum import StrEnum
from functools import lru_cache

from sqlglot import exp
from sqlglot.errors import SqlglotError


class Family(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    TIMESTAMP = "timestamp"
    TIME = "time"
    BOOLEAN = "boolean"
    BINARY = "binary"
    VARIANT = "variant"
    ARRAY = "array"
    OBJECT = "object"
    OTHER = "other"


_WORDS = {
    "VARCHAR": Family.TEXT,
    "CHAR": Family.TEXT,
    "CHARACTER": Family.TEXT,
    "NCHAR": Family.TEXT,
    "NVARCHAR": Family.TEXT,
    "NVARCHAR2": Family.TEXT,
    "STRING": Family.TEXT,
    "TEXT": Family.TEXT,
    "NUMBER": Family.NUMBER,
    "DECIMAL": Family.NUMBER,
    "NUMERIC": Family.NUMBER,
    "INT": Family.NUMBER,
    "INTEGER": Family.NUMBER,
    "BIGINT": Family.NUMBER,
    "SMALLINT": Family.NUMBER,
    "TINYINT": Family.NUMBER,
    "BYTEINT": Family.NUMBER,
    "FIXED": Family.NUMBER,
    "FLOAT": Family.NUMBER,
    "FLOAT4": Family.NUMBER,
    "FLOAT8": Family.NUMBER,
    "DOUBLE": Family.NUMBER,
    "REAL": Family.NUMBER,
    "DATE": Family.DATE,
    "DATETIME": Family.TIMESTAMP,
    "TIMESTAMP": Family.TIMESTAMP,
    "TIMESTAMP_NTZ": Family.TIMESTAMP,
    "TIMESTAMP_LTZ": Family.TIMESTAMP,
    "TIMESTAMP_TZ": Family.TIMESTAMP,
    "TIMESTAMPNTZ": Family.TIMESTAMP,
    "TIMESTAMPLTZ": Family.TIMESTAMP,
    "TIMESTAMPTZ": Family.TIMESTAMP,
    "TIME": Family.TIME,
    "BOOLEAN": Family.BOOLEAN,
    "BINARY": Family.BINARY,
    "VARBINARY": Family.BINARY,
    "VARIANT": Family.VARIANT,
    "ARRAY": Family.ARRAY,
    "OBJECT": Family.OBJECT,
}


@lru_cache(maxsize=1024)
def family(type_: str) -> Family:
    """The family of a type in Snowflake's own spelling."""
    match = re.match(r"\s*([A-Za-z_0-9]+)", type_ or "")
    return _WORDS.get(match.group(1).upper(), Family.OTHER) if match else Family.OTHER


@lru_cache(maxsize=1024)
def width(type_: str) -> int | None:
    """How many characters a text type takes, if it says so."""
    match = re.search(r"\(\s*(\d+)", type_ or "")
    return int(match.group(1)) if match and family(type_) is Family.TEXT else None


@lru_cache(maxsize=1024)
def _parsed(type_: str) -> exp.DataType | None:
    try:
        return exp.DataType.build(type_, dialect="snowflake")
    except (SqlglotError, ValueError):
        return None


def cast(value: exp.Expr, type_: str) -> exp.Expr:
    """The value in the column's type; as it is where the type cannot be spelled."""
    parsed = _parsed(type_)
    return value if parsed is None else exp.Cast(this=value, to=parsed.copy())

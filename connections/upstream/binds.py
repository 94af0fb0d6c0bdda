"""Python values as Snowflake's bindings."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_bindings(values: Sequence[Any] | Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """``[1, "a", None]`` as ``{"1": {"type": "FIXED", "value": "1"}, …}``.

    A mapping whose entries already are bindings passes through; any other binds by name.
    """
    if isinstance(values, Mapping):
        return {
            str(name): dict(value) if _is_binding(value) else _binding(value, str(name))
            for name, value in values.items()
        }
    return {str(place): _binding(value, str(place)) for place, value in enumerate(values, start=1)}


def _is_binding(value: Any) -> bool:
    return isinstance(value, Mapping) and {"type", "value"} <= set(value)


def _binding(value: Any, name: str) -> dict[str, Any]:
    kind, text = _typed(value, name)
    return {"type": kind, "value": text}


def _typed(value: Any, name: str) -> tuple[str, str | None]:
    if value is None:
        return "ANY", None
    for kind, render in _KINDS:
        if isinstance(value, kind):
            return render(value)
    if isinstance(value, list | tuple | dict):
        hint = json.dumps(value, default=str)[:40]
        raise ValueError(  # noqa: TRY004 - refused as any other value that cannot be bound
            f"Bind {name} is a list or an object ({hint}…): bind its JSON text and use "
            "PARSE_JSON(?) in the statement."
        )
    raise ValueError(f"Bind {name} has the type {type(value).__name__}, which cannot be bound.")


def _number(value: int | Decimal) -> tuple[str, str]:
    # Whoever binds a fraction gets it compared as a number all the same, without a float's error.
    return ("FIXED" if value == value.__trunc__() else "TEXT"), str(value)


def _float(value: float) -> tuple[str, str]:
    if not math.isfinite(value):
        raise ValueError(f"{value} is no number that can be bound.")
    return "REAL", repr(value)


def _moment(value: datetime) -> tuple[str, str]:
    if value.tzinfo is None:
        return "TIMESTAMP_NTZ", str(_nanoseconds(value.replace(tzinfo=UTC)))
    offset = value.utcoffset() or timedelta()
    minutes = int(offset.total_seconds() // 60) + 1440
    return "TIMESTAMP_TZ", f"{_nanoseconds(value)} {minutes}"


def _day(value: date) -> tuple[str, str]:
    return "DATE", str((value - _EPOCH.date()).days * 86_400_000)


def _clock(value: time) -> tuple[str, str]:
    since = timedelta(
        hours=value.hour,
        minutes=value.minute,
        seconds=value.second,
        microseconds=value.microsecond,
    )
    return "TIME", str(since // _MICROSECOND * 1000)


def _nanoseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND * 1000


# In this order: a bool is an int too, and a datetime a date.
_KINDS: tuple[tuple[Any, Callable[[Any], tuple[str, str]]], ...] = (
    (bool, lambda value: ("BOOLEAN", "true" if value else "false")),
    ((int, Decimal), _number),
    (float, _float),
    (str, lambda value: ("TEXT", value)),
    (bytes, lambda value: ("BINARY", value.hex())),
    (datetime, _moment),
    (date, _day),
    (time, _clock),
)

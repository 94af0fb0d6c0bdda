"""Bound values as they arrive, turned into rows of parameters."""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from fakesnow.converter import from_binding

from connections.upstream.emulator.values import SqlError


@dataclass(frozen=True, slots=True)
class Parameters:
    """One entry per execution: several for an array binding, one otherwise."""

    rows: tuple[Any, ...] = (None,)


def to_parameters(bindings: dict[str, Any] | None) -> Parameters:
    if not bindings:
        return Parameters()
    if not all(key.isdigit() for key in bindings):
        return Parameters(({name: _value(bound) for name, bound in bindings.items()},))
    try:
        ordered = [bindings[str(place)] for place in range(1, len(bindings) + 1)]
    except KeyError as error:
        raise SqlError("002049", f"Bind variable {error.args[0]} is not set.") from error
    if any(isinstance(bound["value"], list) for bound in ordered):
        columns = [
            [_value({**bound, "value": item}) for item in bound["value"]] for bound in ordered
        ]
        return Parameters(tuple(zip(*columns, strict=True)))
    return Parameters((tuple(_value(bound) for bound in ordered),))


def _value(bound: dict[str, Any]) -> Any:
    if bound.get("value") is None:
        return None
    if bound["type"] == "REAL":
        return float(bound["value"])
    try:
        if bound["type"] == "FIXED" and "." in str(bound["value"]):
            return Decimal(str(bound["value"]))
        return from_binding(bound)
    except (ValueError, KeyError, InvalidOperation) as error:
        raise SqlError(
            "100038", f"{bound.get('value')!r} is no value of type {bound.get('type')}.", "22018"
        ) from error

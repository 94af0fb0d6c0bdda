"""Whose the bound values of a text with several statements are."""

from collections.abc import Mapping, Sequence
from typing import Any

from connections.sql import guard
from gateway.snowflake.errors import Refusal

Bindings = Mapping[str, Mapping[str, Any]]


def distribute(parts: Sequence[str], bindings: Bindings) -> tuple[dict[str, Any], ...]:
    """The bindings of each part, in the order of the parts.

    As Snowflake has it, each ``?`` takes the next value of the whole text, and counts from 1 anew
    within its statement. ``:2`` and ``:name`` mean the same value in every part. Raises Refusal
    where a value would be left over or missing: nothing has run by then.
    """
    if not bindings:
        return tuple({} for _ in parts)
    if any(isinstance(bound["value"], list) for bound in bindings.values()):
        raise Refusal(
            "000900",
            "Several rows of values cannot be bound to several statements at once. Send the "
            "statements one by one.",
            "0A000",
        )
    found = [guard.placeholders(part) for part in parts]
    if any(marks for marks, _ in found):
        return _in_order([marks for marks, _ in found], bindings)
    return tuple(_by_name(names, bindings) for _, names in found)


def _in_order(counts: Sequence[int], bindings: Bindings) -> tuple[dict[str, Any], ...]:
    wanted = sum(counts)
    if set(bindings) != {str(place) for place in range(1, wanted + 1)}:
        raise Refusal(
            "002049",
            f"The statements hold {wanted} placeholders, and {len(bindings)} values are bound. "
            "Bind one value for each.",
            "42601",
        )
    begin = 0
    cut = []
    for count in counts:
        cut.append(
            {str(place): dict(bindings[str(begin + place)]) for place in range(1, count + 1)}
        )
        begin += count
    return tuple(cut)


def _by_name(names: frozenset[str], bindings: Bindings) -> dict[str, Any]:
    asked = {name.upper() for name in names}
    places = [int(name) for name in asked if name.isdigit()]
    # By number they are handed on from the first, so that each keeps its number.
    upto = {str(place) for place in range(1, max(places, default=0) + 1)}
    return {name: dict(bound) for name, bound in bindings.items() if name.upper() in asked | upto}

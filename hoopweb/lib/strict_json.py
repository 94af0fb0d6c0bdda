"""Reading JSON from strangers: UTF-8, of a bounded size and depth, each field once. Anything else
is refused by name.
"""

import json
import re
from typing import Any

MAX_BYTES = 2 * 1024 * 1024
MAX_DEPTH = 32
# Python reads an integer of any length in quadratic time; Snowflake's numbers end at 38 digits.
_MAX_DIGITS = 400
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)


class NotReadable(Exception):
    """The text is no JSON that is taken; the words say why."""


def loads(content: bytes) -> Any:
    """The value. Raises NotReadable."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise NotReadable(f"The body is not UTF-8: byte {error.start} fits nothing.") from error
    _check_depth(content)
    try:
        return json.loads(
            text,
            parse_constant=_no_constant,
            parse_int=_int,
            parse_float=_float,
            object_pairs_hook=_object,
        )
    except json.JSONDecodeError as error:
        raise NotReadable(
            f"The body is not JSON: {error.msg.lower()} at line {error.lineno}, "
            f"column {error.colno}."
        ) from error


def _check_depth(content: bytes) -> None:
    """Before parsing, because the parser itself recurses."""
    depth = 0
    for char in _STRING.sub(b"", content):
        if char in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise NotReadable(f"The body is nested deeper than {MAX_DEPTH} levels.")
        elif char in b"]}":
            depth -= 1


def _no_constant(name: str) -> Any:
    raise NotReadable(f"{name} is not JSON. Send null, or leave the field out.")


def _int(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise NotReadable(f"A number has {len(text)} digits; at most {_MAX_DIGITS} are read.")
    return int(text)


def _float(text: str) -> float:
    value = float(text)
    if value in {float("inf"), float("-inf")}:
        raise NotReadable("A number is too large. Send it as a string.")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise NotReadable(f"The field {twice[:80]} stands there twice. Send it once.")
    return found

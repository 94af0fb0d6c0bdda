"""Several statements in one text, told apart as Snowflake does, with the values that each is given.

On its own tokenizer: the gateway's is what this one is the measure of.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from sqlglot import TokenType, tokenize
from sqlglot.errors import TokenError

from connections.upstream.emulator.types_of import rowtype_of
from connections.upstream.emulator.values import Outcome, SqlError

COUNT = "MULTI_STATEMENT_COUNT"
_PARENT_TYPE = 0xA000


@dataclass(frozen=True, slots=True)
class Part:
    """One statement of several."""

    sql: str
    bindings: dict[str, Any] | None


def wanted(parameters: Mapping[str, Any]) -> int:
    """How many statements the client says that its text holds; 0 for any number."""
    return int(parameters.get(COUNT) or 0) if COUNT in parameters else 1


def cut(sql: str, count: int, bindings: Mapping[str, Any] | None) -> list[Part]:
    """The statements of a text. Raises SqlError when they are not as many as announced."""
    texts = _texts(sql)
    if count not in {0, len(texts)}:
        raise SqlError(
            "000008",
            f"Actual statement count {len(texts)} did not match the desired statement count "
            f"{count}.",
            "0A000",
        )
    parts = []
    begin = 0
    for text, marks in texts:
        mine = bindings
        if marks:
            places = range(1, marks + 1)
            found = {str(place): (bindings or {}).get(str(begin + place)) for place in places}
            missing = next((place for place, bound in found.items() if bound is None), None)
            if missing is not None:
                raise SqlError("002049", f"Bind variable {missing} is not set.", "42601")
            mine, begin = found, begin + marks
        elif ":" not in text:
            mine = None
        parts.append(Part(text, dict(mine) if mine else None))
    return parts


def outcome(parts: Sequence[tuple[str, Outcome | None]]) -> Outcome:
    """What the client gets for the whole: the ids by which it asks for each part's result."""
    said = pa.table(
        {"multiple statement execution": ["Multiple statements executed successfully."]}
    )
    known = [part for _, part in parts if part is not None]
    return Outcome(
        table=said,
        rowtype=rowtype_of(said),
        type_id=_PARENT_TYPE,
        database=known[-1].database if known else None,
        schema=known[-1].schema if known else None,
        role=known[-1].role if known else None,
        warehouse=known[-1].warehouse if known else None,
        extra={
            "several": {
                "resultIds": ",".join(query_id for query_id, _ in parts),
                "resultTypes": ",".join(str(part.type_id) for part in known),
            }
        },
    )


def _texts(sql: str) -> list[tuple[str, int]]:
    try:
        tokens = tokenize(sql, read="snowflake")
    except TokenError:
        return [(sql, 0)]  # whoever runs it says what is wrong with it
    texts = []
    start = marks = 0
    begun = False
    for token in tokens:
        if token.token_type == TokenType.SEMICOLON:
            if begun:
                texts.append((sql[start : token.start], marks))
            start, marks, begun = token.end + 1, 0, False
            continue
        begun = True
        marks += token.token_type == TokenType.PLACEHOLDER
    if begun:
        texts.append((sql[start:], marks))
    return texts

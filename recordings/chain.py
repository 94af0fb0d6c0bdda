"""What is hashed, and how. Pure: anyone can recompute it from docs/recordings.md alone.

A hash is the hex SHA-256 of canonical JSON: keys sorted, no blanks, UTF-8, whole numbers only.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

VERSION = 1


def plain(value: Any) -> Any:  # noqa: C901, PLR0911, PLR0912  one line a type
    """``value`` as JSON that Postgres gives back exactly as it was, so that it hashes alike.

    Fractions become their decimal text: there is one way to write a text and many to write a
    float. NUL and lone surrogates, which Postgres cannot keep, become visible replacements.
    Raises TypeError for anything that has no plain form.
    """
    kind = type(value)
    # What most of it is, before the questions that take longer.
    if kind is str and value.isascii() and "\x00" not in value:
        return value
    if kind is dict:
        return {plain(str(key)): plain(item) for key, item in value.items()}
    if kind is list:
        return [plain(item) for item in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        # str() first: an enum member is kept as its value.
        text = str(value).replace("\x00", "\N{SYMBOL FOR NULL}")
        return text.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return int(value) if value.is_integer() else repr(value)
    if isinstance(value, Decimal | UUID):
        return str(value)
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, AbstractSet):
        return sorted((plain(item) for item in value), key=canonical)
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [plain(item) for item in value]
    raise TypeError(f"a {type(value).__name__} cannot be recorded; store it as a payload")


def canonical(value: Any) -> bytes:
    """The one byte string that stands for a plain value."""
    return json.dumps(
        value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False
    ).encode()


def digest(value: Any) -> str:
    """Hex SHA-256 of the canonical form."""
    return hashlib.sha256(canonical(value)).hexdigest()


def instant(moment: datetime) -> str:
    """A moment in UTC, always with microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def event_body(
    *,
    session_id: UUID,
    number: int,
    kind: str,
    at: datetime,
    actor: Mapping[str, Any],
    statement_id: UUID | None,
    data: Mapping[str, Any],
    payloads: Sequence[Mapping[str, Any]],
    previous: str,
) -> dict[str, Any]:
    """Everything that an event's hash covers. ``actor``, ``data``, ``payloads`` are plain."""
    return {
        "session": str(session_id),
        "number": number,
        "kind": str(kind),
        "at": instant(at),
        "actor": actor,
        "statement": str(statement_id) if statement_id else None,
        "data": data,
        "payloads": payloads,
        "previous": previous,
    }


def seal_of(*, session_id: UUID, count: int, head: str) -> str:
    """The seal of an ended session: over its id, how many events, and the last one's hash."""
    return digest({"session": str(session_id), "count": count, "head": head})


def audit_body(
    *,
    number: int,
    at: datetime,
    actor: Mapping[str, Any],
    action: str,
    object_kind: str,
    object_id: str,
    object_name: str,
    before: Any,
    after: Any,
    address: str | None,
    previous: str,
) -> dict[str, Any]:
    """Everything that the hash of an audit entry covers."""
    return {
        "number": number,
        "at": instant(at),
        "actor": actor,
        "action": action,
        "object": {"kind": object_kind, "id": object_id, "name": object_name},
        "before": before,
        "after": after,
        "address": address,
        "previous": previous,
    }

"""What a door hands to the pipeline."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings

from hoopweb.lib.errors import InvalidRequest

PROMPT_LENGTH = 20_000
REQUEST_ID_LENGTH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementRequest:
    """One ask. ``binds`` is a list of JSON values for ``?`` in order, or a driver's own bindings by
    place or name; ``request_id`` is the caller's own id, kept over retries; without ``session_id``
    the principal's open session on the connection is continued, or a new one opened.

    ``context`` is what a driver's session ``wire_session_id`` has set (gateway.contexts);
    ``describe_only`` asks for the columns and runs nothing; ``detached`` says that the caller asks
    for the answer later; ``prompt_known`` that the prompt was recorded with an earlier statement.
    """

    connection_id: UUID
    sql: str
    request_id: str
    door: str
    binds: tuple[Any, ...] | Mapping[str, Mapping[str, Any]] = ()
    prompt: str = ""
    prompt_known: bool = False
    reason: str = ""
    session_id: UUID | None = None
    client: str = ""
    address: str | None = None
    deadline: datetime | None = None
    wire_session_id: UUID | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    describe_only: bool = False
    detached: bool = False
    trace: str = ""

    @property
    def bound(self) -> dict[str, Any] | list[Any]:
        """The binds as JSON has them."""
        binds = self.binds
        return dict(binds) if isinstance(binds, Mapping) else list(binds)

    def digest(self) -> str:
        """Hex SHA-256 of what a retry must repeat to be the same request."""
        asked: dict[str, Any] = {
            "connection": str(self.connection_id),
            "sql": self.sql,
            "binds": self.bound,
            # A driver's session may go on in a new recording.
            "session": str(self.wire_session_id or self.session_id or ""),
        }
        if self.describe_only:
            asked["describe_only"] = True
        return sha256_of(asked)


def sha256_of(value: Any) -> str:
    """Hex SHA-256 over the canonical JSON of ``value``."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def check_text(name: str, text: str, *, most: int) -> None:
    """Refuse what cannot be recorded faithfully. Raises InvalidRequest."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError as error:
        raise InvalidRequest(
            f"{name} holds half of a surrogate pair at character {error.start}.", field=name
        ) from error
    if size > most:
        raise InvalidRequest(f"{name} is {size} bytes; at most {most} are taken.", field=name)
    if (position := text.find("\0")) >= 0:
        raise InvalidRequest(f"{name} holds a NUL at character {position}.", field=name)


def check(request: StatementRequest) -> None:
    """Refuse a request whose shape is wrong. Raises InvalidRequest."""
    if not request.sql.strip():
        raise InvalidRequest("sql is empty: send one statement.", field="sql")
    check_text("sql", request.sql, most=settings.STATEMENT_MAX_BYTES)
    check_text("prompt", request.prompt, most=PROMPT_LENGTH)
    check_text("reason", request.reason, most=PROMPT_LENGTH)
    check_text("request id", request.request_id, most=REQUEST_ID_LENGTH)
    if request.binds:
        most = settings.BINDS_MAX_BYTES if request.wire_session_id else settings.STATEMENT_MAX_BYTES
        check_text("binds", json.dumps(request.bound, ensure_ascii=False), most=most)
    if not request.request_id:
        raise InvalidRequest("request id is empty.", field="request_id")

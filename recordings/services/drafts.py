"""Events that are composed first and written later, by one statement of somebody's own.

Where every round trip to the database counts, a caller composes the next events on the chain's
head as this process knows it, and writes them together with rows of its own: ``STANDING`` finds
and locks the sessions whose heads are still those, ``WRITING`` appends to them where ``good.holds``
says that all were found. Where not, nothing was written, and ``append_many`` is the way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from recordings import chain
from recordings.models import Event, Session
from recordings.services import heads
from recordings.services.sessions import Entry, followed, named, next_body, tell

# Takes ``sessions`` and ``heads``, arrays of the same length.
STANDING = """
    SELECT session.id FROM recordings_session AS session
    JOIN unnest(%(sessions)s::uuid[], %(heads)s::text[]) AS known (id, head)
        ON session.id = known.id AND session.head = known.head
    WHERE session.ended_at IS NULL
    ORDER BY session.id FOR NO KEY UPDATE OF session"""
_COLUMNS = ", ".join(
    str(field.column)
    for field in Event._meta.concrete_fields  # noqa: SLF001 - Django's documented interface
    if not field.primary_key
)
# Takes ``events`` and ``moved``, JSON lists of rows.
_SHARED = ("number", "kind", "at", "actor", "data", "payloads", "previous")
WRITING = f"""
    told AS (
        INSERT INTO recordings_event ({_COLUMNS})
        SELECT {_COLUMNS} FROM json_populate_recordset(NULL::recordings_event, %(events)s)
        WHERE (SELECT holds FROM good)
    ),
    moved AS (
        UPDATE recordings_session AS session
        SET event_count = new.event_count, head = new.head,
            last_event_at = new.last_event_at, title = new.title
        FROM json_populate_recordset(NULL::recordings_session, %(moved)s) AS new
        WHERE session.id = new.id AND (SELECT holds FROM good)
    )"""  # noqa: S608 - from the model's own columns


@dataclass(frozen=True, slots=True)
class Draft:
    """Events to be, and the sessions as they are then; ``before`` are the heads until then."""

    sessions: Mapping[UUID, Session]
    before: Mapping[UUID, str]
    events: Sequence[Mapping[str, Any]]

    @property
    def moved(self) -> list[dict[str, Any]]:
        return [
            {
                "id": str(session.pk),
                "event_count": session.event_count,
                "head": session.head,
                "last_event_at": chain.instant(session.last_event_at),
                "title": session.title,
            }
            for session in self.sessions.values()
        ]

    def keep(self) -> None:
        """They have been written: the next draft goes on from here, and listeners are told."""
        heads.keep(self.sessions.values())
        for session in self.sessions.values():
            tell(session)


def draft(entries: Mapping[UUID, Sequence[Entry]]) -> Draft | None:
    """Compose the next events of several open sessions; None where one of them takes none."""
    sessions = heads.take(entries)
    if len(sessions) < len(entries) or not all(s.is_open for s in sessions.values()):
        return None
    before = {each: session.head for each, session in sessions.items()}
    rows = []
    for session_id, given in entries.items():
        session = sessions[session_id]
        for entry in given:
            payloads = named(session_id, entry.payloads)
            body = next_body(
                session, entry.kind, entry.actor, entry.data, entry.statement_id, payloads
            )
            followed(session, body["kind"], body["data"])
            rows.append(_row(body, session.head))
    return Draft(sessions, before, rows)


def _row(body: Mapping[str, Any], digest: str) -> dict[str, Any]:
    named = {"session_id": body["session"], "statement_id": body["statement"], "hash": digest}
    return {**{name: body[name] for name in _SHARED}, **named}

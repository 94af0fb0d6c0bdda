"""Reading a chain against itself and against what others remember of it. Pure."""

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from recordings import chain
from recordings.findings import Fault, Finding
from recordings.kinds import EventKind
from recordings.titles import title_from


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event as a store gives it back."""

    number: int
    kind: str
    at: datetime
    actor: Mapping[str, Any]
    statement_id: uuid.UUID | None
    data: Mapping[str, Any]
    payloads: Sequence[Mapping[str, Any]]
    previous: str
    hash: str

    def hash_at(self, session_id: uuid.UUID, number: int, previous: str) -> str:
        """What its hash would be in another place."""
        return chain.digest(
            chain.event_body(
                session_id=session_id,
                number=number,
                kind=self.kind,
                at=self.at,
                actor=self.actor,
                statement_id=self.statement_id,
                data=self.data,
                payloads=self.payloads,
                previous=previous,
            )
        )

    def true_hash(self, session_id: uuid.UUID) -> str:
        return self.hash_at(session_id, self.number, self.previous)


def inspect(
    session_id: uuid.UUID, events: Sequence[Recorded], *, count: int, head: str
) -> list[Finding]:
    """Everything wrong with a chain whose session says it has ``count`` events up to ``head``."""
    events = sorted(events, key=lambda event: event.number)
    found: list[Finding] = []

    def say(fault: Fault, text: str, event: int | None = None) -> None:
        found.append(Finding(fault, text, session_id, event))

    numbers = [event.number for event in events]
    missing = _gaps(numbers, count)
    for first, last in missing:
        if last == count and (not numbers or first > numbers[-1]):
            what = f"event {first} is" if first == last else f"events {first} to {last} are"
            say(Fault.CUT, f"the end is cut off: {what} gone; it had {count}", first)
        else:
            what = f"event {first} is" if first == last else f"events {first} to {last} are"
            say(Fault.MISSING, f"{what} missing", first)
    for number in sorted({n for n in numbers if numbers.count(n) > 1}):
        say(Fault.ADDED, f"event {number} is there more than once", number)
    for number in (n for n in numbers if n > count or n < 1):
        say(Fault.ADDED, f"event {number} is not among the {count} that the session counts", number)

    wrong = [event for event in events if event.true_hash(session_id) != event.hash]
    lost = {n for first, last in missing for n in range(first, min(last, first + 50) + 1)}
    for event in wrong:
        home = _home_of(session_id, event, wrong, lost)
        if home is None:
            say(
                Fault.CHANGED,
                f"event {event.number} ({event.kind}) is not what its hash says",
                event.number,
            )
        else:
            say(
                Fault.MOVED,
                f"event {event.number} ({event.kind}) was recorded as event {home}",
                event.number,
            )
    _links(events, say)
    if events and not missing and numbers[-1] == count and events[-1].hash != head:
        say(
            Fault.REPLACED,
            f"the session ends with another event {count} than the one it remembers",
            count,
        )
    return found


def _gaps(numbers: Sequence[int], count: int) -> list[tuple[int, int]]:
    there = set(numbers)
    gaps: list[tuple[int, int]] = []
    for number in range(1, max([count, *numbers], default=0) + 1):
        if number in there:
            continue
        if gaps and gaps[-1][1] == number - 1:
            gaps[-1] = (gaps[-1][0], number)
        else:
            gaps.append((number, number))
    return gaps


def _home_of(
    session_id: uuid.UUID, event: Recorded, wrong: Iterable[Recorded], lost: Iterable[int]
) -> int | None:
    """Where an event that is out of place belongs, if that can be told."""
    for other in wrong:
        if other is event:
            continue
        # The rows were renumbered, or their content was exchanged under their hashes.
        if event.hash_at(session_id, other.number, event.previous) == event.hash:
            return other.number
        if event.hash_at(session_id, other.number, other.previous) == other.hash:
            return other.number
    for number in lost:
        if event.hash_at(session_id, number, event.previous) == event.hash:
            return number
    return None


def _links(events: Sequence[Recorded], say: Any) -> None:
    before: Recorded | None = None
    for event in events:
        expected = "" if event.number == 1 else before.hash if before else None
        adjacent = event.number == (before.number + 1 if before else 1)
        if adjacent and expected is not None and event.previous != expected:
            say(
                Fault.REPLACED,
                f"event {event.number} ({event.kind}) does not follow from event "
                f"{event.number - 1}: one of the two was replaced, or others stood between them",
                event.number,
            )
        before = event


def facts(
    session_id: uuid.UUID, events: Sequence[Recorded], *, row: Mapping[str, Any], ended: bool
) -> list[Finding]:
    """Hold the session's row against its first and last event.

    ``row`` is as ``opening_facts`` gives it, with the title that the row has now.
    """
    found: list[Finding] = []
    first = next((event for event in events if event.number == 1), None)
    if first is None:
        return found
    if first.kind != EventKind.SESSION_OPENED:
        found.append(
            Finding(Fault.FACTS, "the first event does not open the session", session_id, 1)
        )
        return found
    for key, value in first.data.items():
        if key == "title" or key not in row:
            continue
        if row[key] != value:
            found.append(
                Finding(
                    Fault.FACTS,
                    f"the row says {key.replace('_', ' ')} {_say(row[key])}, "
                    f"the first event says {_say(value)}",
                    session_id,
                )
            )
    title = first.data.get("title") or next(
        (
            title_from(str(event.data.get("text", "")))
            for event in events
            if event.kind == EventKind.PROMPT
        ),
        "",
    )
    if row.get("title") != title:
        found.append(
            Finding(
                Fault.FACTS,
                f"the row is titled {_say(row.get('title'))}, its events say {_say(title)}",
                session_id,
            )
        )
    last = max(events, key=lambda event: event.number)
    if ended != (last.kind == EventKind.SESSION_CLOSED):
        text = (
            "the row says that the session ended, its events do not"
            if ended
            else "the session was closed by its last event, and its row was opened again"
        )
        found.append(Finding(Fault.FACTS, text, session_id))
    return found


def _say(value: Any) -> str:
    if isinstance(value, Mapping):
        return str(value.get("name") or value.get("id") or value)
    return repr(value)

"""Sessions and their events."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from hoopweb.lib.errors import Conflict, InvalidRequest, NotFound
from recordings import chain
from recordings.kinds import EventKind
from recordings.models import Event, Payload, Session
from recordings.payloads import ARROW
from recordings.services import heads
from recordings.services.trail import plain_address
from recordings.signals import event_appended
from recordings.titles import title_from

SYSTEM: dict[str, str] = {"kind": "system", "id": "", "name": "Hoopweb"}


@transaction.atomic
def open_session(
    *,
    actor: Mapping[str, Any],
    owner_id: uuid.UUID | None,
    connection_id: uuid.UUID,
    connection_name: str,
    door: str,
    client: str = "",
    address: str | None = None,
    title: str = "",
) -> Session:
    """Begin a recording. Its first event keeps the same facts as the row, under the chain."""
    session = Session(
        title=title_from(title),
        principal_kind=actor["kind"],
        principal_id=uuid.UUID(str(actor["id"])),
        principal_name=actor["name"],
        on_behalf_of=actor.get("on_behalf_of") or "",
        owner_id=owner_id,
        connection_id=connection_id,
        connection_name=connection_name,
        door=door,
        client=chain.plain(client)[:200],
        address=plain_address(address),
    )
    session.last_event_at = session.started_at
    session.save(force_insert=True)
    append(
        session_id=session.pk,
        kind=EventKind.SESSION_OPENED,
        actor=actor,
        data=opening_facts(session),
    )
    session.refresh_from_db()
    return session


def opening_facts(session: Session) -> dict[str, Any]:
    """What the first event says of its session; ``verify`` holds the row against it."""
    return {
        "chain": chain.VERSION,
        "title": session.title,
        "principal": {
            "kind": session.principal_kind,
            "id": str(session.principal_id),
            "name": session.principal_name,
        },
        "on_behalf_of": session.on_behalf_of,
        "owner": str(session.owner_id) if session.owner_id else None,
        "connection": {"id": str(session.connection_id), "name": session.connection_name},
        "door": session.door,
        "client": session.client,
        "address": session.address,
        "started_at": chain.instant(session.started_at),
    }


@transaction.atomic
def append(
    *,
    session_id: uuid.UUID,
    kind: EventKind,
    actor: Mapping[str, Any],
    data: Mapping[str, Any],
    statement_id: uuid.UUID | None = None,
    payloads: Sequence[Payload] | Mapping[str, Payload] = (),
) -> Event:
    """Add one event to a session's chain.

    Give ``payloads`` as a mapping to name them; in a sequence, rows are named "result" and
    anything else "body". Raises NotFound for an unknown session, Conflict for an ended one:
    open a new session then.
    """
    session = _locked(session_id)
    if not session.is_open:
        raise _ended(session_id)
    return _append(session, kind, actor, data, statement_id, named(session_id, payloads))


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An event to be: what ``append`` takes, as a value."""

    kind: EventKind
    actor: Mapping[str, Any]
    data: Mapping[str, Any]
    statement_id: uuid.UUID | None = None
    payloads: Mapping[str, Payload] = field(default_factory=dict)


def append_all(*, session_id: uuid.UUID, entries: Sequence[Entry]) -> list[Event]:
    """Add several events to a session's chain under one lock, as ``append`` adds one."""
    return append_many({session_id: entries})


@transaction.atomic(savepoint=False)
def append_many(entries: Mapping[uuid.UUID, Sequence[Entry]]) -> list[Event]:
    """The same for several sessions at once, in a fixed order of locks.

    Raises NotFound for an unknown session, Conflict for an ended one: then none gets any.
    """
    heads.forget(entries)
    sessions = {
        session.pk: session
        for session in Session.objects.select_for_update().filter(pk__in=entries).order_by("pk")
    }
    events: list[Event] = []
    changed: dict[uuid.UUID, set[str]] = {}
    for session_id, given in entries.items():
        session = sessions.get(session_id)
        if session is None:
            raise NotFound("There is no such session.", session=str(session_id))
        if not session.is_open:
            raise _ended(session_id)
        fields = changed.setdefault(session_id, set())
        for e in given:
            payloads = named(session_id, e.payloads)
            event = chained(session, e.kind, e.actor, e.data, e.statement_id, payloads)
            fields |= followed(session, event.kind, event.data)
            events.append(event)
    Event.objects.bulk_create(events)
    _save_heads([sessions[each] for each in entries])
    for session_id, fields in changed.items():
        if further := fields - _HEAD:
            sessions[session_id].save(update_fields=sorted(further))
        tell(sessions[session_id])
    return events


def _ended(session_id: uuid.UUID) -> Conflict:
    return Conflict(
        "This session has ended and is sealed. Start a new one.", session=str(session_id)
    )


# What every event changes of its session, saved for many sessions by one statement.
_HEAD = {"event_count", "head", "last_event_at"}
_SAVE_HEADS = """
    UPDATE recordings_session AS session
    SET event_count = new.event_count, head = new.head, last_event_at = new.last_event_at
    FROM unnest(%s::uuid[], %s::int[], %s::text[], %s::timestamptz[])
        AS new (id, event_count, head, last_event_at)
    WHERE session.id = new.id"""


def _save_heads(sessions: Sequence[Session]) -> None:
    columns = zip(
        *((each.pk, each.event_count, each.head, each.last_event_at) for each in sessions),
        strict=True,
    )
    with connection.cursor() as cursor:
        cursor.execute(_SAVE_HEADS, [list(column) for column in columns])


def _locked(session_id: uuid.UUID) -> Session:
    heads.forget([session_id])
    try:
        return Session.objects.select_for_update().get(pk=session_id)
    except Session.DoesNotExist:
        raise NotFound("There is no such session.", session=str(session_id)) from None


def named(
    session_id: uuid.UUID, given: Sequence[Payload] | Mapping[str, Payload]
) -> list[dict[str, Any]]:
    if not isinstance(given, Mapping):
        given = {"result" if p.media_type == ARROW else "body": p for p in given}
    for payload in given.values():
        if payload.session_id != session_id:
            raise InvalidRequest("A payload belongs to the session that it was stored for.")
    return [
        {
            "name": name,
            "id": str(payload.pk),
            "digest": payload.digest,
            "size": payload.size,
            "media_type": payload.media_type,
        }
        for name, payload in given.items()
    ]


def _append(  # noqa: PLR0917
    session: Session,
    kind: EventKind,
    actor: Mapping[str, Any],
    data: Mapping[str, Any],
    statement_id: uuid.UUID | None,
    payloads: list[dict[str, Any]],
) -> Event:
    event = chained(session, kind, actor, data, statement_id, payloads)
    event.save(force_insert=True)
    session.save(update_fields=sorted(followed(session, event.kind, event.data)))
    tell(session)
    return event


def chained(  # noqa: PLR0917
    session: Session,
    kind: EventKind,
    actor: Mapping[str, Any],
    data: Mapping[str, Any],
    statement_id: uuid.UUID | None,
    payloads: list[dict[str, Any]],
) -> Event:
    """The next event of a locked session's chain; the session's head moves on to it."""
    body = next_body(session, kind, actor, data, statement_id, payloads)
    return Event(
        session=session,
        number=session.event_count,
        kind=body["kind"],
        at=session.last_event_at,
        actor=body["actor"],
        statement_id=statement_id,
        data=body["data"],
        payloads=payloads,
        previous=body["previous"],
        hash=session.head,
    )


def next_body(  # noqa: PLR0917
    session: Session,
    kind: EventKind,
    actor: Mapping[str, Any],
    data: Mapping[str, Any],
    statement_id: uuid.UUID | None,
    payloads: list[dict[str, Any]],
) -> dict[str, Any]:
    """What the hash of a session's next event covers; the session's head moves on to that hash."""
    # Workers' clocks differ a little; the order of the chain is the truth, so time never runs
    # backwards in it.
    at = max(timezone.now(), session.last_event_at)
    body = chain.event_body(
        session_id=session.pk,
        number=session.event_count + 1,
        kind=kind.value,
        at=at,
        actor=chain.plain(actor),
        statement_id=statement_id,
        data=chain.plain(data),
        payloads=payloads,
        previous=session.head,
    )
    session.event_count += 1
    session.head = chain.digest(body)
    session.last_event_at = at
    return body


def followed(session: Session, kind: str, data: Mapping[str, Any]) -> set[str]:
    """What its last event changes of a session's row; the names of the fields to save."""
    fields = {"event_count", "head", "last_event_at"}
    if kind == EventKind.PROMPT and not session.title:
        session.title = title_from(str(data.get("text", "")))
        fields.add("title")
    if kind == EventKind.SESSION_CLOSED:
        session.ended_at = session.last_event_at
        session.seal = chain.seal_of(
            session_id=session.pk, count=session.event_count, head=session.head
        )
        fields |= {"ended_at", "seal"}
    return fields


def tell(session: Session) -> None:
    transaction.on_commit(partial(event_appended.send_robust, sender=Session, session=session))


def body_of(event: Event) -> dict[str, Any]:
    """What an event's hash covers."""
    return chain.event_body(
        session_id=event.session_id,
        number=event.number,
        kind=event.kind,
        at=event.at,
        actor=event.actor,
        statement_id=event.statement_id,
        data=event.data,
        payloads=event.payloads,
        previous=event.previous,
    )


def add_message(*, session_id: uuid.UUID, actor: Mapping[str, Any], role: str, text: str) -> Event:
    """Record a turn of the agent's conversation; ``role`` is user, assistant, system or tool."""
    if role not in {"user", "assistant", "system", "tool"}:
        raise InvalidRequest("The role is one of user, assistant, system and tool.", role=role)
    if not text.strip():
        raise InvalidRequest("An empty message says nothing. Send its text.")
    return append(
        session_id=session_id,
        kind=EventKind.MESSAGE,
        actor=actor,
        data={"role": role, "text": text},
    )


@transaction.atomic
def close_session(
    *,
    session_id: uuid.UUID,
    actor: Mapping[str, Any],
    reason: str = "closed",
    idle_since: datetime | None = None,
) -> Session:
    """End a session and seal it. Closing it again changes nothing.

    Raises Conflict while a statement of it is unfinished, or when something happened in it after
    ``idle_since``.
    """
    session = _locked(session_id)
    if not session.is_open:
        return session
    if idle_since is not None and session.last_event_at >= idle_since:
        raise Conflict("This session is in use again.", session=str(session_id))
    if unfinished := open_statements(session_id=session_id):
        raise Conflict(
            "A statement of this session is still under way. Wait for it or cancel it, then "
            "close the session.",
            statements=sorted(str(each) for each in unfinished),
        )
    _append(session, EventKind.SESSION_CLOSED, actor, {"reason": reason}, None, [])
    return session


# The seal is set with the last event, so that there is no ended session without one.
seal = close_session


def open_statements(*, session_id: uuid.UUID) -> set[uuid.UUID]:
    """Statements of a session that may still have events to come, told from the events alone."""
    events = Event.objects.filter(session_id=session_id, statement_id__isnull=False)
    asked = events.filter(kind=EventKind.STATEMENT).values_list("statement_id", flat=True)
    done = events.final().values_list("statement_id", flat=True)
    return {each for each in asked.difference(done) if each is not None}

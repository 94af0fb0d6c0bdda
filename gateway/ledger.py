"""The beginning and the end of statements, each written by one statement of the database.

An allowed statement that nobody has to look at takes this way: its row, its moves, its events and
the place of its recording's head go out together, prepared once, in one round trip and one commit.
What was known when it was composed (who may send, by which rules, where the chain stood) is looked
at again in the same statement. Where any of it has changed nothing is written, and the caller goes
the long way of ``moves`` and ``recordings.append_many``, which asks for everything anew.
"""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection
from django.db.models import Field, Model

from gateway import admission
from gateway.admission import Versions
from gateway.models import Statement, Transition
from gateway.moves import END, Step, follow
from hoopweb.lib.fields import EncryptedTextField
from recordings import services as recordings
from recordings.kinds import EventKind
from recordings.models import Payload
from recordings.services import drafts

_MOVED = """
    INSERT INTO gateway_transition (statement_id, source, target, at)
    SELECT statement_id, source, target, at
    FROM json_populate_recordset(NULL::gateway_transition, %(transitions)s)
    WHERE (SELECT holds FROM good)"""
_KEPT = """
    INSERT INTO recordings_payload
        (id, session_id, digest, media_type, size, body, stored, created_at)
    SELECT new.id, new.session_id, new.digest, new.media_type, new.size, given.body,
        new.stored, new.created_at
    FROM json_populate_recordset(NULL::recordings_payload, %(payloads)s) AS new
    JOIN unnest(%(kept)s::uuid[], %(bodies)b::bytea[]) AS given (id, body) USING (id)
    WHERE (SELECT holds FROM good)"""
_BEGIN = f"""
WITH
    standing AS ({drafts.STANDING}),
    admitted AS ({admission.STANDING}),
    good AS (
        SELECT (SELECT count(*) FROM admitted) = cardinality(%(admitted)s::uuid[])
            AND (SELECT count(*) FROM standing) = cardinality(%(sessions)s::uuid[]) AS holds
    ),
    begun AS (
        INSERT INTO gateway_statement ({{columns}})
        SELECT {{columns}} FROM json_populate_recordset(NULL::gateway_statement, %(statements)s)
        WHERE (SELECT holds FROM good)
    ),
    transitions AS ({_MOVED}),
    {drafts.WRITING}
SELECT holds FROM good"""  # noqa: S608 - from the parts above
_FINISH = f"""
WITH
    running AS (
        SELECT statement.id FROM gateway_statement AS statement
        WHERE statement.id = ANY(%(running)s::uuid[]) AND statement.state = 'running'
        ORDER BY statement.id FOR NO KEY UPDATE OF statement
    ),
    standing AS ({drafts.STANDING}),
    good AS (
        SELECT (SELECT count(*) FROM running) = cardinality(%(running)s::uuid[])
            AND (SELECT count(*) FROM standing) = cardinality(%(sessions)s::uuid[]) AS holds
    ),
    kept AS ({_KEPT}),
    ended AS (
        UPDATE gateway_statement AS statement
        SET {", ".join(f"{name} = new.{name}" for name in END)}
        FROM json_populate_recordset(NULL::gateway_statement, %(ends)s) AS new
        WHERE statement.id = new.id AND (SELECT holds FROM good)
    ),
    transitions AS ({_MOVED}),
    {drafts.WRITING}
SELECT holds FROM good"""  # noqa: S608 - from the parts above

_ADD = f"""
WITH
    standing AS ({drafts.STANDING}),
    admitted AS ({admission.STANDING}),
    repeated AS (
        SELECT event.id FROM recordings_event AS event
        JOIN unnest(%(statements)s::uuid[], %(places)s::int[]) AS part (statement_id, place)
            ON event.statement_id = part.statement_id
            AND event.kind = '{EventKind.RESULT_PART}'
            AND (event.data ->> 'part')::int = part.place
    ),
    good AS (
        SELECT (SELECT count(*) FROM admitted) = cardinality(%(admitted)s::uuid[])
            AND (SELECT count(*) FROM standing) = cardinality(%(sessions)s::uuid[])
            AND NOT EXISTS (SELECT FROM repeated) AS holds
    ),
    kept AS ({_KEPT}),
    {drafts.WRITING}
SELECT holds FROM good"""  # noqa: S608 - from the parts above

Said = Mapping[UUID, Sequence[recordings.Entry]]


def begin_all(steps: Sequence[Step], said: Said, admitted: Sequence[Versions]) -> bool:
    """Write new statements up to the end of their paths, with their events, if all of ``admitted``
    still stand. False where nothing was written.

    Raises IllegalTransition, or IntegrityError for a request id that was used before.
    """
    draft = recordings.draft(said)
    if draft is None:
        return False
    moved = [transition for step in steps for transition in follow(step)]
    return _write(
        _begin(),
        draft,
        transitions=_json(list(map(_transition, moved))),
        statements=_json([_row(step.statement) for step in steps]),
        **admission.parameters(admitted),
    )


def finish_all(steps: Sequence[Step], said: Said, payloads: Sequence[Payload]) -> bool:
    """Write the ends of running statements, with their events and what those name. False where
    nothing was written. Raises IllegalTransition.
    """
    draft = recordings.draft(said)
    if draft is None:
        return False
    moved = [transition for step in steps for transition in follow(step)]
    return _write(
        _FINISH,
        draft,
        running=[step.statement.pk for step in steps],
        transitions=_json(list(map(_transition, moved))),
        ends=_json([_end(step.statement) for step in steps]),
        **_kept(payloads),
    )


def add_parts(said: Said, payloads: Sequence[Payload], admitted: Sequence[Versions]) -> bool:
    """Write down parts of results, each the first time that it is handed out, if all of
    ``admitted`` still stand. False where nothing was written: then one of them may have been
    written before.
    """
    draft = recordings.draft(said)
    if draft is None:
        return False
    entries = [entry for given in said.values() for entry in given]
    return _write(
        _ADD,
        draft,
        statements=[entry.statement_id for entry in entries],
        places=[entry.data["part"] for entry in entries],
        **admission.parameters(admitted),
        **_kept(payloads),
    )


def _write(sql: str, draft: recordings.Draft, **parameters: Any) -> bool:
    parameters |= {
        "sessions": list(draft.before),
        "heads": list(draft.before.values()),
        "events": _json(draft.events),
        "moved": _json(draft.moved),
    }
    connection.ensure_connection()
    raw = connection.connection
    with connection.wrap_database_errors, psycopg.Cursor(raw) as cursor:
        if raw.prepare_threshold != 0:
            # Django's own cursors put values into the text; this one lets Postgres keep the plan,
            # which would otherwise take longer to make than to carry out.
            cursor.execute("SET plan_cache_mode = force_generic_plan")
            raw.prepare_threshold = 0
        cursor.execute(sql, parameters)
        (holds,) = cursor.fetchone() or (False,)
    if holds:
        draft.keep()
    return bool(holds)


_FIELDS = Statement._meta.concrete_fields  # noqa: SLF001 - Django's documented interface


@cache
def _begin() -> str:
    return _BEGIN.format(columns=", ".join(f'"{field.column}"' for field in _FIELDS))


def _row(statement: Statement) -> dict[str, Any]:
    return {str(field.column): _value(field, statement) for field in _FIELDS}


def _end(statement: Statement) -> dict[str, Any]:
    return _named(statement, ("id", *END))


def _transition(moved: Transition) -> dict[str, Any]:
    return _named(moved, ("statement_id", "source", "target", "at"))


def _named(row: Model, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}


def _kept(payloads: Sequence[Payload]) -> dict[str, Any]:
    return {
        "payloads": _json(list(map(_payload, payloads))),
        "kept": [payload.pk for payload in payloads],
        "bodies": [payload.body for payload in payloads],
    }


def _payload(payload: Payload) -> dict[str, Any]:
    return _named(
        payload, ("id", "session_id", "digest", "media_type", "size", "stored", "created_at")
    )


def _value(field: "Field[Any, Any]", statement: Statement) -> Any:
    if isinstance(field, EncryptedTextField):
        return field.pre_save(statement, True) or ""
    return getattr(statement, field.attname)


def _json(rows: Sequence[Mapping[str, Any]]) -> str:
    return json.dumps(rows, default=str)

"""A recorder with a place outside the database of its own, and someone who owns the database."""

import io
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from django.db import connection

from recordings import services
from recordings.kinds import EventKind as K
from recordings.models import Event, Session
from recordings.payloads import ARROW

ACTOR = {"kind": "agent", "id": str(uuid.UUID(int=7)), "name": "cleaner", "on_behalf_of": "Olga"}
CONNECTION = uuid.UUID(int=9)


@pytest.fixture(autouse=True)
def outside(settings: Any, tmp_path: Path) -> Path:
    """Where checkpoints lie outside the database."""
    settings.CHECKPOINT_DIR = tmp_path / "checkpoints"
    return settings.CHECKPOINT_DIR


@pytest.fixture
def owning() -> Callable[[], Any]:
    """Someone who owns the database: no trigger stops them."""

    @contextmanager
    def scope() -> Iterator[Any]:
        with connection.cursor() as cursor:
            cursor.execute("SET session_replication_role = replica")
            try:
                yield cursor
            finally:
                cursor.execute("SET session_replication_role = DEFAULT")

    return scope


def arrow(**columns: list[Any]) -> bytes:
    table = pa.table(columns)
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def opened(**changes: Any) -> Session:
    fields: dict[str, Any] = {
        "actor": ACTOR,
        "owner_id": uuid.UUID(int=8),
        "connection_id": CONNECTION,
        "connection_name": "shop",
        "door": "rest",
        "client": "sample/1",
        "address": "10.0.0.1",
    } | changes
    return services.open_session(**fields)


def say(session: Session, kind: K, statement: uuid.UUID | None = None, **data: Any) -> Event:
    return services.append(
        session_id=session.pk, kind=kind, actor=ACTOR, statement_id=statement, data=data
    )


def stretch(*, close: bool = True, **changes: Any) -> Session:
    """A session with a prompt, one statement that was masked and answered, and one denied."""
    session = opened(**changes)
    first, second = uuid.uuid4(), uuid.uuid4()
    say(session, K.PROMPT, first, text="Which contacts live in Lyon?")
    say(
        session,
        K.STATEMENT,
        first,
        sql="select email from contacts",
        binds=0,
        request_id="r1",
        prompt_given=True,
    )
    say(
        session,
        K.DECISION,
        first,
        effect="allow",
        statement_class="select",
        reasons=[{"code": "rule", "text": "Reads are allowed.", "rule": "reads", "way_out": ""}],
        protections=[
            {
                "protection": "p",
                "column": "SHOP.CRM.CONTACTS.EMAIL",
                "strategy": "redact",
                "uses": ["projected"],
            }
        ],
        facts={
            "reads": ["SHOP.CRM.CONTACTS"],
            "writes": [],
            "functions": [],
            "flags": [],
            "columns": [
                {"column": "SHOP.CRM.CONTACTS.EMAIL", "use": "projected", "function": None}
            ],
            "outputs": [{"name": "EMAIL", "sources": ["SHOP.CRM.CONTACTS.EMAIL"]}],
        },
        sql_sent="SELECT '***' AS EMAIL FROM SHOP.CRM.CONTACTS",
        policy_revision=1,
        catalogue_version=1,
        digest="ab" * 32,
        masked_outputs=[0],
    )
    say(
        session,
        K.INTENT,
        first,
        sql_sent="SELECT '***' AS EMAIL FROM SHOP.CRM.CONTACTS",
        connection="shop",
        role="AGENT",
        upstream_request_id="u1",
        worker="w",
    )
    payload = services.store_payload(
        session_id=session.pk, content=arrow(EMAIL=["***", "***"]), media_type=ARROW
    )
    services.append(
        session_id=session.pk,
        kind=K.OUTCOME,
        actor=services.SYSTEM,
        statement_id=first,
        data={
            "state": "succeeded",
            "row_count": 2,
            "truncated": False,
            "findings": [],
            "columns": [{"name": "EMAIL", "type": "TEXT", "masked": True}],
            "query_id": "01b8-q",
            "duration_ms": 12,
        },
        payloads=[payload],
    )
    say(
        session,
        K.STATEMENT,
        second,
        sql="copy into @s from contacts",
        binds=0,
        request_id="r2",
        prompt_given=False,
    )
    say(
        session,
        K.DECISION,
        second,
        effect="deny",
        statement_class="unload",
        reasons=[
            {
                "code": "copies",
                "text": "Copies take the mask off.",
                "rule": None,
                "way_out": "Read the rows instead.",
            }
        ],
        protections=[],
        facts={
            "reads": [],
            "writes": [],
            "columns": [],
            "outputs": [],
            "functions": [],
            "flags": ["unload"],
        },
        sql_sent="",
        policy_revision=1,
        catalogue_version=1,
        digest="",
        masked_outputs=[],
    )
    if close:
        services.close_session(session_id=session.pk, actor=services.SYSTEM, reason="done")
    session.refresh_from_db()
    return session

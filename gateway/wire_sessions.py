"""Drivers' sessions: opened by a login, found by a token, renewed, ended. Rows only."""

import contextlib
import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q
from django.db.models.expressions import RawSQL
from django.utils import timezone

from accounts.principal import Principal
from connections.models import Connection
from connections.sql.stages import TRANSFERS
from connections.upstream.types import UpstreamSession
from gateway import contexts, logins, records
from gateway.models import Statement, WireSession
from gateway.states import StatementState
from hoopweb.lib.errors import Conflict
from recordings import services as recordings
from recordings.models import Session

DOOR = "snowflake"
TOKEN_LIFE = timedelta(hours=1)
MASTER_LIFE = timedelta(hours=4)
# A token that a renewal replaced is good for so long: other cursors of the driver still carry it.
_GRACE = timedelta(minutes=5)
# Both tokens live on with use; the row is written when so much of their life is gone.
_SLIDE = timedelta(minutes=5)
_RENEWAL_LEASE = timedelta(seconds=40)
# A driver that waits asks every half minute; one that has not asked for so long is gone.
_PATIENCE = timedelta(minutes=5)
# As Postgres has it (admission).
_VERSION = "gateway_wiresession.xmin || gateway_wiresession.ctid::text"
NOBODY_WAITS = "Its driver stopped waiting for it."


@dataclass(frozen=True, slots=True, repr=False)
class Tokens:
    """Our own tokens at the one moment when they are known."""

    session: str
    master: str


class TokenExpired(Exception):
    """The token's time is over, or it is not known: the driver may renew it."""


class SessionOver(Exception):
    """The session has ended, in words for the one who had it."""


def _new(kind: str) -> str:
    return f"hw{kind}_{secrets.token_urlsafe(32)}"


def digest_of(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


@transaction.atomic
def open_session(
    *,
    principal: Principal,
    agent_token_id: UUID | None,
    login_until: datetime | None = None,
    connection: Connection,
    client: str,
    client_version: str,
    context: Mapping[str, Any],
    query_tag: str,
    upstream: UpstreamSession,
) -> tuple[WireSession, Tokens]:
    """Keep a login, which counts until ``login_until``, and begin its recording."""
    now = timezone.now()
    tokens = Tokens(_new("s"), _new("m"))
    name = f"{client} {client_version}".strip()
    recording = open_recording(principal=principal, connection=connection, client=name)
    session = WireSession(
        token_digest=digest_of(tokens.session),
        token_until=now + TOKEN_LIFE,
        master_digest=digest_of(tokens.master),
        master_until=now + MASTER_LIFE,
        login_until=login_until,
        connection=connection,
        recording=recording,
        principal_id=principal.id,
        principal={
            **records.principal(principal),
            "scopes": None if principal.scopes is None else sorted(principal.scopes),
        },
        agent_token_id=agent_token_id,
        client=client[:60],
        client_version=client_version[:40],
        address=recording.address,
        context=dict(context),
        query_tag=query_tag,
        upstream=json.dumps(upstream.to_json()),
    )
    session.save(force_insert=True)
    return session, tokens


def open_recording(*, principal: Principal, connection: Connection, client: str) -> Session:
    return recordings.open_session(
        actor=principal.as_actor(),
        owner_id=principal.owner_id,
        connection_id=connection.pk,
        connection_name=connection.name,
        door=DOOR,
        client=client,
        address=principal.address,
    )


def find(token: str) -> WireSession:
    """The live session of a token. Raises TokenExpired, SessionOver or LoginOver."""
    digest = digest_of(token)
    session = (
        WireSession.objects.select_related("recording")
        .annotate(row_version=RawSQL(_VERSION, ()))  # noqa: S611 - a constant
        .filter(Q(token_digest=digest) | Q(old_digest=digest))
        .first()
    )
    if session is None:
        raise TokenExpired
    session.version = str(session.row_version)
    if session.ended_at is not None:
        raise SessionOver("This session has ended. Connect again.")
    until = session.token_until if session.token_digest == digest else session.old_until
    now = timezone.now()
    if until is None or until <= now:
        raise TokenExpired
    logins.need(session)
    if session.token_until - now < TOKEN_LIFE - _SLIDE:
        _slide(session, now)
    return session


def _slide(session: WireSession, now: datetime) -> None:
    session.token_until, session.master_until = now + TOKEN_LIFE, now + MASTER_LIFE
    session.last_seen_at = now
    session.save(update_fields=["token_until", "master_until", "last_seen_at"])


def seen(session: WireSession) -> None:
    """Someone waits here: written down at most every half minute."""
    now = timezone.now()
    if now - session.last_seen_at > timedelta(seconds=30):
        session.last_seen_at = now
        session.save(update_fields=["last_seen_at"])


@transaction.atomic
def renew(master: str) -> tuple[WireSession, str]:
    """A new session token for the master token. Raises TokenExpired, SessionOver or LoginOver."""
    session = (
        WireSession.objects.select_for_update().filter(master_digest=digest_of(master)).first()
    )
    now = timezone.now()
    if session is None or session.master_until <= now:
        raise TokenExpired
    if session.ended_at is not None:
        raise SessionOver("This session has ended. Connect again.")
    logins.need(session)
    token = _new("s")
    session.old_digest, session.old_until = session.token_digest, now + _GRACE
    session.token_digest = digest_of(token)
    session.token_until, session.master_until = now + TOKEN_LIFE, now + MASTER_LIFE
    session.last_seen_at = now
    session.save(
        update_fields=[
            "old_digest",
            "old_until",
            "token_digest",
            "token_until",
            "master_until",
            "last_seen_at",
        ]
    )
    return session, token


def recording_for(session: WireSession, principal: Principal) -> UUID:
    """The open recording of this session; a new one where the last was sealed while it idled."""
    if session.recording.is_open:
        return session.recording_id
    with transaction.atomic():
        locked = (
            WireSession.objects.select_for_update(of=("self",))
            .select_related("recording", "connection")
            .get(pk=session.pk)
        )
        if not locked.recording.is_open:
            name = f"{locked.client} {locked.client_version}".strip()
            locked.recording = open_recording(
                principal=principal, connection=locked.connection, client=name
            )
            locked.prompt = ""
            locked.save(update_fields=["recording", "prompt"])
    session.recording, session.prompt = locked.recording, locked.prompt
    return locked.recording_id


@transaction.atomic
def remember(session_id: UUID, **changes: Any) -> WireSession:
    """Change what the session has set: any of ``context`` (merged), ``tables``, ``query_tag`` and
    ``prompt``; returns it.
    """
    session = WireSession.objects.select_for_update().get(pk=session_id)
    if "context" in changes:
        session.context = {**session.context, **changes.pop("context")}
        session.save(update_fields=["context"])
    for name, value in changes.items():
        setattr(session, name, value)
    if changes:
        session.save(update_fields=list(changes))
    return session


def is_moved(statement: Statement, places: Mapping[str, Any]) -> bool:
    """Whether a statement that has succeeded changed anything of its session."""
    if statement.wire_session_id is None or statement.describe_only:
        return False
    changes = statement.facts.get("session_changes", ())
    return bool(_moves(statement, places) or _makes(statement) or changes)


def _moves(statement: Statement, places: Mapping[str, Any]) -> dict[str, Any]:
    then = statement.context
    return {
        name: value
        for name, value in places.items()
        if value is not None and value != (then.get(name) or None)
    }


def _makes(statement: Statement) -> bool:
    return statement.statement_class.startswith(("create-", "drop-", "undrop-", "alter-table"))


def follow(statement: Statement, places: Mapping[str, Any]) -> None:
    """Let the session have what its statement changed, in the transaction of the outcome."""
    if not is_moved(statement, places):
        return
    moved, changes = _moves(statement, places), statement.facts.get("session_changes", ())
    assert statement.wire_session_id is not None
    session = WireSession.objects.select_for_update().get(pk=statement.wire_session_id)
    session.context = {**session.context, **moved}
    variables = dict(session.context.get("variables") or {})
    for kind, name, value in changes:
        if kind == "variable":
            variables[name] = value
        elif kind == "parameter" and name == "QUERY_TAG":
            session.query_tag = str(value or "")
    if variables:
        session.context["variables"] = variables
    if _makes(statement):
        session.tables = contexts.tables_after(statement, session.tables)
    session.save(update_fields=["context", "query_tag", "tables"])


def tokens_of(session: WireSession) -> UpstreamSession:
    return UpstreamSession.from_json(json.loads(session.upstream))


@transaction.atomic
def claim_renewal(session_id: UUID, used: str) -> UpstreamSession | bool:
    """Newer tokens than ``used``; True for the right to renew them; False while another does."""
    session = WireSession.objects.select_for_update().get(pk=session_id)
    tokens = tokens_of(session)
    if tokens.token != used:
        return tokens
    now = timezone.now()
    if session.renewing_until is not None and session.renewing_until > now:
        return False
    session.renewing_until = now + _RENEWAL_LEASE
    session.save(update_fields=["renewing_until"])
    return True


@transaction.atomic
def keep_tokens(session_id: UUID, tokens: UpstreamSession) -> None:
    session = WireSession.objects.select_for_update().get(pk=session_id)
    session.upstream = json.dumps(tokens.to_json())
    session.renewing_until = None
    session.save(update_fields=["upstream", "renewing_until"])


def over() -> list[UUID]:
    """Sessions that no driver can go on with, and that are still open here or at Snowflake."""
    expired = Q(ended_at=None, master_until__lt=timezone.now())
    cut = Q(ended_at__isnull=False) & ~Q(upstream="")
    found = WireSession.objects.filter(expired | cut | Q(pk__in=logins.over().values("pk")))
    return list(found.values_list("pk", flat=True))


def abandoned() -> list[UUID]:
    """Held statements whose driver has stopped asking, and files that no driver came to carry."""
    since = timezone.now() - _PATIENCE
    held = Q(state=StatementState.AWAITING_APPROVAL, detached=False)
    left = Q(state=StatementState.QUEUED, statement_class__in=TRANSFERS)
    return list(
        Statement.objects.filter(
            held | left, wire_session__last_seen_at__lt=since, received_at__lt=since
        ).values_list("pk", flat=True)
    )


def end(session_id: UUID, *, actor: Mapping[str, Any], reason: str) -> UpstreamSession | None:
    """End a session and seal its recording when nothing of it is under way; the tokens to close
    it at Snowflake with, for whoever ended it first.
    """
    with transaction.atomic():
        session = WireSession.objects.select_for_update().get(pk=session_id)
        if not session.upstream:
            return None
        tokens = tokens_of(session)
        session.ended_at = session.ended_at or timezone.now()
        session.upstream = ""
        session.save(update_fields=["ended_at", "upstream"])
    # While a statement is under way the recording stays open; it is sealed when it went quiet.
    with contextlib.suppress(Conflict):
        recordings.close_session(session_id=session.recording_id, actor=actor, reason=reason)
    return tokens


def waiting_in(session_id: UUID) -> list[UUID]:
    """Statements of a session that have not been sent yet."""
    return list(
        Statement.objects.filter(
            wire_session_id=session_id,
            state__in=[StatementState.AWAITING_APPROVAL, StatementState.QUEUED],
        ).values_list("pk", flat=True)
    )

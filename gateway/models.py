"""Statements and their moves. A statement's row is the truth of where it stands."""

import secrets
import uuid
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone

from connections.models import Connection
from gateway.states import FINAL, TRANSITIONS, StatementState
from hoopweb.lib.fields import EncryptedTextField
from hoopweb.lib.transitions import pairs
from recordings.models import Session, Viewer


def new_number() -> int:
    """A session number that JavaScript can hold, and that tells nothing of how many there are."""
    return secrets.randbelow(2**50) + 2**50


class StatementQuerySet(models.QuerySet["Statement"]):
    def visible_to(self, viewer: Viewer) -> "StatementQuerySet":
        """Whoever may see the session may see its statements."""
        return self.filter(session__in=Session.objects.visible_to(viewer))

    def unfinished(self) -> "StatementQuerySet":
        return self.filter(state__in=set(StatementState) - FINAL)


class Statement(models.Model):
    """One SQL statement on its way: what was asked, what was decided, what became of it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.ForeignKey(Session, models.PROTECT, related_name="statements")
    connection = models.ForeignKey(Connection, models.PROTECT, related_name="statements")
    principal_kind = models.CharField(max_length=10)
    principal_id = models.UUIDField()
    principal_name = models.CharField(max_length=120)
    owner_id = models.UUIDField(null=True, blank=True)
    # Groups and the person behind, as they were when the statement arrived: judged again by these.
    principal = models.JSONField(default=dict)
    door = models.CharField(max_length=12)
    # The caller's id for this statement, for life: a retry with the same id joins it.
    request_id = models.CharField(max_length=200)
    request_digest = models.CharField(max_length=64)

    prompt = models.TextField(blank=True)
    sql_given = models.TextField()
    # The text that Snowflake gets, as people may see it: without the salts of its hashes.
    sql_sent = models.TextField(blank=True)
    # The same, to the letter: what the digest covers and what is sent.
    sql_upstream = EncryptedTextField(blank=True)
    # JSON of the bound values.
    binds = EncryptedTextField(blank=True)
    digest = models.CharField(max_length=64, blank=True)

    state = models.CharField(max_length=20, default=StatementState.RECEIVED)
    effect = models.CharField(max_length=8, blank=True)
    statement_class = models.CharField(max_length=40, blank=True)
    facts = models.JSONField(default=dict)
    reasons = models.JSONField(default=list)
    protections = models.JSONField(default=list)
    # Columns that become protected when it succeeds: database, schema, table, column, protection.
    copies = models.JSONField(default=list)
    masked_outputs = models.JSONField(default=list)
    policy_revision = models.PositiveIntegerField(default=0)
    catalogue_version = models.PositiveIntegerField(default=0)
    approval = models.ForeignKey(
        "approvals.ApprovalRequest", models.PROTECT, null=True, related_name="+"
    )
    grant = models.ForeignKey("approvals.Grant", models.PROTECT, null=True, related_name="+")

    received_at = models.DateTimeField(default=timezone.now)
    deadline = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    # Who runs it, and when that worker last said so.
    worker = models.CharField(max_length=80, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    # When the sweep last offered it to a worker, or asked Snowflake about it.
    asked_at = models.DateTimeField(null=True, blank=True)

    # What a driver's session had set when the statement was judged; empty: the connection's own.
    context = models.JSONField(default=dict)
    wire_session = models.ForeignKey(
        "gateway.WireSession", models.PROTECT, null=True, related_name="statements"
    )
    # Its columns are asked for; nothing of it runs.
    describe_only = models.BooleanField(default=False)
    # Nobody waits for its answer: the driver asks later, by id.
    detached = models.BooleanField(default=False)

    upstream_query_id = models.CharField(max_length=80, blank=True)
    # Each column as name, type and masked.
    columns = models.JSONField(default=list)
    row_count = models.PositiveBigIntegerField(null=True, blank=True)
    truncated = models.BooleanField(default=False)
    findings = models.JSONField(default=list)
    result = models.ForeignKey(
        "recordings.Payload", models.PROTECT, null=True, blank=True, related_name="+"
    )
    error_code = models.CharField(max_length=40, blank=True)
    error_text = models.TextField(blank=True)
    # Snowflake's SQLSTATE, where it gave one.
    error_state = models.CharField(max_length=5, blank=True)

    objects = StatementQuerySet.as_manager()

    class Meta:
        ordering = ["-received_at", "-id"]
        indexes = [
            models.Index(fields=["-received_at", "-id"], name="statement_newest"),
            models.Index(
                fields=["state", "received_at"],
                name="statement_unfinished",
                condition=Q(
                    state__in=["received", "awaiting_approval", "queued", "running", "unknown"]
                ),
            ),
            models.Index(
                fields=["wire_session", "upstream_query_id"],
                name="statement_by_query",
                condition=Q(wire_session__isnull=False),
            ),
            models.Index(
                fields=["finished_at"],
                name="statement_carried",
                condition=Q(statement_class__in=["get", "put"]),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["principal_id", "request_id"], name="statement_request_once"
            ),
            models.CheckConstraint(
                condition=Q(state__in=[s.value for s in StatementState]),
                name="statement_state_known",
            ),
            models.CheckConstraint(
                condition=~Q(state="running") | ~Q(worker=""), name="statement_runs_by_someone"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.statement_class or 'statement'} {str(self.pk)[:8]}"

    @property
    def is_final(self) -> bool:
        return self.state in FINAL

    @property
    def is_waiting(self) -> bool:
        return self.state == StatementState.AWAITING_APPROVAL

    def actor(self) -> dict[str, Any]:
        """The values that an event keeps of who sent it."""
        actor = {
            "kind": self.principal_kind,
            "id": str(self.principal_id),
            "name": self.principal_name,
        }
        if behind := self.principal.get("on_behalf_of"):
            actor["on_behalf_of"] = behind
        return actor


class Transition(models.Model):
    """One legal move of a statement; the database knows the same pairs as ``TRANSITIONS``."""

    id = models.BigAutoField(primary_key=True)
    statement = models.ForeignKey(Statement, models.PROTECT, related_name="transitions")
    source = models.CharField(max_length=20)
    target = models.CharField(max_length=20)
    at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=pairs(TRANSITIONS), name="statement_transition_legal"),
        ]

    def __str__(self) -> str:
        return f"{self.source} to {self.target}"


class WireSession(models.Model):
    """A driver's login: our tokens by digest, the session at Snowflake, and what it has set.

    Everything that a replica needs to go on with it after another one ended.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # The whole number by which drivers know a session.
    number = models.BigIntegerField(unique=True, default=new_number)
    # Hex SHA-256 of random 256-bit tokens: nothing to guess, so nothing to pepper.
    token_digest = models.CharField(max_length=64, unique=True)
    token_until = models.DateTimeField()
    # The token before the last renewal goes on for a moment: cursors of one driver race.
    old_digest = models.CharField(max_length=64, blank=True, db_index=True)
    old_until = models.DateTimeField(null=True)
    master_digest = models.CharField(max_length=64, unique=True)
    master_until = models.DateTimeField()
    # How long the login with a provider's token counts; None: what it was opened with is asked.
    login_until = models.DateTimeField(null=True)

    connection = models.ForeignKey(Connection, models.PROTECT, related_name="wire_sessions")
    recording = models.ForeignKey(Session, models.PROTECT, related_name="+")
    principal_id = models.UUIDField(db_index=True)
    principal = models.JSONField(default=dict)
    # The agent token that opened it; the session ends with it.
    agent_token_id = models.UUIDField(null=True, blank=True)
    client = models.CharField(max_length=60, blank=True)
    client_version = models.CharField(max_length=40, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)

    # database, schema, role, warehouse and variables, as the judge takes them; parameters.
    context = models.JSONField(default=dict)
    # Tables that this session made, which no catalogue knows yet.
    tables = models.JSONField(default=list)
    query_tag = models.TextField(blank=True)
    # The prompt that was recorded last.
    prompt = models.TextField(blank=True)
    # JSON of connections.upstream.types.UpstreamSession.
    upstream = EncryptedTextField(blank=True)
    # Whoever renews the tokens at Snowflake holds this until then.
    renewing_until = models.DateTimeField(null=True)

    started_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)

    # Which version of the row was read, where it was read by its token.
    version: str

    class Meta:
        ordering = ["-started_at"]
        indexes = [
            models.Index(
                fields=["master_until"], name="wire_session_open", condition=Q(ended_at=None)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.client} {self.number}"


class WireBatch(models.Model):
    """Several statements that a driver sent as one text, to be run one after the other."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    wire_session = models.ForeignKey(WireSession, models.CASCADE, related_name="batches")
    request_id = models.CharField(max_length=200)
    sql = models.TextField()
    # The driver's own bindings of the whole text, as JSON.
    binds = EncryptedTextField(blank=True)
    prompt = models.TextField(blank=True)
    received_at = models.DateTimeField(default=timezone.now)
    # Cancelled: no further part begins.
    stopped_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-received_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["wire_session", "request_id"], name="wire_batch_request_once"
            ),
        ]

    def __str__(self) -> str:
        return f"batch {str(self.pk)[:8]}"


class WireResult(models.Model):
    """The remote parts of a large result: where Snowflake keeps them, for as long as it does.

    The driver knows this row by its id and a secret of its own; the rest never leaves us.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    statement = models.ForeignKey(Statement, models.CASCADE, related_name="wire_results")
    key_digest = models.CharField(max_length=64)
    # JSON: headers, chunks (url and rows), format, and the columns as Snowflake described them.
    parts = EncryptedTextField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        ordering = ["-expires_at"]

    def __str__(self) -> str:
        return f"parts of {self.statement_id}"

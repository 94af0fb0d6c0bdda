"""Statements and their moves. A statement's row is the truth of where it stands."""

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


class StatementQuerySet(models.QuerySet["Statement"]):
    def visible_to(self, viewer: Viewer) -> "StatementQuerySet":
        """Whoever may see the session may see its statements."""
        return self.filter(session__in=Session.objects.visible_to(viewer))

    def unfinished(self) -> "StatementQuerySet":
        return self.exclude(state__in=FINAL)


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

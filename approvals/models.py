"""Requests for approval, the votes on them, and the standing grants that a vote may create."""

import uuid
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from accounts.principal import Role
from approvals.states import TRANSITIONS, RequestState
from connections.models import Connection
from hoopweb.lib.fields import EncryptedTextField
from hoopweb.lib.transitions import pairs


class RequestQuerySet(models.QuerySet["ApprovalRequest"]):
    def visible_to(self, viewer: Any) -> "RequestQuerySet":
        """Reviewers and auditors of the connection, the one who asked, and the agent's owner."""
        seen = Q(principal_id=viewer.pk) | Q(owner_id=viewer.pk)
        for scope in (viewer.reviews, viewer.audits):
            if scope.everywhere:
                return self
            if scope.connections:
                seen |= Q(connection_id__in=scope.connections)
        return self.filter(seen)

    def pending(self) -> "RequestQuerySet":
        return self.filter(state=RequestState.PENDING, expires_at__gt=timezone.now())

    def decidable_by(self, user: User) -> "RequestQuerySet":
        """Pending requests that this person may vote on and has not voted on yet."""
        scope = user.scope(Role.REVIEWER)
        found = self.pending().exclude(
            Q(owner_id=user.pk) | Q(principal_id=user.pk) | Q(behind_id=user.pk)
        )
        if not scope.everywhere:
            found = found.filter(connection_id__in=scope.connections)
        found = found.exclude(votes__reviewer=user)
        anyone = Q(reviewers=[])
        for slug in user.team_slugs:
            anyone |= Q(reviewers__contains=[slug])
        return found.filter(anyone)


class ApprovalRequest(models.Model):
    """The ask: may exactly this statement run, for this principal, on this connection?"""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    state = models.CharField(max_length=10, default=RequestState.PENDING)
    statement_id = models.UUIDField(unique=True)
    session_id = models.UUIDField(db_index=True)
    connection = models.ForeignKey(Connection, models.PROTECT, related_name="approval_requests")
    principal_kind = models.CharField(max_length=10)
    principal_id = models.UUIDField()
    principal_name = models.CharField(max_length=120)
    on_behalf_of = models.CharField(max_length=200, blank=True)
    owner_id = models.UUIDField(null=True, blank=True)
    # The account of the person that the agent acts for, if they have one.
    behind_id = models.UUIDField(null=True, blank=True)
    # A vote covers this digest: text sent, binds, connection, role, context and principal.
    digest = models.CharField(max_length=64)
    role = models.CharField(max_length=120, blank=True)
    policy_revision = models.PositiveIntegerField()
    catalogue_version = models.PositiveIntegerField()
    # What the reviewer sees.
    prompt = models.TextField(blank=True)
    sql_given = models.TextField()
    sql_sent = models.TextField()
    # JSON of the bound values: what is approved is the text with exactly these.
    binds = EncryptedTextField(blank=True)
    statement_class = models.CharField(max_length=40)
    facts = models.JSONField(default=dict)
    reasons = models.JSONField(default=list)
    protections = models.JSONField(default=list)
    # Terms.
    reviewers = models.JSONField(default=list, blank=True)
    votes_needed = models.PositiveSmallIntegerField(default=1)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)
    used_at = models.DateTimeField(null=True, blank=True)

    objects = RequestQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at", "-id"]
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="request_newest"),
            models.Index(
                fields=["expires_at"], name="request_pending", condition=Q(state="pending")
            ),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state__in=[s.value for s in RequestState]), name="request_state_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.statement_class} by {self.principal_name}"

    @property
    def people(self) -> tuple[uuid.UUID | None, ...]:
        """Whose request it is: none of them decides on it."""
        return self.principal_id, self.owner_id, self.behind_id

    @property
    def is_pending(self) -> bool:
        return self.state == RequestState.PENDING

    def covers(self, digest: str, at: datetime | None = None) -> bool:
        """Whether this approval lets a statement of that digest run at ``at``."""
        return (
            self.state == RequestState.APPROVED
            and self.digest == digest
            and (at or timezone.now()) < self.expires_at
        )


class RequestTransition(models.Model):
    """One legal move of a request; the database knows the same pairs as ``TRANSITIONS``."""

    id = models.BigAutoField(primary_key=True)
    request = models.ForeignKey(ApprovalRequest, models.PROTECT, related_name="transitions")
    source = models.CharField(max_length=10)
    target = models.CharField(max_length=10)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=pairs(TRANSITIONS), name="request_transition_legal"),
        ]

    def __str__(self) -> str:
        return f"{self.source} to {self.target}"


class Vote(models.Model):
    """One reviewer's answer. It cannot be changed; an approval not yet used can be revoked."""

    class Choice(models.TextChoices):
        APPROVE = "approve", "Approve"
        REJECT = "reject", "Reject"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    request = models.ForeignKey(ApprovalRequest, models.PROTECT, related_name="votes")
    reviewer = models.ForeignKey(User, models.PROTECT, related_name="votes")
    choice = models.CharField(max_length=8, choices=Choice.choices)
    reason = models.CharField(max_length=1000, blank=True)
    digest = models.CharField(max_length=64)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["at"]
        constraints = [
            models.UniqueConstraint(fields=["request", "reviewer"], name="vote_once"),
        ]

    def __str__(self) -> str:
        return f"{self.reviewer} {self.choice}"


class GrantQuerySet(models.QuerySet["Grant"]):
    def visible_to(self, viewer: Any) -> "GrantQuerySet":
        seen = Q(principal_id=viewer.pk) | Q(granted_by_id=viewer.pk)
        for scope in (viewer.reviews, viewer.audits):
            if scope.everywhere:
                return self
            if scope.connections:
                seen |= Q(connection_id__in=scope.connections)
        return self.filter(seen)

    def live(self) -> "GrantQuerySet":
        return self.filter(revoked_at__isnull=True, expires_at__gt=timezone.now())


class Grant(models.Model):
    """A time-boxed standing permission for one principal to run one statement again."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(Connection, models.PROTECT, related_name="approval_grants")
    principal_id = models.UUIDField()
    principal_name = models.CharField(max_length=120)
    digest = models.CharField(max_length=64)
    sql_sent = models.TextField()
    policy_revision = models.PositiveIntegerField()
    vote = models.OneToOneField(Vote, models.PROTECT, related_name="grant")
    granted_by = models.ForeignKey(User, models.PROTECT, related_name="grants_given")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    use_count = models.PositiveIntegerField(default=0)
    last_used_at = models.DateTimeField(null=True, blank=True)

    objects = GrantQuerySet.as_manager()

    class Meta:
        ordering = ["-created_at"]
        indexes = [
            models.Index(fields=["connection", "principal_id", "digest"], name="grant_look_up"),
        ]

    def __str__(self) -> str:
        return f"Grant to {self.principal_name} until {self.expires_at:%Y-%m-%d %H:%M}"

"""Sessions, their hash-chained events, sealed payloads, checkpoints, and the audit trail.

Everything here keeps who and what as values: a replay outlives what it describes.
"""

import uuid
from typing import Any, Protocol

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from hoopweb.lib.fields import EncryptedTextField
from recordings.kinds import FINAL_APPROVALS, FINAL_OUTCOMES, EventKind


class ViewScope(Protocol):
    """Where somebody may look."""

    @property
    def everywhere(self) -> bool: ...
    @property
    def connections(self) -> frozenset[uuid.UUID]: ...


class Viewer(Protocol):
    """Whoever looks: a person or an agent, as far as recordings care."""

    @property
    def pk(self) -> uuid.UUID: ...
    @property
    def audits(self) -> ViewScope: ...
    @property
    def reviews(self) -> ViewScope: ...


class SessionQuerySet(models.QuerySet["Session"]):
    """Sessions, and who may see them."""

    def visible_to(self, viewer: Viewer) -> "SessionQuerySet":
        """Auditors and reviewers see the sessions of their connections, everyone their own and
        those of agents they answer for.
        """
        seen = Q(principal_id=viewer.pk) | Q(owner_id=viewer.pk)
        for scope in (viewer.audits, viewer.reviews):
            if scope.everywhere:
                return self
            if scope.connections:
                seen |= Q(connection_id__in=scope.connections)
        return self.filter(seen)

    def open(self) -> "SessionQuerySet":
        return self.filter(ended_at__isnull=True)


class Session(models.Model):
    """One recorded stretch of work by one principal on one connection through one door."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    title = models.CharField(max_length=200, blank=True)
    principal_kind = models.CharField(max_length=10)
    principal_id = models.UUIDField()
    principal_name = models.CharField(max_length=120)
    on_behalf_of = models.CharField(max_length=200, blank=True)
    owner_id = models.UUIDField(null=True, blank=True)
    connection_id = models.UUIDField()
    connection_name = models.CharField(max_length=120)
    door = models.CharField(max_length=12)
    client = models.CharField(max_length=200, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    last_event_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    # The chain's head. Held under a row lock while an event is appended.
    event_count = models.PositiveIntegerField(default=0)
    head = models.CharField(max_length=64, blank=True)
    # Seal: hex SHA-256 over id, count and head, set once when the session ends.
    seal = models.CharField(max_length=64, blank=True)
    # Place in the tree of seals, given by the first checkpoint that covers this session.
    leaf = models.PositiveBigIntegerField(null=True, blank=True, unique=True, editable=False)

    objects = SessionQuerySet.as_manager()

    class Meta:
        ordering = ["-started_at", "-id"]
        indexes = [
            models.Index(fields=["-started_at", "-id"], name="session_newest"),
            models.Index(fields=["principal_id", "connection_id", "door"], name="session_reuse"),
            models.Index(fields=["connection_id"], name="session_connection"),
            models.Index(
                fields=["last_event_at"], name="session_idle", condition=Q(ended_at__isnull=True)
            ),
            models.Index(
                fields=["ended_at", "id"],
                name="session_to_checkpoint",
                condition=Q(ended_at__isnull=False, leaf__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return self.title or f"Session {str(self.pk)[:8]}"

    @property
    def is_open(self) -> bool:
        return self.ended_at is None


class EventQuerySet(models.QuerySet["Event"]):
    """Events, and what they say of statements."""

    def final(self) -> "EventQuerySet":
        """Those after which nothing more comes of their statement."""
        sent = Event.objects.filter(
            session=OuterRef("session"),
            statement_id=OuterRef("statement_id"),
            kind=EventKind.INTENT,
        )
        return self.filter(
            Q(kind=EventKind.DECISION, data__effect="deny")
            | Q(kind=EventKind.APPROVAL_DECIDED, data__state__in=FINAL_APPROVALS)
            | Q(
                kind__in=[EventKind.OUTCOME, EventKind.RECONCILED],
                data__state__in=FINAL_OUTCOMES,
                data__awaits__isnull=True,
            )
            | Q(kind=EventKind.TRANSFER)
            # What runs and is asked to stop still has an outcome to come.
            | Q(~Exists(sent), kind=EventKind.CANCELLED)
        )


class Event(models.Model):
    """One append-only entry of a session; ``hash`` covers everything else and its predecessor."""

    id = models.BigAutoField(primary_key=True)
    session = models.ForeignKey(Session, models.PROTECT, related_name="events")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=40)
    at = models.DateTimeField()
    # {"kind", "id", "name"[, "on_behalf_of"]}
    actor = models.JSONField(default=dict)
    statement_id = models.UUIDField(null=True, blank=True, db_index=True)
    data = models.JSONField(default=dict)
    # Each names its payload: "name", "id", "digest", "size", "media_type".
    payloads = models.JSONField(default=list)
    previous = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64)

    objects = EventQuerySet.as_manager()

    class Meta:
        ordering = ["session", "number"]
        constraints = [
            models.UniqueConstraint(fields=["session", "number"], name="event_number_once"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.kind}"

    @property
    def named(self) -> list[dict[str, Any]]:
        """Its payloads. Whoever owns the database may have left anything in the column."""
        found: Any = self.payloads
        return [e for e in found if isinstance(e, dict)] if isinstance(found, list) else []


class Payload(models.Model):
    """A large body, sealed; its digest is of the clear content, keyed so that it tells nothing."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    session = models.ForeignKey(Session, models.PROTECT, related_name="payloads")
    digest = models.CharField(max_length=64)
    media_type = models.CharField(max_length=80)
    size = models.BigIntegerField()
    # Small bodies stand in the row; ``stored`` names a large one in the payload storage.
    body = models.BinaryField(null=True)
    stored = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["session", "digest"], name="payload_digest")]

    def __str__(self) -> str:
        return f"{self.media_type} {self.digest[:12]}"


class Checkpoint(models.Model):
    """A signed tree head over all seals so far; a copy lies outside the database."""

    number = models.PositiveBigIntegerField(primary_key=True)
    at = models.DateTimeField()
    session_count = models.PositiveBigIntegerField()
    root = models.CharField(max_length=64)
    previous = models.CharField(max_length=64, blank=True)
    key_id = models.CharField(max_length=32)
    signature = models.TextField()
    # What was signed, in full, as the file outside has it too; the fields above are its index.
    body = models.JSONField(default=dict)

    class Meta:
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"Checkpoint {self.number}"


class AuditEntry(models.Model):
    """What people did in the console: who, what, before and after, from where. Chained."""

    number = models.BigAutoField(primary_key=True)
    at = models.DateTimeField()
    actor = models.JSONField(default=dict)
    actor_id = models.UUIDField(null=True, blank=True, db_index=True)
    action = models.CharField(max_length=60, db_index=True)
    object_kind = models.CharField(max_length=40, blank=True)
    object_id = models.CharField(max_length=80, blank=True)
    object_name = models.CharField(max_length=200, blank=True)
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)
    address = models.GenericIPAddressField(null=True, blank=True)
    previous = models.CharField(max_length=64, blank=True)
    hash = models.CharField(max_length=64)

    class Meta:
        ordering = ["-number"]
        indexes = [models.Index(fields=["object_kind", "object_id"], name="audit_object")]

    def __str__(self) -> str:
        return f"{self.number} {self.action}"


class Sink(models.Model):
    """A place outside that the trail and sessions' events are copied to, and how far that is."""

    class Kind(models.TextChoices):
        FILE = "file", "File of JSON lines"
        STDOUT = "stdout", "Standard output of the worker"
        SYSLOG = "syslog", "Syslog (RFC 5424)"
        WEBHOOK = "webhook", "Webhook, signed"
        SPLUNK = "splunk", "Splunk HTTP Event Collector"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.SlugField(unique=True, max_length=60)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    # A file's name, tls://host:port, or https://…; empty for standard output.
    address = models.CharField(max_length=500, blank=True)
    # What signs a webhook's bodies, or opens Splunk's collector.
    secret = EncryptedTextField(blank=True, default="")
    with_audit = models.BooleanField(default=True)
    with_events = models.BooleanField(default=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    # Everything up to these has arrived: an audit entry's number, an event's id.
    audit_cursor = models.BigIntegerField(default=0)
    event_cursor = models.BigIntegerField(default=0)
    # Who delivers now, so that there is one at a time and order holds.
    claim = models.UUIDField(null=True, blank=True, editable=False)
    claimed_until = models.DateTimeField(null=True, blank=True, editable=False)
    failures = models.PositiveIntegerField(default=0)
    retry_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=300, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)
    delivered_count = models.BigIntegerField(default=0)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

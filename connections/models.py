"""Connections, their credentials and catalogues, and the policy in force on each."""

import secrets
import uuid
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from accounts.principal import Principal, PrincipalKind, Role
from connections.policy import types as policy
from hoopweb.lib.fields import EncryptedTextField


def new_salt() -> str:
    """What keeps equal values on two connections from having equal masks."""
    return secrets.token_hex(32)


class ConnectionQuerySet(models.QuerySet["Connection"]):
    """Who may see, change and use which connections."""

    def visible_to(self, viewer: Any) -> "ConnectionQuerySet":
        """Admins see all; others what they review, audit, administer or may use."""
        if getattr(viewer, "is_admin", False):
            return self
        seen = Q(pk__in=self._open_to(person=viewer))
        if hasattr(viewer, "scope"):
            for role in Role:
                scope = viewer.scope(role)
                if scope.everywhere:
                    return self
                seen |= Q(pk__in=scope.connections)
        return self.filter(seen)

    def administered_by(self, viewer: Any) -> "ConnectionQuerySet":
        """Those whose settings and policy this person may change."""
        if not hasattr(viewer, "scope"):
            return self.none()
        scope = viewer.scope(Role.ADMIN)
        return self if scope.everywhere else self.filter(pk__in=scope.connections)

    def usable_by(self, principal: Principal) -> "ConnectionQuerySet":
        """Those through which this principal may send a statement now.

        What an agent does for a person may need that person's own access too: then of both.
        """
        now = timezone.now()
        holder = (
            Q(access__agent_id=principal.id)
            if principal.kind == PrincipalKind.AGENT
            else Q(access__user_id=principal.id)
        ) | Q(access__team__slug__in=principal.groups)
        found = self.filter(
            Q(access__valid_until__isnull=True) | Q(access__valid_until__gt=now),
            holder,
            access__valid_from__lte=now,
            is_active=True,
        ).distinct()
        if principal.token_connections is not None:
            found = found.filter(pk__in=principal.token_connections)
        if principal.within_person:
            behind = principal.on_behalf_of_id
            person = User.objects.filter(pk=behind, is_active=True).first() if behind else None
            if person is None:
                return self.none()
            theirs = Connection.objects.usable_by(person.as_principal())
            found = found.filter(pk__in=theirs.values("pk"))
        return found

    def _open_to(self, person: Any) -> models.QuerySet[Any]:
        return Access.objects.filter(
            Q(user_id=person.pk)
            | Q(agent_id=person.pk)
            | Q(team__people=person.pk)
            | Q(team__agents=person.pk)
            | Q(agent__owner_id=person.pk)
        ).values("connection_id")


class Connection(models.Model):
    """A Snowflake target: where it is, as whom we work there, and how much a statement may take."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.SlugField(unique=True, max_length=60)
    description = models.CharField(max_length=400, blank=True)
    account = models.CharField(max_length=120)
    # Empty: <account>.snowflakecomputing.com over https.
    host = models.CharField(max_length=200, blank=True)
    port = models.PositiveIntegerField(default=443)
    protocol = models.CharField(max_length=5, default="https")
    warehouse = models.CharField(max_length=120, blank=True)
    database = models.CharField(max_length=120, blank=True)
    schema = models.CharField(max_length=120, blank=True)
    role = models.CharField(max_length=120, blank=True)
    # Databases that the catalogue covers; empty means the connection's own.
    catalogue_databases = models.JSONField(default=list, blank=True)
    max_rows = models.PositiveIntegerField(default=10_000)
    timeout_seconds = models.PositiveIntegerField(default=300)
    # The Celery queue that runs its statements; a worker may stand next to Snowflake.
    queue = models.CharField(max_length=60, default="hoopweb")
    is_active = models.BooleanField(default=True)
    # Counts every change of the settings above, so that two people editing notice each other.
    revision = models.PositiveIntegerField(default=1)
    # Counts every change of rules, protections and detectors; PolicyRevision keeps what it was.
    policy_revision = models.PositiveIntegerField(default=0)
    catalogue_version = models.PositiveIntegerField(default=0)
    mask_salt = EncryptedTextField(default=new_salt, editable=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    tested_at = models.DateTimeField(null=True, blank=True)
    # Steps in order, each with name, ok, detail, cure and milliseconds.
    test_report = models.JSONField(default=list, blank=True)

    objects = ConnectionQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Credential(models.Model):
    """How we log in to Snowflake. The secret is sealed, bound to this row, and shown to nobody."""

    class Method(models.TextChoices):
        KEY_PAIR = "key_pair", "Key pair"
        PAT = "programmatic_access_token", "Programmatic access token"
        OAUTH = "oauth_client_credentials", "OAuth client credentials"
        WORKLOAD = "workload_identity", "Workload identity"
        PASSWORD = "password", "Password (local use only)"

    class Source(models.TextChoices):
        """Where the secret is: sealed here, or elsewhere and fetched for each login."""

        SEALED = "sealed", "Sealed here"
        ENVIRONMENT = "environment", "An environment variable of the gateway"
        FILE = "file", "A mounted file"
        VAULT = "vault", "HashiCorp Vault"
        AWS = "aws", "AWS Secrets Manager"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.OneToOneField(Connection, models.CASCADE, related_name="credential")
    method = models.CharField(max_length=30, choices=Method.choices)
    login_name = models.CharField(max_length=120)
    source = models.CharField(max_length=12, choices=Source.choices, default=Source.SEALED)
    # Where a secret that is kept elsewhere lies: ``name``, and ``field`` within it. No secret.
    reference = models.JSONField(default=dict, blank=True)
    # Empty unless it is sealed here.
    secret = EncryptedTextField(blank=True)
    # What is not secret: public key and fingerprint, OAuth token URL and client id, provider.
    public = models.JSONField(default=dict, blank=True)
    # Which of the two public keys of the Snowflake user is ours.
    slot = models.PositiveSmallIntegerField(default=1)
    changed_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"{self.login_name} ({self.get_method_display()})"


class KeyRotation(models.Model):
    """A key pair changed by way of the user's other key slot: make, tell, test, switch, clear.

    Open until it is done or undone; whatever stops it, the old key goes on working until then.
    """

    class State(models.TextChoices):
        """How far it is. ``made``: Snowflake does not know the new key yet, as far as we know."""

        MADE = "made", "New key made"
        TESTED = "tested", "New key tested"
        SWITCHED = "switched", "New key in use"
        DONE = "done", "Old key cleared"
        UNDONE = "undone", "Undone"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(Connection, models.CASCADE, related_name="rotations")
    state = models.CharField(max_length=10, choices=State.choices, default=State.MADE)
    # The slot that the new key goes into; the old key is in the other one.
    slot = models.PositiveSmallIntegerField()
    # The new private key until it is in use, empty from then on.
    secret = EncryptedTextField(blank=True)
    public = models.JSONField(default=dict)
    old_public = models.JSONField(default=dict)
    # Lines of what was done, oldest first: at, step, ok, detail, cure.
    steps = models.JSONField(default=list)
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-started_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection"],
                condition=Q(state__in=["made", "tested", "switched"]),
                name="key_rotation_one_at_a_time",
            ),
            models.CheckConstraint(condition=Q(slot__in=[1, 2]), name="key_rotation_slot"),
        ]

    def __str__(self) -> str:
        return f"{self.connection} key rotation {self.state}"

    @property
    def is_open(self) -> bool:
        return self.state in {self.State.MADE, self.State.TESTED, self.State.SWITCHED}


class Access(models.Model):
    """Who may send statements through a connection, and from when until when."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(Connection, models.CASCADE, related_name="access")
    team = models.ForeignKey("accounts.Team", models.CASCADE, null=True, blank=True)
    user = models.ForeignKey("accounts.User", models.CASCADE, null=True, blank=True)
    agent = models.ForeignKey("accounts.Agent", models.CASCADE, null=True, blank=True)
    valid_from = models.DateTimeField(default=timezone.now)
    valid_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "access"
        constraints = [
            models.CheckConstraint(
                condition=(
                    Q(team__isnull=False, user__isnull=True, agent__isnull=True)
                    | Q(team__isnull=True, user__isnull=False, agent__isnull=True)
                    | Q(team__isnull=True, user__isnull=True, agent__isnull=False)
                ),
                name="access_has_one_holder",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.team or self.user or self.agent} on {self.connection}"

    def is_live(self, at: datetime | None = None) -> bool:
        at = at or timezone.now()
        return self.valid_from <= at and (self.valid_until is None or at < self.valid_until)


class Catalogue(models.Model):
    """One synchronised picture of what exists; a version never changes once written."""

    id = models.BigAutoField(primary_key=True)
    connection = models.ForeignKey(Connection, models.CASCADE, related_name="catalogues")
    version = models.PositiveIntegerField()
    synced_at = models.DateTimeField(default=timezone.now)
    # As connections.sql.catalogue.Catalogue.to_json gives it.
    content = models.JSONField(default=list)
    table_count = models.PositiveIntegerField(default=0)
    column_count = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["-version"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "version"], name="catalogue_version_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.connection} catalogue {self.version}"


class CatalogueSync(models.Model):
    """One run of the synchronisation: what a page shows while it works and when it failed."""

    id = models.BigAutoField(primary_key=True)
    connection = models.ForeignKey(Connection, models.CASCADE, related_name="syncs")
    state = models.CharField(max_length=10, default="queued")  # queued, running, done, failed
    queued_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    # How far it is, and in the end what it found or why it failed.
    detail = models.CharField(max_length=400, blank=True)
    cure = models.CharField(max_length=400, blank=True)

    class Meta:
        ordering = ["-queued_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection"],
                condition=Q(state__in=["queued", "running"]),
                name="catalogue_sync_one_at_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.connection} sync {self.state}"

    @property
    def is_open(self) -> bool:
        return self.state in {"queued", "running"}


class Rule(models.Model):
    """One ordered line of policy on a connection."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(Connection, models.CASCADE, related_name="rules")
    slug = models.SlugField(max_length=60)
    position = models.PositiveIntegerField()
    revision = models.PositiveIntegerField(default=1)
    effect = models.CharField(max_length=8, choices=[(e.value, e.value) for e in policy.Effect])
    # Keys as connections.policy.types.Rule.match names them.
    match = models.JSONField(default=dict, blank=True)
    reviewers = models.JSONField(default=list, blank=True)
    votes = models.PositiveSmallIntegerField(default=1)
    expires_minutes = models.PositiveIntegerField(default=60)
    note = models.CharField(max_length=400, blank=True)
    enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ["position", "slug"]
        constraints = [
            models.UniqueConstraint(fields=["connection", "slug"], name="rule_slug_once"),
            models.UniqueConstraint(
                fields=["connection", "position"],
                name="rule_position_once",
                deferrable=models.Deferrable.DEFERRED,
            ),
            models.CheckConstraint(condition=Q(votes__gte=1), name="rule_needs_a_vote"),
        ]

    def __str__(self) -> str:
        return self.slug

    def as_value(self) -> policy.Rule:
        return policy.Rule(
            id=self.slug,
            effect=policy.Effect(self.effect),
            position=self.position,
            revision=self.revision,
            match=self.match,
            terms=policy.ReviewTerms(tuple(self.reviewers), self.votes, self.expires_minutes),
            note=self.note,
            enabled=self.enabled,
        )


class Protection(models.Model):
    """A protected column (or tag) and the mask that its readers see."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(Connection, models.CASCADE, related_name="protections")
    # Names as stored, globs allowed; a tag protects every column that carries it instead.
    database = models.CharField(max_length=120, default="*")
    schema = models.CharField(max_length=120, default="*")
    table = models.CharField(max_length=120, default="*")
    column = models.CharField(max_length=120, blank=True)
    tag = models.CharField(max_length=200, blank=True)
    strategy = models.CharField(max_length=30)
    options = models.JSONField(default=dict, blank=True)
    note = models.CharField(max_length=400, blank=True)
    revision = models.PositiveIntegerField(default=1)
    enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ["database", "schema", "table", "column", "tag"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(column="") ^ ~Q(tag=""), name="protection_names_column_or_tag"
            ),
            models.UniqueConstraint(
                fields=["connection", "database", "schema", "table", "column", "tag"],
                name="protection_once",
            ),
        ]

    def __str__(self) -> str:
        return self.tag or f"{self.database}.{self.schema}.{self.table}.{self.column}"

    def as_value(self) -> policy.Protection:
        return policy.Protection(
            id=str(self.pk),
            strategy=self.strategy,
            database=self.database,
            schema=self.schema,
            table=self.table,
            column=self.column,
            tag=self.tag,
            options=self.options,
            enabled=self.enabled,
        )


class Detector(models.Model):
    """What an admin chose for a detector of results: the action of one that is built in, or a
    pattern of their own. Without a row a built-in detector masks.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    connection = models.ForeignKey(Connection, models.CASCADE, related_name="detectors")
    name = models.SlugField(max_length=41)
    # Empty for those built in, which have their own.
    label = models.CharField(max_length=80, blank=True)
    pattern = models.CharField(max_length=500, blank=True)
    action = models.CharField(
        max_length=5, default="mask", choices=[(a, a) for a in ("mask", "alert", "off")]
    )
    revision = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["connection", "name"], name="detector_once"),
            models.CheckConstraint(
                condition=Q(action__in=["mask", "alert", "off"]), name="detector_action_known"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def as_value(self) -> policy.DetectorSetting:
        return policy.DetectorSetting(self.name, self.action, self.label, self.pattern)


class PolicyRevision(models.Model):
    """The policy as it stood after one change: who, when, what, and the way back."""

    id = models.BigAutoField(primary_key=True)
    connection = models.ForeignKey(Connection, models.CASCADE, related_name="policy_revisions")
    number = models.PositiveIntegerField()
    at = models.DateTimeField(default=timezone.now)
    by = models.JSONField(default=dict)
    summary = models.CharField(max_length=300)
    # All of them, as connections.services.revisions writes them.
    content = models.JSONField(default=dict)

    class Meta:
        ordering = ["-number"]
        constraints = [
            models.UniqueConstraint(fields=["connection", "number"], name="policy_revision_once"),
        ]

    def __str__(self) -> str:
        return f"{self.connection} policy {self.number}"

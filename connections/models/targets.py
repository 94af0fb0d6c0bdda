"""Connections: where they lead, as whom, and who may use them."""

import secrets
import uuid
from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models import User
from accounts.principal import Principal, PrincipalKind, Role
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
    # Whether statements pass. The database holds that nothing passes before it is confirmed.
    is_active = models.BooleanField(default=False)
    # When an admin said, at the end of its registration, that agents may be served.
    confirmed_at = models.DateTimeField(null=True, blank=True)
    registered_by = models.ForeignKey(
        "accounts.User", models.SET_NULL, null=True, blank=True, related_name="+"
    )
    # The steps of its registration that a person has looked at and gone on from.
    setup_seen = models.JSONField(default=list, blank=True)
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
        constraints = [
            # Whatever forgets to ask, a registration that nobody finished serves no agent.
            models.CheckConstraint(
                condition=Q(is_active=False) | Q(confirmed_at__isnull=False),
                name="connection_active_once_confirmed",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_confirmed(self) -> bool:
        return self.confirmed_at is not None


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

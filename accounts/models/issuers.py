"""Who may vouch for agents, and as whom each knows them."""

import uuid
from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.models.people import Agent
from accounts.signed import ALGORITHMS

LONGEST_SUBJECT = 500
SESSION_HOURS = 4


class IssuerKind(models.TextChoices):
    """What an issuer is; it decides what its form proposes, never what is checked."""

    OIDC = "oidc", "OpenID provider"
    GITHUB = "github", "GitHub Actions"
    KUBERNETES = "kubernetes", "Kubernetes"


class Issuer(models.Model):
    """Somebody whose signature on an agent's token counts here.

    Its keys are given by an admin, or fetched: from ``jwks_url``, or where its own description
    says. What was fetched is kept in the row, so that every process sees the same keys and nobody
    can make several of them ask at once.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120, unique=True)
    kind = models.CharField(
        max_length=12, choices=IssuerKind.choices, default=IssuerKind.OIDC.value
    )
    # As the tokens' ``iss`` writes it, to the letter.
    issuer = models.CharField(max_length=300, unique=True)
    # A token is for us when one of these is in its ``aud``.
    audiences = models.JSONField(default=list)
    algorithms = models.JSONField(default=list)
    subject_claim = models.CharField(max_length=120, default="sub")
    groups_claim = models.CharField(max_length=120, default="groups", blank=True)
    name_claim = models.CharField(max_length=120, default="name", blank=True)
    jwks_url = models.CharField(max_length=500, blank=True)
    # JWKs given by an admin; when there are any, nothing is ever fetched.
    given_keys = models.JSONField(default=list, blank=True)
    # PEM of the authority that signed the certificate of ``jwks_url``; empty: the public ones.
    authority = models.TextField(blank=True)
    # How long a driver that logged in with one of its tokens may go on, from the login; 0: for as
    # long as the token itself. The database fills it in for an older version that still writes.
    session_hours = models.PositiveSmallIntegerField(
        default=SESSION_HOURS, db_default=SESSION_HOURS
    )
    # What an agent does for a person needs that person's own access too.
    within_person = models.BooleanField(default=False, db_default=False)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    fetched_keys = models.JSONField(default=list, blank=True)
    fetched_at = models.DateTimeField(null=True, blank=True)
    # When a request for keys was last begun, in the run of things and for an unknown key id.
    asked_at = models.DateTimeField(null=True, blank=True)
    asked_for_unknown_at = models.DateTimeField(null=True, blank=True)
    fetch_error = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def allowed(self) -> frozenset[str]:
        """The algorithms of its list that prove anything."""
        return frozenset(self.algorithms) & frozenset(ALGORITHMS)

    def session_until(self, expires_at: datetime) -> datetime:
        """Until when a session may last that begins now by a token that ends at ``expires_at``."""
        if not self.session_hours:
            return expires_at
        return timezone.now() + timedelta(hours=self.session_hours)


class AgentIdentityQuerySet(models.QuerySet["AgentIdentity"]):
    """Identities, by whether they open anything."""

    def standing(self) -> "AgentIdentityQuerySet":
        """Those whose issuer is believed, and whose rule, if one made them, is in force."""
        return self.filter(Q(rule=None) | Q(rule__enabled=True), issuer__is_active=True)


class AgentIdentity(models.Model):
    """An agent as one issuer knows it.

    With ``rule``, that mapping rule made it and has to match every token again; without, an admin
    did.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="identities")
    issuer = models.ForeignKey(Issuer, models.CASCADE, related_name="identities")
    subject = models.CharField(max_length=LONGEST_SUBJECT)
    # Goes with its rule: whom a rule let in stays out once it is gone.
    rule = models.ForeignKey(
        "accounts.MappingRule", models.CASCADE, null=True, blank=True, related_name="identities"
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True)

    objects = AgentIdentityQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]
        verbose_name_plural = "agent identities"
        constraints = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="agent_identity_once"),
        ]

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"

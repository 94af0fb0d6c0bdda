"""People, teams, agents and the tokens that agents carry."""

import uuid
from collections.abc import Iterable
from datetime import datetime
from functools import cached_property
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.principal import NOWHERE, Principal, PrincipalKind, Role, Scope


class Team(models.Model):
    """A group of people and agents; rules and roles name it by its slug."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    slug = models.SlugField(unique=True, max_length=60)
    name = models.CharField(max_length=120)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class User(AbstractUser):
    """A person who signs in to the console."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    first_name = None  # type: ignore[assignment]
    last_name = None  # type: ignore[assignment]
    name = models.CharField(max_length=120)
    email = models.EmailField(blank=True)
    teams = models.ManyToManyField(Team, related_name="people", blank=True)

    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    def __str__(self) -> str:
        return self.name or self.username

    @cached_property
    def _scopes(self) -> dict[str, Scope]:
        """Role to scope, read once per request."""
        grants = RoleGrant.objects.filter(Q(user=self) | Q(team__people=self))
        found: dict[str, Scope] = {}
        for role, connection_id in grants.values_list("role", "connection_id"):
            scope = found.get(role, NOWHERE)
            found[role] = Scope(
                everywhere=scope.everywhere or connection_id is None,
                connections=scope.connections | ({connection_id} if connection_id else set()),
            )
        return found

    def scope(self, role: Role) -> Scope:
        """On which connections this person holds ``role``; nowhere once disabled."""
        return self._scopes.get(role, NOWHERE) if self.is_active else NOWHERE

    @property
    def is_admin(self) -> bool:
        return self.scope(Role.ADMIN).everywhere

    @property
    def audits(self) -> Scope:
        return self.scope(Role.AUDITOR)

    @property
    def reviews(self) -> Scope:
        return self.scope(Role.REVIEWER)

    @cached_property
    def team_slugs(self) -> frozenset[str]:
        return frozenset(self.teams.values_list("slug", flat=True))

    def as_principal(self, *, address: str | None = None) -> Principal:
        return Principal(
            kind=PrincipalKind.PERSON,
            id=self.pk,
            name=str(self),
            groups=self.team_slugs,
            address=address,
        )


class RoleGrant(models.Model):
    """A role for a team or a person, everywhere or on one connection (by id, as a value)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    role = models.CharField(max_length=20, choices=[(r.value, r.value) for r in Role])
    team = models.ForeignKey(Team, models.CASCADE, null=True, blank=True, related_name="grants")
    user = models.ForeignKey(User, models.CASCADE, null=True, blank=True, related_name="grants")
    connection_id = models.UUIDField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(team__isnull=True) ^ Q(user__isnull=True),
                name="role_grant_has_one_holder",
            ),
            models.UniqueConstraint(
                fields=["role", "team", "user", "connection_id"],
                nulls_distinct=False,
                name="role_grant_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role}: {self.team or self.user}"


class AgentQuerySet(models.QuerySet["Agent"]):
    def visible_to(self, viewer: Any) -> "AgentQuerySet":
        """Admins see every agent, anyone their own."""
        if getattr(viewer, "is_admin", False):
            return self
        return self.filter(owner_id=viewer.pk)


class Agent(models.Model):
    """A program that sends statements. Its owner answers for it and cannot approve for it."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120, unique=True)
    description = models.CharField(max_length=400, blank=True)
    owner = models.ForeignKey(User, models.PROTECT, related_name="agents")
    teams = models.ManyToManyField(Team, related_name="agents", blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = AgentQuerySet.as_manager()

    is_authenticated = True
    is_anonymous = False
    is_admin = False
    audits = NOWHERE
    reviews = NOWHERE

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def as_principal(
        self,
        *,
        connections: Iterable[uuid.UUID] | None = None,
        on_behalf_of: str | None = None,
        address: str | None = None,
    ) -> Principal:
        return Principal(
            kind=PrincipalKind.AGENT,
            id=self.pk,
            name=self.name,
            groups=frozenset(self.teams.values_list("slug", flat=True)),
            owner_id=self.owner_id,
            on_behalf_of=on_behalf_of or str(self.owner),
            token_connections=None if connections is None else frozenset(connections),
            address=address,
        )


class AgentToken(models.Model):
    """A bearer token: found by its key id, proved by a peppered digest, shown once."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    agent = models.ForeignKey(Agent, models.CASCADE, related_name="tokens")
    label = models.CharField(max_length=120)
    key_id = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    pepper = models.CharField(max_length=20)
    # Connection ids, as values; empty means every connection that the agent may use.
    connections = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.agent}: {self.label}"

    def is_live(self, at: datetime | None = None) -> bool:
        """Whether the token still opens anything."""
        return self.revoked_at is None and (at or timezone.now()) < self.expires_at

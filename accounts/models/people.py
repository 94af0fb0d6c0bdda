"""People, teams, agents and the tokens that agents carry."""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.contrib.sessions.models import Session as BrowserSession
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.utils import timezone

from accounts import browsers
from accounts.principal import NOWHERE, Principal, PrincipalKind, Role, Scope
from accounts.signals import announce


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

    class Meta(AbstractUser.Meta):
        ordering: ClassVar[list[str]] = ["name", "username"]
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # People sign in by either, so both must name one person.
            models.UniqueConstraint(Lower("email"), condition=~Q(email=""), name="user_email_once"),
            models.UniqueConstraint(Lower("username"), name="user_username_once"),
        ]

    def __str__(self) -> str:
        return self.name or self.username

    def get_full_name(self) -> str:
        return str(self)

    def get_short_name(self) -> str:
        return str(self)

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

    def forget_access(self) -> None:
        """Read roles and teams again: a service has just changed them."""
        self.__dict__.pop("_scopes", None)
        self.__dict__.pop("team_slugs", None)

    def as_principal(self, *, address: str | None = None) -> Principal:
        return Principal(
            kind=PrincipalKind.PERSON,
            id=self.pk,
            name=str(self),
            groups=self.team_slugs,
            address=address,
        )


class IdentityQuerySet(models.QuerySet["Identity"]):
    """Who somebody is to their provider."""

    def link(self, user: User, *, issuer: str, subject: str) -> "Identity":
        return self.create(user=user, issuer=issuer, subject=subject)


class Identity(models.Model):
    """A person as one OpenID provider knows them. Names and addresses change, the subject stays."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="identities")
    issuer = models.CharField(max_length=300)
    subject = models.CharField(max_length=255)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    objects = IdentityQuerySet.as_manager()

    class Meta:
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="identity_once"),
        ]

    def __str__(self) -> str:
        return f"{self.user} at {self.issuer}"


class RoleGrantQuerySet(models.QuerySet["RoleGrant"]):
    """Roles, by who holds them."""

    def of(self, user: User) -> "RoleGrantQuerySet":
        """What a person holds, in their own name or through a team."""
        return self.filter(Q(user=user) | Q(team__people=user)).distinct()


class RoleGrant(models.Model):
    """A role for a team or a person, everywhere or on one connection (by id, as a value)."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    role = models.CharField(max_length=20, choices=[(r.value, r.value) for r in Role])
    team = models.ForeignKey(Team, models.CASCADE, null=True, blank=True, related_name="grants")
    user = models.ForeignKey(User, models.CASCADE, null=True, blank=True, related_name="grants")
    connection_id = models.UUIDField(null=True, blank=True)
    # Given by mapping rules, which take it back as well; otherwise by an admin.
    mapped = models.BooleanField(default=False)

    objects = RoleGrantQuerySet.as_manager()

    class Meta:
        ordering = ["role", "connection_id"]
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
    """Agents, as far as someone may see or manage them."""

    def visible_to(self, viewer: Any) -> "AgentQuerySet":
        """Admins, and who reviews or audits everywhere, see every agent; anyone their own."""
        if getattr(viewer, "is_admin", False):
            return self
        if viewer.audits.everywhere or viewer.reviews.everywhere:
            return self
        return self.filter(owner_id=viewer.pk)

    def managed_by(self, user: User) -> "AgentQuerySet":
        """Those that this person may change, disable, or take tokens from."""
        return self if user.is_admin else self.filter(owner=user)


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
        on_behalf_of_id: uuid.UUID | None = None,
        within_person: bool = False,
        address: str | None = None,
    ) -> Principal:
        return Principal(
            kind=PrincipalKind.AGENT,
            id=self.pk,
            name=self.name,
            groups=frozenset(self.teams.values_list("slug", flat=True)),
            owner_id=self.owner_id,
            on_behalf_of=on_behalf_of or str(self.owner),
            on_behalf_of_id=on_behalf_of_id,
            within_person=within_person,
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
    # What it may be used for (accounts.principal.TokenScope); empty means nothing.
    scopes = models.JSONField(default=list, blank=True)
    # Networks in CIDR form from which it is accepted; empty means from anywhere.
    networks = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_used_address = models.GenericIPAddressField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.agent}: {self.label}"

    def is_live(self, at: datetime | None = None) -> bool:
        """Whether the token still opens anything."""
        return self.revoked_at is None and (at or timezone.now()) < self.expires_at


class SignInQuerySet(models.QuerySet["SignIn"]):
    """Browsers, as far as their console session lasts."""

    def visible_to(self, viewer: User) -> "SignInQuerySet":
        """Everyone sees their own, and nobody else's."""
        return self.filter(user=viewer)

    def open(self) -> "SignInQuerySet":
        """Those whose browser is still signed in."""
        return self.filter(
            ended_at=None,
            session_key__in=BrowserSession.objects.filter(expire_date__gt=timezone.now()).values(
                "session_key"
            ),
        ).exclude(pk__in=self.model.objects.idle())

    def idle(self) -> "SignInQuerySet":
        """Those that nobody has used for as long as a browser may be left alone."""
        if not settings.CONSOLE_IDLE_MINUTES:
            return self.none()
        limit = timezone.now() - timedelta(minutes=settings.CONSOLE_IDLE_MINUTES)
        return self.filter(active_at__lte=limit)

    def end(self) -> int:
        """Forget the browser sessions behind these, so that their cookies open nothing."""
        rows = list(self.filter(ended_at=None).values_list("session_key", "user_id"))
        keys = [key for key, _ in rows]
        announce(people={user_id for _, user_id in rows})
        BrowserSession.objects.filter(session_key__in=keys).delete()
        return self.model.objects.filter(session_key__in=keys).update(ended_at=timezone.now())

    def by_provider(self, issuer: str, *, subject: str = "", session: str = "") -> "SignInQuerySet":
        """Those that a provider vouched for: of one subject, of one of its sessions, or both.

        Without either: none, rather than everybody.
        """
        if not issuer or not (subject or session):
            return self.none()
        found = self.filter(issuer=issuer)
        found = found.filter(subject=subject) if subject else found
        return found.filter(provider_session=session) if session else found

    def end_all_of(self, user: User, *, keep: str | None = None) -> int:
        found = self.filter(user=user)
        return (found.exclude(session_key=keep) if keep else found).end()


class SignIn(models.Model):
    """One browser that a person signed in with, for as long as its console session lasts."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey(User, models.CASCADE, related_name="sign_ins")
    session_key = models.CharField(max_length=40, unique=True)
    at = models.DateTimeField(default=timezone.now)
    address = models.GenericIPAddressField(null=True, blank=True)
    client = models.CharField(max_length=300, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    # When its person last did something, to the minute.
    active_at = models.DateTimeField(default=timezone.now, db_default=Now())
    # As the provider knows this sign-in; empty for a local account. The database fills them in,
    # so that an older version can still write here while both run.
    issuer = models.CharField(max_length=300, blank=True, db_default="")
    subject = models.CharField(max_length=255, blank=True, db_default="")
    provider_session = models.CharField(max_length=255, blank=True, db_default="")

    objects = SignInQuerySet.as_manager()

    class Meta:
        ordering = ["-at"]
        indexes = [models.Index(fields=["issuer", "subject"], name="sign_in_identity")]

    def __str__(self) -> str:
        return f"{self.user} at {self.at:%Y-%m-%d %H:%M}"

    @property
    def browser(self) -> str:
        return browsers.in_words(self.client)


class SignInAttempt(models.Model):
    """One try to sign in, kept until it succeeds or is an hour old. Names are kept as digests:
    people type passwords into the wrong field.
    """

    id = models.BigAutoField(primary_key=True)
    name_digest = models.CharField(max_length=64)
    address = models.GenericIPAddressField(null=True, blank=True)
    at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        indexes = [
            models.Index(fields=["name_digest", "at"], name="attempt_name"),
            models.Index(fields=["address", "at"], name="attempt_address"),
        ]

    def __str__(self) -> str:
        return f"{self.name_digest[:8]} from {self.address}"

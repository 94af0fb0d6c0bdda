"""What sign-in by a provider has to remember: who is on the way, what was taken, who waits."""

import uuid
from datetime import datetime

from django.db import models
from django.utils import timezone

from hoopweb.lib.fields import EncryptedTextField


class SamlSignInQuerySet(models.QuerySet["SamlSignIn"]):
    """Sign-ins on the way."""

    def pending(self, at: datetime | None = None) -> "SamlSignInQuerySet":
        """Sent to the provider, and still waited for."""
        return self.filter(answered_at=None, until__gt=at or timezone.now())

    def answered(self, at: datetime | None = None) -> "SamlSignInQuerySet":
        """The provider has spoken; the browser that began has yet to come."""
        return self.filter(answered_at__isnull=False, until__gt=at or timezone.now())


class SamlSignIn(models.Model):
    """A browser on its way to the SAML provider and back. Its id travels along as RelayState.

    It stands here and not in a cookie: the provider's answer comes as a form from another site,
    to which a browser adds no cookie of ours.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    request_id = models.CharField(max_length=100, unique=True)
    target = models.TextField(blank=True)
    started_at = models.DateTimeField(default=timezone.now, editable=False)
    until = models.DateTimeField(db_index=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    # What the provider said, once it was proved; JSON.
    answer = EncryptedTextField(blank=True)

    objects = SamlSignInQuerySet.as_manager()

    class Meta:
        ordering = ["started_at"]

    def __str__(self) -> str:
        return f"sign-in since {self.started_at:%H:%M:%S}"


class TakenToken(models.Model):
    """A provider's message that counts once: an assertion, a logout token. Kept until it ends."""

    id = models.BigAutoField(primary_key=True)
    digest = models.CharField(max_length=64, unique=True)
    until = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.digest[:8]} until {self.until:%H:%M:%S}"


class Newcomer(models.Model):
    """Somebody whom a provider signed in, and whose name an account here has already.

    An admin says on that account's page whether both are one person.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    user = models.ForeignKey("accounts.User", models.CASCADE, related_name="newcomers")
    issuer = models.CharField(max_length=300)
    subject = models.CharField(max_length=255)
    name = models.CharField(max_length=120, blank=True)
    username = models.CharField(max_length=150, blank=True)
    email = models.EmailField(blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-at"]
        constraints = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="newcomer_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name or self.subject} at {self.issuer}"

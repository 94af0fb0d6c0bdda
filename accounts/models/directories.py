"""Directories: providers that tell us by SCIM who there is, and their tokens."""

import uuid
from datetime import datetime

from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone


class Directory(models.Model):
    """A provider's list of people and groups, kept here by the provider itself over SCIM."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(max_length=120, unique=True)
    # Whose sign-ins its people come by: only this issuer's can be matched to them.
    issuer = models.CharField(max_length=300, blank=True)
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    class Meta:
        ordering = ["name"]
        verbose_name_plural = "directories"

    def __str__(self) -> str:
        return self.name


class DirectoryToken(models.Model):
    """A bearer token with which a directory writes: a peppered digest, shown once."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    directory = models.ForeignKey(Directory, models.CASCADE, related_name="tokens")
    label = models.CharField(max_length=120)
    key_id = models.CharField(max_length=16, unique=True)
    digest = models.CharField(max_length=64)
    pepper = models.CharField(max_length=20)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    last_used_address = models.GenericIPAddressField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.directory}: {self.label}"

    def is_live(self, at: datetime | None = None) -> bool:
        """Whether the token still opens anything."""
        return self.revoked_at is None and (at or timezone.now()) < self.expires_at


class DirectoryPerson(models.Model):
    """A person as a directory knows them. Only their own directory sees and changes them."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    directory = models.ForeignKey(Directory, models.PROTECT, related_name="people")
    user = models.OneToOneField("accounts.User", models.CASCADE, related_name="provisioned")
    external_id = models.CharField(max_length=255, blank=True)
    # What the directory says. Whom an admin has disabled here stays so while it goes on saying yes.
    active = models.BooleanField(default=True)
    # What it says beyond what we keep of everybody: parts of the name, other addresses.
    details = models.JSONField(default=dict, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    changed_at = models.DateTimeField(default=timezone.now)
    version = models.PositiveIntegerField(default=1)
    # Deleted there: disabled here and no longer shown to it; the recordings stay.
    gone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "directory people"
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["directory", "external_id"],
                condition=~Q(external_id=""),
                name="directory_person_once",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.directory}"


class DirectoryGroup(models.Model):
    """A group as a directory keeps it. What it gives its members, mapping rules say."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    directory = models.ForeignKey(Directory, models.PROTECT, related_name="groups")
    name = models.CharField(max_length=255)
    external_id = models.CharField(max_length=255, blank=True)
    members = models.ManyToManyField(DirectoryPerson, related_name="groups", blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    changed_at = models.DateTimeField(default=timezone.now)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["created_at", "id"]
        constraints = [
            models.UniqueConstraint("directory", Lower("name"), name="directory_group_name_once"),
        ]

    def __str__(self) -> str:
        return f"{self.name} in {self.directory}"

"""Rules and protections, and every revision of them."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from connections.models.targets import Connection
from connections.policy import types as policy


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

"""Rules by which claims become teams, roles and agents."""

import uuid

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.mapping import Source, Subject
from accounts.models.people import Team, User


class MappingRule(models.Model):
    """One row of the mapping. All its conditions have to hold.

    Of people every rule that matches adds its teams and roles. Of agents the first that matches
    names the agent, its owner and its teams.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    subject = models.CharField(max_length=10, choices=[(s.value, s.value) for s in Subject])
    position = models.PositiveIntegerField()
    name = models.CharField(max_length=120)
    enabled = models.BooleanField(default=True)
    # The rule that every installation starts with. It can be changed and switched off, not deleted.
    built_in = models.BooleanField(default=False)
    # Of people: where the claims come from; empty: from anywhere.
    source = models.CharField(
        max_length=10, choices=[(s.value, s.value) for s in Source], blank=True
    )
    # Of agents: who has to have signed the claims.
    issuer = models.ForeignKey(
        "accounts.Issuer", models.CASCADE, null=True, blank=True, related_name="rules"
    )
    # Each a mapping with "claim", "operator" and "values".
    conditions = models.JSONField(default=list)
    teams = models.ManyToManyField(Team, related_name="mapping_rules", blank=True)
    # Also into each team whose short name is one of the values that matched.
    by_name = models.BooleanField(default=False)
    # Each a mapping with "role" and "connection": an id, or null for everywhere.
    roles = models.JSONField(default=list, blank=True)
    # Such as "ci of {repository}"; a token's claims fill it in.
    agent_name = models.CharField(max_length=200, blank=True)
    owner = models.ForeignKey(
        User, models.PROTECT, null=True, blank=True, related_name="mapping_rules"
    )
    # Nobody gains by a rule that they wrote last.
    changed_by = models.ForeignKey(User, models.SET_NULL, null=True, blank=True, related_name="+")
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["subject", "position", "changed_at"]
        constraints = [
            models.UniqueConstraint(
                fields=["subject", "built_in"],
                condition=Q(built_in=True),
                name="mapping_rule_one_built_in",
            ),
            models.CheckConstraint(
                condition=Q(subject="person", issuer=None)
                | Q(subject="agent", issuer__isnull=False, owner__isnull=False),
                name="mapping_rule_fits_its_subject",
            ),
        ]

    def __str__(self) -> str:
        return self.name

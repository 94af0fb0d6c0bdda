"""What exists on a connection, and the runs that read it."""

from django.db import models
from django.db.models import Q
from django.utils import timezone

from connections.models.targets import Connection


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

"""What a worker does for a connection while a person watches: its test, its sampling."""

from datetime import timedelta

from django.db import models
from django.db.models import Q
from django.utils import timezone

from connections.models.targets import Connection

# A worker that said nothing for so long is gone.
LOST_AFTER = timedelta(minutes=3)
# A run that nobody has taken by then waits for a worker that may not be there.
SLOW_AFTER = timedelta(seconds=15)


class RunState(models.TextChoices):
    QUEUED = "queued", "Waiting"
    RUNNING = "running", "Running"
    DONE = "done", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"


OPEN = (RunState.QUEUED, RunState.RUNNING)


class Run(models.Model):
    """One run: how far it is, and in the end what came of it. One at a time on a connection."""

    id = models.BigAutoField(primary_key=True)
    connection = models.ForeignKey(Connection, models.CASCADE, related_name="%(class)s_runs")
    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.QUEUED)
    # None is the installation itself, so a person's run goes when the person does.
    asked_by = models.ForeignKey(
        "accounts.User", models.CASCADE, null=True, blank=True, related_name="+"
    )
    address = models.GenericIPAddressField(null=True, blank=True)
    queued_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    # When the worker last said something.
    heard_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    # Why it ended as it did, and what to do about that.
    detail = models.CharField(max_length=400, blank=True)
    cure = models.CharField(max_length=400, blank=True)

    class Meta:
        abstract = True
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["connection"],
                condition=Q(state__in=["queued", "running"]),
                name="%(class)s_one_at_a_time",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.connection} {self._meta.verbose_name} {self.state}"

    @property
    def is_open(self) -> bool:
        return self.state in OPEN and not self.is_lost

    @property
    def is_lost(self) -> bool:
        """Whether its worker has gone without a word."""
        heard = self.heard_at or self.started_at
        if self.state != RunState.RUNNING or heard is None:
            return False
        return heard < timezone.now() - LOST_AFTER

    @property
    def is_slow_to_start(self) -> bool:
        return self.state == RunState.QUEUED and self.queued_at < timezone.now() - SLOW_AFTER


class ConnectionTest(Run):
    """A connection tried out, a step at a time."""

    # In order, each with name, state (pending, running, ok, failed), detail, cure, milliseconds.
    steps = models.JSONField(default=list)

    class Meta(Run.Meta):
        verbose_name = "test"


class Sampling(Run):
    """Detectors run over a few rows of each table. Counts are kept, values never."""

    tables_total = models.PositiveIntegerField(default=0)
    tables_done = models.PositiveIntegerField(default=0)
    rows_read = models.PositiveIntegerField(default=0)
    bytes_read = models.PositiveBigIntegerField(default=0)
    # One for each column and detector that hit: database, schema, table, column, detector,
    # sampled (values that are not null), whole (that are it), within (that contain it), label.
    findings = models.JSONField(default=list)
    # Tables that could not be read, with the code that Snowflake gave.
    skipped = models.JSONField(default=list)

    class Meta(Run.Meta):
        verbose_name = "sampling"

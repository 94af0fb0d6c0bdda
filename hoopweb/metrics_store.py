"""What the store knows, for Prometheus: statements by outcome, what waits, what runs.

The same whichever web server tells it: across replicas take it with ``max``, not ``sum``.
"""

import threading
from collections import Counter as Tally
from collections.abc import Iterable
from datetime import timedelta

import structlog
from django.db import DatabaseError, connection
from django.db.models import Count, Max, Min
from django.utils import timezone
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.models import Statement, Transition
from gateway.states import FINAL, StatementState
from recordings.models import Sink
from recordings.sinks.delivering import lag

log = structlog.get_logger(__name__)

# Numbers are given out before commit, so a lower one may appear after a higher one was read:
# younger moves wait for the next reading.
_SETTLED = timedelta(seconds=15)
_UNDER_WAY = (
    StatementState.AWAITING_APPROVAL,
    StatementState.QUEUED,
    StatementState.RUNNING,
    StatementState.UNKNOWN,
)


class StoreCollector(Collector):
    """Reads Postgres when asked. Finished statements are counted once, then only new ones."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen = 0
        self._finished: Tally[tuple[str, str]] = Tally()

    def describe(self) -> Iterable[Metric]:
        return ()  # so that registering needs no database

    def collect(self) -> Iterable[Metric]:
        up = GaugeMetricFamily("hoopweb_store_up", "1 when Postgres answered this reading.")
        found: list[Metric] = []
        try:
            with self._lock:
                found = [self._outcomes(), *self._under_way(), *_sinks()]
        except DatabaseError as error:
            log.warning("metrics_without_store", error=type(error).__name__)
        finally:
            # Back to the pool: readings are rare and come on any thread.
            if not connection.in_atomic_block:
                connection.close()
        up.add_metric([], 1 if found else 0)
        return [up, *found]

    def _outcomes(self) -> Metric:
        settled = Transition.objects.filter(
            id__gt=self._seen,
            at__lt=timezone.now() - _SETTLED,
            target__in=[state.value for state in FINAL],
        )
        newest = settled.aggregate(newest=Max("id"))["newest"]
        if newest is not None:
            rows = settled.filter(id__lte=newest).values_list(
                "target", "statement__statement_class"
            )
            for outcome, kind, count in rows.annotate(count=Count("id")).order_by():
                self._finished[outcome, kind or "unknown"] += count
            self._seen = newest
        family = CounterMetricFamily(
            "hoopweb_statements",
            "Finished statements by outcome and class, since the store began.",
            labels=["outcome", "class"],
        )
        for labels, count in sorted(self._finished.items()):
            family.add_metric(labels, count)
        return family

    def _under_way(self) -> list[Metric]:
        now = timezone.now()
        counts = dict(
            Statement.objects.filter(state__in=[state.value for state in _UNDER_WAY])
            .values_list("state")
            .annotate(count=Count("id"))
            .order_by()
        )
        oldest = Transition.objects.filter(
            target=StatementState.QUEUED, statement__state=StatementState.QUEUED
        ).aggregate(at=Min("at"))["at"]
        age = max((now - oldest).total_seconds(), 0) if oldest else 0
        return [
            GaugeMetricFamily(
                "hoopweb_statements_held",
                "Statements that wait for a reviewer now.",
                value=counts.get(StatementState.AWAITING_APPROVAL, 0),
            ),
            GaugeMetricFamily(
                "hoopweb_statements_queued",
                "Statements that wait for a worker now.",
                value=counts.get(StatementState.QUEUED, 0),
            ),
            GaugeMetricFamily(
                "hoopweb_queue_age_seconds",
                "How long the oldest of them has waited for a worker.",
                value=age,
            ),
            GaugeMetricFamily(
                "hoopweb_statements_running",
                "Statements at Snowflake now.",
                value=counts.get(StatementState.RUNNING, 0),
            ),
            GaugeMetricFamily(
                "hoopweb_statements_unknown",
                "Statements whose answer was lost and of which Snowflake will be asked.",
                value=counts.get(StatementState.UNKNOWN, 0),
            ),
        ]


def _sinks() -> list[Metric]:
    behind = GaugeMetricFamily(
        "hoopweb_sink_behind", "Records that a sink has not received yet.", labels=["sink"]
    )
    seconds = GaugeMetricFamily(
        "hoopweb_sink_lag_seconds",
        "How long the oldest record that a sink has not received has waited.",
        labels=["sink"],
    )
    failures = GaugeMetricFamily(
        "hoopweb_sink_failures", "Failures of a sink since records last arrived.", labels=["sink"]
    )
    for sink in Sink.objects.filter(is_active=True):
        found = lag(sink)
        behind.add_metric([sink.name], found.records)
        seconds.add_metric([sink.name], found.seconds)
        failures.add_metric([sink.name], sink.failures)
    return [behind, seconds, failures]

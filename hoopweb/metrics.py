"""What Prometheus reads. Times are measured here, in each process; counts come from Postgres
(hoopweb.metrics_store). Nothing here knows our models, so every app may time its work.
"""

from prometheus_client import CollectorRegistry, Gauge, Histogram

# Our own registry: a library that fills the global one cannot change what we publish.
REGISTRY = CollectorRegistry()

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)
_SLOW = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600)

DECISION_SECONDS = Histogram(
    "hoopweb_decision_seconds",
    "From a statement's arrival to its decision: analysis and rules.",
    buckets=_FAST,
    registry=REGISTRY,
)
RECORD_SECONDS = Histogram(
    "hoopweb_record_seconds",
    "One append to a recording, commit included.",
    buckets=_FAST,
    registry=REGISTRY,
)
UPSTREAM_SECONDS = Histogram(
    "hoopweb_upstream_seconds",
    "One statement at Snowflake, from sending to the last row.",
    buckets=_SLOW,
    registry=REGISTRY,
)
WEBSOCKET_CLIENTS = Gauge(
    "hoopweb_websocket_clients", "Browsers that follow live changes here.", registry=REGISTRY
)

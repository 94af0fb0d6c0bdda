import threading
from importlib import import_module
from typing import Any

from django.apps import AppConfig


class HoopwebConfig(AppConfig):
    name = "hoopweb"
    verbose_name = "Hoopweb"

    def ready(self) -> None:
        from celery.signals import beat_init, celeryd_init, worker_ready

        from hoopweb import checks

        checks.enlist()
        celeryd_init.connect(_check_worker, weak=False)
        beat_init.connect(_check_beat, weak=False)
        worker_ready.connect(_worker_ready, weak=False)


def _check_worker(**_: Any) -> None:
    from hoopweb.checks import refuse_to_start_unready

    refuse_to_start_unready(what="the worker")


def _check_beat(**_: Any) -> None:
    from hoopweb.checks import refuse_to_start_unready

    refuse_to_start_unready(what="beat")


def _worker_ready(**_: Any) -> None:
    # The first statement should not wait for the driver to be imported.
    threading.Thread(
        target=import_module, args=("connections.upstream.login",), name="driver", daemon=True
    ).start()
    _publish_metrics()


def _publish_metrics() -> None:
    from django.conf import settings

    from hoopweb.metrics_server import serve_on_port

    if settings.METRICS_PORT:
        serve_on_port(settings.METRICS_PORT)

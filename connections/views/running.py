"""What runs while a person watches: the test of a connection, the sampling of its values.

POST asks for a run, GET is the part that shows how far it is; only a page that watches one asks.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_POST

from connections import services
from connections.models import Connection, ConnectionTest, Sampling
from connections.services.checks import STEPS, blank
from connections.services.sampling import MAX_ROWS, MAX_TABLES
from connections.views import common
from hoopweb.lib.errors import HoopwebError
from hoopweb.lib.htmx import is_part


@require_http_methods(["GET", "POST"])
def test(request: HttpRequest, name: str) -> HttpResponse:
    """POST starts a test of the connection; GET is the part that shows its steps."""
    if request.method == "POST":
        row = common.changeable(request, name)
        services.request_connection_test(connection=row, **common.acting(request))
    else:
        row = common.seen(request, name)
    return _test(request, row)


@require_POST
def stop_test(request: HttpRequest, name: str) -> HttpResponse:
    """Stop the test that runs."""
    row = common.changeable(request, name)
    services.cancel_connection_test(connection=row, **common.acting(request))
    return _test(request, row)


def _test(request: HttpRequest, row: Connection) -> HttpResponse:
    if not is_part(request):
        return common.step_or(row, "test", "connections:detail")
    context = test_context(row) | {"row": row, "may_change": common.may_change(request, row)}
    return _part(request, "connections/_test.html", context)


def test_context(row: Connection) -> dict[str, Any]:
    """The newest test, its steps, and the address that a page watching it asks."""
    return {"run": services.newest(ConnectionTest, row), "test_steps": test_steps(row)}


def test_steps(row: Connection) -> list[dict[str, Any]]:
    """The steps to show: of what runs or stopped half-way, else of the last whole test."""
    run = services.newest(ConnectionTest, row)
    if run is None or (not run.steps and not run.is_open):
        return _reported(row)
    steps = run.steps or [blank(name) for name in STEPS]
    if run.is_open:
        return steps
    # The run ended: a step that was under way will not go on.
    return [s | {"state": "stopped"} if s["state"] == "running" else s for s in steps]


def _reported(row: Connection) -> list[dict[str, Any]]:
    return [s | {"state": "ok" if s["ok"] else "failed"} for s in row.test_report]


@require_http_methods(["GET", "POST"])
def sampling(request: HttpRequest, name: str) -> HttpResponse:
    """POST has values sampled; GET is the part that shows how far that is."""
    row = common.changeable(request, name)
    if request.method == "POST":
        try:
            services.request_sampling(connection=row, **common.acting(request))
        except HoopwebError as error:
            common.tell(request, error)
    return _sampling(request, row)


@require_POST
def stop_sampling(request: HttpRequest, name: str) -> HttpResponse:
    """Stop the sampling that runs; what it has counted stays."""
    row = common.changeable(request, name)
    services.cancel_sampling(connection=row, **common.acting(request))
    return _sampling(request, row)


def _sampling(request: HttpRequest, row: Connection) -> HttpResponse:
    if not is_part(request):
        return common.step_or(row, "protections", "connections:protections")
    context = sampling_context(row) | {"row": row, "may_change": True}
    return _part(request, "connections/_sampling.html", context)


def sampling_context(row: Connection) -> dict[str, Any]:
    return {
        "sampling": services.newest(Sampling, row),
        "max_rows": MAX_ROWS,
        "max_tables": MAX_TABLES,
    }


def _part(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    response = render(request, template, context)
    run = context["run"] if "run" in context else context["sampling"]
    if not (run and run.is_open):
        # It has ended, or could not start; what hangs on it elsewhere on the page is news.
        response.headers["HX-Refresh"] = "true"
    return response

"""Sinks, for admins: where the trail and events are copied to, and how far that is."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from hoopweb.lib.errors import HoopwebError
from recordings import services
from recordings.forms import SinkForm
from recordings.models import Sink
from recordings.sinks.delivering import lag
from recordings.views.reading import actor_of


def _admin(request: HttpRequest) -> None:
    viewer: Any = request.user
    if not viewer.is_admin:
        raise PermissionDenied("Sinks are for admins. Ask one of your admins.")


def _acting(request: HttpRequest) -> dict[str, Any]:
    return {"actor": actor_of(request), "source": request.META.get("REMOTE_ADDR")}


def _state(sink: Sink) -> str:
    if not sink.is_active:
        return "paused"
    if sink.failures:
        return "failed"
    return "active"


@require_GET
def listing(request: HttpRequest) -> HttpResponse:
    """Where the audit trail and events are copied to, and how far each is behind."""
    _admin(request)
    now = timezone.now()
    sinks = [
        (sink, _state(sink), lag(sink, now=now), services.described(sink)["address"])
        for sink in Sink.objects.all()
    ]
    return render(request, "recordings/sinks.html", {"sinks": sinks, "now": now})


@sensitive_post_parameters("secret")
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Add a sink; a webhook's key is shown once."""
    _admin(request)
    form = SinkForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            sink = services.create_sink(**form.cleaned_data, **_acting(request))
        except HoopwebError as error:
            field = error.fields.get("field")
            form.add_error(field if field in form.fields else None, error.detail)
        else:
            if sink.kind == Sink.Kind.WEBHOOK and not form.cleaned_data["secret"]:
                return render(request, "recordings/sink_made.html", {"sink": sink})
            messages.success(request, f"{sink} is added. Send a test to see that it arrives.")
            return redirect("recordings:sinks")
    status = 422 if form.errors else 200
    return render(request, "recordings/sink_new.html", {"form": form}, status=status)


@require_POST
def switch(request: HttpRequest, sink_id: UUID) -> HttpResponse:
    """Pause a sink, or let it go on where it stopped."""
    _admin(request)
    on = request.POST.get("to") == "on"
    sink = services.switch_sink(sink=_sink(sink_id), on=on, **_acting(request))
    messages.success(request, f"{sink} goes on." if on else f"{sink} is paused; nothing is lost.")
    return redirect("recordings:sinks")


@require_POST
def test(request: HttpRequest, sink_id: UUID) -> HttpResponse:
    """Send one record that says it is a test."""
    _admin(request)
    sink = _sink(sink_id)
    if said := services.try_sink(sink=sink, **_acting(request)):
        messages.error(request, f"The test did not reach {sink}. {said}")
    else:
        messages.success(request, f"The test reached {sink}.")
    return redirect("recordings:sinks")


@require_POST
def delete(request: HttpRequest, sink_id: UUID) -> HttpResponse:
    """Remove a sink; what it has received stays there."""
    _admin(request)
    sink = _sink(sink_id)
    services.delete_sink(sink=sink, **_acting(request))
    messages.success(request, f"{sink.name} is removed.")
    return redirect("recordings:sinks")


def _sink(sink_id: UUID) -> Sink:
    return get_object_or_404(Sink, pk=sink_id)

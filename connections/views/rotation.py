"""Changing the key pair of a connection, a step at a time."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from connections import services
from connections.models import Connection, Credential, KeyRotation
from connections.services import key_rotation
from connections.views import common
from hoopweb.lib.errors import HoopwebError
from hoopweb.lib.htmx import is_part

_TITLES = {
    "make": "Make a key",
    "log in": "Log in",
    "tell": "Tell Snowflake",
    "test": "Test the new key",
    "switch": "Switch",
    "clear": "Clear the old key",
    "undo": "Undo",
}


@require_GET
def rotation(request: HttpRequest, name: str) -> HttpResponse:
    """How far the change of a connection's key pair is."""
    row = common.changeable(request, name)
    return render(request, "connections/rotation.html", _context(row))


@require_POST
def start_rotation(request: HttpRequest, name: str) -> HttpResponse:
    """Change the key pair: everything that needs nobody follows by itself."""
    row = common.changeable(request, name)
    try:
        services.start_key_rotation(connection=row, **common.acting(request))
    except HoopwebError as error:
        common.tell(request, error)
    return _answer(request, row)


@require_POST
def advance_rotation(request: HttpRequest, name: str) -> HttpResponse:
    """Take the next step of changing the key pair."""
    row = common.changeable(request, name)
    found = row.rotations.first()
    if found is not None:
        services.advance_key_rotation(
            rotation_id=found.pk, told=request.POST.get("told") == "1", **common.acting(request)
        )
    return _answer(request, row)


@require_POST
def undo_rotation(request: HttpRequest, name: str) -> HttpResponse:
    """Keep the old key."""
    row = common.changeable(request, name)
    found = row.rotations.first()
    if found is not None:
        try:
            services.undo_key_rotation(rotation_id=found.pk, **common.acting(request))
        except HoopwebError as error:
            common.tell(request, error)
    return _answer(request, row)


def _answer(request: HttpRequest, row: Connection) -> HttpResponse:
    if not is_part(request):
        return redirect("connections:rotation", row.name)
    return render(request, "connections/_rotation.html", _context(row))


def _context(row: Connection) -> dict[str, Any]:
    credential = Credential.objects.filter(connection=row).first()
    found: KeyRotation | None = row.rotations.first()
    waits = found is not None and key_rotation.needs_person(found)
    steps = found.steps if found else []
    return {
        "row": row,
        "credential": credential,
        "rotatable": credential is not None
        and credential.method == Credential.Method.KEY_PAIR
        and credential.source == Credential.Source.SEALED,
        "rotation": found,
        "steps": [{**step, "title": _TITLES.get(step["step"], step["step"])} for step in steps],
        "waits": waits,
        "goes_on": found is not None and found.is_open and not waits,
        "statement": key_rotation.pending_statement(found) if found and waits else "",
        "may_undo": found is not None
        and found.is_open
        and found.state != KeyRotation.State.SWITCHED,
    }

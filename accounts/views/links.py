"""Who a person is to their provider: decided by an admin, on the person's page."""

from collections.abc import Callable
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from accounts import services
from accounts.models import Identity, Newcomer
from accounts.views import common
from hoopweb.lib.errors import HoopwebError


@require_POST
def link(request: HttpRequest, person_id: UUID, newcomer_id: UUID) -> HttpResponse:
    """Say that somebody who waits is this person."""
    common.admin(request)
    found = get_object_or_404(Newcomer, pk=newcomer_id, user_id=person_id)
    return _done(
        request,
        person_id,
        lambda: services.link_identity(newcomer=found, **common.acting(request)),
        f"From now on the provider signs {found.user} in here.",
    )


@require_POST
def dismiss(request: HttpRequest, person_id: UUID, newcomer_id: UUID) -> HttpResponse:
    """Say that somebody who waits is not this person."""
    common.admin(request)
    found = get_object_or_404(Newcomer, pk=newcomer_id, user_id=person_id)
    return _done(
        request,
        person_id,
        lambda: services.dismiss_newcomer(newcomer=found, **common.acting(request)),
        f"{found.name or found.subject} stays out.",
    )


@require_POST
def unlink(request: HttpRequest, person_id: UUID, link_id: UUID) -> HttpResponse:
    """Take a person's identity at a provider away."""
    common.admin(request)
    found = get_object_or_404(Identity, pk=link_id, user_id=person_id)
    return _done(
        request,
        person_id,
        lambda: services.unlink_identity(identity=found, **common.acting(request)),
        f"That provider signs {found.user} in no more.",
    )


def _done(
    request: HttpRequest, person_id: UUID, act: Callable[[], object], said: str
) -> HttpResponse:
    """Act, say how it went, and go back to the person's page."""
    try:
        act()
    except HoopwebError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, said)
    return redirect("accounts:person", person_id)

"""Who may send statements through a connection."""

from datetime import timedelta
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_POST

from connections import services
from connections.forms import AccessForm
from connections.views import common, targets
from hoopweb.lib.errors import HoopwebError


@require_POST
def add_access(request: HttpRequest, name: str) -> HttpResponse:
    """Let a person, an agent or a team use the connection."""
    row = common.changeable(request, name)
    form = AccessForm(request.POST)
    if form.is_valid():
        days = form.cleaned_data["days"]
        holder = form.chosen()
        try:
            services.grant_access(
                connection=row,
                holder=holder,
                valid_until=timezone.now() + timedelta(days=int(days)) if days else None,
                **common.acting(request),
            )
        except HoopwebError as error:
            common.take_over(form, error)
        else:
            messages.success(request, f"{holder} may use {row.name}.")
            return common.home(row)
    context = targets.detail_context(request, row, form)
    return render(request, "connections/detail.html", context, status=422)


@require_POST
def remove_access(request: HttpRequest, name: str, access_id: UUID) -> HttpResponse:
    """End somebody's use of the connection."""
    row = common.changeable(request, name)
    access = get_object_or_404(row.access.select_related("team", "user", "agent"), pk=access_id)
    holder = access.team or access.user or access.agent
    services.revoke_access(access=access, **common.acting(request))
    messages.success(request, f"{holder} may no longer use {row.name}.")
    return common.home(row)

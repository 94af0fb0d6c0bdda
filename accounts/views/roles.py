"""Roles as people read them, and giving and taking them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from accounts import seams, services
from accounts.forms import RoleForm
from accounts.models import RoleGrant, Team, User
from accounts.principal import Role
from accounts.views import common
from hoopweb.lib.errors import HoopwebError

MEANINGS: dict[str, str] = {
    Role.ADMIN: "Registers connections, writes rules, adds people. Sees no recording by that.",
    Role.REVIEWER: "Approves and rejects what agents ask, never their own agents'.",
    Role.AUDITOR: "Reads every recording and the audit trail, and exports them.",
    Role.DEVELOPER: "Creates agents and issues their tokens.",
}


@dataclass(frozen=True, slots=True)
class Held:
    """One role as a page shows it."""

    grant: RoleGrant
    role: str
    where: str
    via: str
    meaning: str


def described(grants: Iterable[RoleGrant], names: Mapping[UUID, str]) -> list[Held]:
    return [
        Held(
            grant,
            grant.role,
            f"on {names.get(grant.connection_id, 'a connection that is gone')}"
            if grant.connection_id
            else "everywhere",
            str(grant.team) if grant.team_id else "",
            MEANINGS.get(grant.role, ""),
        )
        for grant in grants
    ]


@require_POST
def grant(
    request: HttpRequest, person_id: UUID | None = None, team_id: UUID | None = None
) -> HttpResponse:
    """Grant a role, everywhere or on one connection."""
    common.admin(request)
    holder: User | Team
    if person_id is not None:
        holder = get_object_or_404(User, pk=person_id)
    else:
        holder = get_object_or_404(Team, pk=team_id)
    connections = seams.connections()
    form = RoleForm(request.POST, connections=connections)
    back = redirect("accounts:person" if person_id else "accounts:team", holder.pk)
    if not form.is_valid():
        messages.error(request, "Choose a role and where it holds.")
        return back
    chosen = form.cleaned_data["connection"]
    try:
        services.grant_role(
            role=Role(form.cleaned_data["role"]),
            user=holder if isinstance(holder, User) else None,
            team=holder if isinstance(holder, Team) else None,
            connection_id=UUID(chosen) if chosen else None,
            connection_name=next((c.name for c in connections if str(c.id) == chosen), ""),
            **common.acting(request),
        )
    except HoopwebError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, f"{holder} is now {form.cleaned_data['role']}.")
    return back


@require_POST
def revoke(request: HttpRequest, grant_id: UUID) -> HttpResponse:
    """Take a role away."""
    common.admin(request)
    found = RoleGrant.objects.select_related("team", "user").filter(pk=grant_id).first()
    if found is None:
        raise Http404
    name = seams.connection_names().get(found.connection_id, "") if found.connection_id else ""
    try:
        services.revoke_role(grant=found, connection_name=name, **common.acting(request))
    except HoopwebError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, f"{found.user or found.team} is no longer {found.role}.")
    if found.user_id:
        return redirect("accounts:person", found.user_id)
    return redirect("accounts:team", found.team_id)

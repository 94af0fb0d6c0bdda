"""People and teams, for admins."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db.models import Count, Prefetch
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import seams, services
from accounts.forms import PersonForm, RoleForm, TeamForm, TeamsForm
from accounts.models import Agent, Newcomer, RoleGrant, SignIn, Team, User
from accounts.views import common
from accounts.views.roles import MEANINGS, described
from hoopweb.lib.errors import HoopwebError


@require_GET
def listing(request: HttpRequest) -> HttpResponse:
    """People, teams and who holds which role."""
    common.admin(request)
    names = seams.connection_names()
    people = User.objects.prefetch_related(
        "teams", Prefetch("grants", RoleGrant.objects.order_by("role"))
    ).order_by("-is_active", "name", "username")
    teams = Team.objects.annotate(
        people_count=Count("people", distinct=True), agent_count=Count("agents", distinct=True)
    ).prefetch_related("grants")
    context = {
        "people": [(person, described(person.grants.all(), names)) for person in people],
        "teams": [(team, described(team.grants.all(), names)) for team in teams],
        "meanings": MEANINGS.items(),
        "now": timezone.now(),
        "newcomers": Newcomer.objects.select_related("user"),
    }
    return render(request, "accounts/people.html", context)


@sensitive_post_parameters("password")
@require_http_methods(["GET", "POST"])
def new_person(request: HttpRequest) -> HttpResponse:
    """Add a person with a local account."""
    common.admin(request)
    form = PersonForm(common.posted(request), local=settings.LOCAL_ACCOUNTS)
    if request.method == "POST" and form.is_valid():
        try:
            made = services.create_user(**form.cleaned_data, **common.acting(request))
        except HoopwebError as error:
            common.take_over(form, error)
        else:
            messages.success(request, f"{made} is added, with no role yet.")
            return redirect("accounts:person", made.pk)
    status = 422 if form.errors else 200
    return render(request, "accounts/person_new.html", {"form": form}, status=status)


@require_http_methods(["GET", "POST"])
def person(request: HttpRequest, person_id: UUID) -> HttpResponse:
    """One person: teams, roles, agents."""
    me = common.admin(request)
    found = get_object_or_404(User, pk=person_id)
    form = TeamsForm(common.posted(request), initial={"teams": found.teams.all()})
    if request.method == "POST" and form.is_valid():
        try:
            services.set_teams(
                user=found, teams=form.cleaned_data["teams"], **common.acting(request)
            )
        except HoopwebError as error:
            common.take_over(form, error)
        else:
            messages.success(request, f"The teams of {found} are saved.")
            return redirect("accounts:person", found.pk)
    names = seams.connection_names()
    context: dict[str, Any] = {
        "person": found,
        "is_me": found.pk == me.pk,
        "form": form,
        "role_form": RoleForm(connections=seams.connections()),
        "roles": described(RoleGrant.objects.of(found).select_related("team"), names),
        "agents": Agent.objects.filter(owner=found),
        "identities": found.identities.all(),
        "newcomers": found.newcomers.all(),
        "browsers": SignIn.objects.filter(user=found).open().count(),
    }
    return render(request, "accounts/person.html", context, status=422 if form.errors else 200)


@require_POST
def switch_person(request: HttpRequest, person_id: UUID) -> HttpResponse:
    """Disable or enable a person."""
    common.admin(request)
    found = get_object_or_404(User, pk=person_id)
    verb = services.disable_user if request.POST.get("to") == "off" else services.enable_user
    try:
        verb(user=found, **common.acting(request))
    except HoopwebError as error:
        messages.error(request, error.detail)
    else:
        said = "may sign in again" if found.is_active else "is disabled and signed out everywhere"
        messages.success(request, f"{found} {said}.")
    return redirect("accounts:person", found.pk)


@require_http_methods(["GET", "POST"])
def new_team(request: HttpRequest) -> HttpResponse:
    """Add a team."""
    common.admin(request)
    form = TeamForm(common.posted(request))
    if request.method == "POST" and form.is_valid():
        try:
            made = services.create_team(**form.cleaned_data, **common.acting(request))
        except HoopwebError as error:
            common.take_over(form, error)
        else:
            messages.success(request, f"The team {made} is there. Add people to it on their pages.")
            return redirect("accounts:team", made.pk)
    status = 422 if form.errors else 200
    return render(request, "accounts/team_new.html", {"form": form}, status=status)


@require_GET
def team(request: HttpRequest, team_id: UUID) -> HttpResponse:
    """One team: members and roles."""
    common.admin(request)
    found = get_object_or_404(Team, pk=team_id)
    context = {
        "team": found,
        "people": found.people.all(),
        "agents": found.agents.all(),
        "roles": described(found.grants.select_related("team"), seams.connection_names()),
        "role_form": RoleForm(connections=seams.connections()),
    }
    return render(request, "accounts/team.html", context)

"""Agents: the list, and one page for what each did and may do."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Max, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import seams, services
from accounts.forms import AgentForm
from accounts.models import Agent, AgentToken
from accounts.services.acting import may_create_agents
from accounts.views import common
from hoopweb.lib.errors import HoopwebError, NotAllowed


def seen(request: HttpRequest, agent_id: UUID) -> Agent:
    """The agent, if this person may see it; a stranger learns not even that it exists."""
    rows = Agent.objects.visible_to(common.viewer(request)).select_related("owner")
    return get_object_or_404(rows, pk=agent_id)


@require_GET
def listing(request: HttpRequest) -> HttpResponse:
    """Agents that this person may see."""
    me = common.viewer(request)
    now = timezone.now()
    live = Q(tokens__revoked_at=None, tokens__expires_at__gt=now)
    rows = (
        Agent.objects.visible_to(me)
        .select_related("owner")
        .prefetch_related("teams")
        .annotate(live_tokens=Count("tokens", filter=live), last_used=Max("tokens__last_used_at"))
        .order_by("-is_active", "name")
    )
    context = {"agents": rows, "may_create": may_create_agents(me), "now": now}
    return render(request, "accounts/agents.html", context)


@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Register an agent."""
    me = common.viewer(request)
    form = AgentForm(common.posted(request), by=me, initial={"owner": me})
    if request.method == "POST" and form.is_valid():
        values = form.cleaned_data | {"owner": form.cleaned_data.get("owner", me)}
        try:
            made = services.create_agent(**values, **common.acting(request))
        except HoopwebError as error:
            common.take_over(form, error)
        else:
            messages.success(request, f"{made} is created. Issue its first token.")
            return redirect("accounts:agent", made.pk)
    may_create = may_create_agents(me)
    context = {"form": form, "may_create": may_create, "admins": common.admins()}
    status = 403 if not may_create else 422 if form.errors else 200
    return render(request, "accounts/agent_new.html", context, status=status)


@require_GET
def detail(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """One agent: its owner, tokens, teams and what it may use."""
    found = seen(request, agent_id)
    return render(request, "accounts/agent.html", context_of(request, found))


def context_of(request: HttpRequest, agent: Agent) -> dict[str, Any]:
    me = common.viewer(request)
    names = seams.connection_names()
    tokens = agent.tokens.order_by("revoked_at", "-expires_at")
    return {
        "agent": agent,
        "tokens": [(token, state_of(token), _bound(token, names)) for token in tokens],
        "identities": agent.identities.select_related("issuer", "rule"),
        "is_owner": agent.owner_id == me.pk,
        "may_manage": Agent.objects.managed_by(me).filter(pk=agent.pk).exists(),
    }


def state_of(token: AgentToken) -> str:
    if token.revoked_at is not None:
        return "revoked"
    return "active" if token.is_live() else "expired"


def _bound(token: AgentToken, names: dict[UUID, str]) -> list[str]:
    return [names.get(UUID(each), "a connection that is gone") for each in token.connections]


@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Change an agent."""
    me = common.viewer(request)
    found = seen(request, agent_id)
    found = get_object_or_404(Agent.objects.managed_by(me).select_related("owner"), pk=found.pk)
    held = list(found.teams.all())
    initial = {
        "name": found.name,
        "description": found.description,
        "owner": found.owner,
        "teams": held,
    }
    form = AgentForm(common.posted(request), by=me, held=held, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            services.update_agent(agent=found, **form.cleaned_data, **common.acting(request))
        except HoopwebError as error:
            common.take_over(form, error)
        else:
            messages.success(request, f"{form.cleaned_data['name']} is saved.")
            return redirect("accounts:agent", found.pk)
    context = {"form": form, "agent": found}
    return render(request, "accounts/agent_edit.html", context, status=422 if form.errors else 200)


@require_POST
def switch(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Disable or enable an agent."""
    found = seen(request, agent_id)
    verb = services.disable_agent if request.POST.get("to") == "off" else services.enable_agent
    try:
        verb(agent=found, **common.acting(request))
    except NotAllowed as error:
        raise PermissionDenied(error.detail) from error
    except HoopwebError as error:
        messages.error(request, error.detail)
    else:
        said = "works again" if found.is_active else "is disabled; its tokens open nothing"
        messages.success(request, f"{found} {said}.")
    return redirect("accounts:agent", found.pk)

"""Tokens of an agent. The text stands in the one answer to the request that made it."""

from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts import seams, services
from accounts.forms import RotateForm, TokenForm
from accounts.models import Agent, AgentToken
from accounts.services.acting import need_owner
from accounts.services.tokens import IssuedToken
from accounts.views import common
from accounts.views.agents import seen
from hoopweb.lib.errors import HoopwebError, NotAllowed


def _mine(request: HttpRequest, agent_id: UUID) -> Agent:
    """The agent, if the viewer answers for it; who only sees it is told who does."""
    agent = seen(request, agent_id)
    try:
        need_owner(common.viewer(request), agent, "issue or rotate its tokens")
    except NotAllowed as error:
        raise PermissionDenied(error.detail) from error
    return agent


def _token(agent: Agent, token_id: UUID) -> AgentToken:
    return get_object_or_404(agent.tokens.select_related("agent__owner"), pk=token_id)


@never_cache
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Issue a token; it is shown once."""
    agent = _mine(request, agent_id)
    form = TokenForm(
        common.posted(request),
        connections=seams.connections(agent.as_principal()),
        most_days=services.max_days(),
    )
    if request.method == "POST" and form.is_valid():
        try:
            issued = services.issue_token(
                agent=agent,
                label=form.cleaned_data["label"],
                days=form.cleaned_data["days"],
                scopes=form.cleaned_data["scopes"],
                networks=form.cleaned_data["networks"],
                connections=[UUID(c) for c in form.cleaned_data.get("connections", ())],
                **common.acting(request),
            )
        except HoopwebError as error:
            common.take_over(form, error)
        else:
            return _shown(request, issued)
    context = {"form": form, "agent": agent}
    return render(request, "accounts/token_new.html", context, status=422 if form.errors else 200)


@never_cache
@require_http_methods(["GET", "POST"])
def rotate(request: HttpRequest, agent_id: UUID, token_id: UUID) -> HttpResponse:
    """Replace a token; the old one goes on for a while."""
    agent = _mine(request, agent_id)
    token = _token(agent, token_id)
    form = RotateForm(common.posted(request))
    if request.method == "POST" and form.is_valid():
        try:
            issued = services.rotate_token(
                token=token,
                overlap=timedelta(hours=form.cleaned_data["overlap"]),
                **common.acting(request),
            )
        except HoopwebError as error:
            common.take_over(form, error)
        else:
            token.refresh_from_db()
            return _shown(request, issued, old=token)
    context = {"form": form, "agent": agent, "token": token}
    return render(
        request, "accounts/token_rotate.html", context, status=422 if form.errors else 200
    )


def _shown(
    request: HttpRequest, issued: IssuedToken, old: AgentToken | None = None
) -> HttpResponse:
    agent, token = issued.token.agent, issued.token
    back = reverse("accounts:agent", args=[agent.pk])
    address = f"{settings.SITE_URL}/api/v1/connections"
    context = {
        "token": token,
        "text": issued.text,
        "old": old,
        "crumbs": [(reverse("accounts:agents"), "Agents"), (back, agent)],
        "back": back,
        "warning": "Whoever holds it acts as the agent",
        "keep_it": "Put it into the agent's secret store, not into code, chats or tickets. If it "
        "leaks, revoke it here.",
        "next_title": "Try it",
        # By variable, so that the token stays out of the shell's history.
        "next_text": f'curl -H "Authorization: Bearer $HOOPWEB_TOKEN" {address}',
        "next_what": "command",
        "bounds": [
            ("It may", ", ".join(token.scopes)),
            ("From", ", ".join(token.networks) or "anywhere"),
        ],
    }
    return render(request, "accounts/token_issued.html", context)


@require_POST
def revoke(request: HttpRequest, agent_id: UUID, token_id: UUID) -> HttpResponse:
    """End a token at once."""
    agent = seen(request, agent_id)
    token = _token(agent, token_id)
    try:
        services.revoke_token(token=token, **common.acting(request))
    except NotAllowed as error:
        raise PermissionDenied(error.detail) from error
    except HoopwebError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, f"The token {token.label} is revoked.")
    return redirect("accounts:agent", agent.pk)

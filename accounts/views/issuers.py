"""Issuers of agents' tokens, for admins."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.models import Agent, AgentIdentity, Issuer
from accounts.services import identities, issuer_keys, issuers
from accounts.trust_forms import IdentityForm, IssuerForm
from accounts.views import common
from hoopweb.lib.errors import HoopwebError

_FOR = "Issuers are for admins."


@require_GET
def listing(request: HttpRequest) -> HttpResponse:
    """Issuers of agents' tokens, and how each stands with its keys."""
    common.admin(request, _FOR)
    rows = Issuer.objects.annotate(
        agents=Count("identities__agent", distinct=True), rule_count=Count("rules", distinct=True)
    )
    context = {
        "issuers": [(row, _keys(row)) for row in rows],
        "now": timezone.now(),
    }
    return render(request, "accounts/issuers.html", context)


@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Set up an issuer."""
    common.admin(request, _FOR)
    form = IssuerForm(common.posted(request))
    if request.method == "POST" and form.is_valid():
        try:
            made = issuers.create_issuer(**form.cleaned_data, **common.acting(request))
        except HoopwebError as error:
            common.take_over(form, error)
        else:
            messages.success(request, f"{made} is set up. Fetch its keys to see that it answers.")
            return redirect("accounts:issuer", made.pk)
    status = 422 if form.errors else 200
    return render(request, "accounts/issuer_new.html", {"form": form}, status=status)


@require_http_methods(["GET", "POST"])
def detail(request: HttpRequest, issuer_id: UUID) -> HttpResponse:
    """One issuer: its keys, the agents it vouches for, how its tokens are read."""
    common.admin(request, _FOR)
    found = get_object_or_404(Issuer, pk=issuer_id)
    form = IssuerForm(common.posted(request), fixed=True, initial=IssuerForm.initial_of(found))
    if request.method == "POST" and form.is_valid():
        try:
            issuers.update_issuer(issuer=found, **form.cleaned_data, **common.acting(request))
        except HoopwebError as error:
            common.take_over(form, error)
        else:
            messages.success(request, f"{form.cleaned_data['name']} is saved.")
            return redirect("accounts:issuer", found.pk)
    context: dict[str, Any] = {
        "issuer": found,
        "form": form,
        "keys": found.given_keys or found.fetched_keys,
        "keys_state": _keys(found),
        "ends": found.fetched_at + issuer_keys.END if found.fetched_at else None,
        "identities": found.identities.select_related("agent", "rule"),
        "rules": found.rules.all(),
    }
    return render(request, "accounts/issuer.html", context, status=422 if form.errors else 200)


@require_POST
def fetch(request: HttpRequest, issuer_id: UUID) -> HttpResponse:
    """Ask an issuer for its keys now."""
    me = common.admin(request, _FOR)
    found = get_object_or_404(Issuer, pk=issuer_id)
    if issuers.fetch_keys(issuer=found, by=me):
        number = len(found.given_keys or found.fetched_keys)
        messages.success(request, f"{found} has {number} usable public keys.")
    else:
        messages.error(request, found.fetch_error)
    return redirect("accounts:issuer", found.pk)


@require_POST
def switch(request: HttpRequest, issuer_id: UUID) -> HttpResponse:
    """Believe an issuer, or no longer."""
    common.admin(request, _FOR)
    found = get_object_or_404(Issuer, pk=issuer_id)
    on = request.POST.get("to") != "off"
    issuers.switch_issuer(issuer=found, on=on, **common.acting(request))
    said = "is believed again" if on else "is disabled; none of its tokens opens anything"
    messages.success(request, f"{found} {said}.")
    return redirect("accounts:issuer", found.pk)


@require_POST
def delete(request: HttpRequest, issuer_id: UUID) -> HttpResponse:
    """Take away an issuer that nothing depends on."""
    common.admin(request, _FOR)
    found = get_object_or_404(Issuer, pk=issuer_id)
    try:
        issuers.delete_issuer(issuer=found, **common.acting(request))
    except HoopwebError as error:
        messages.error(request, error.detail)
        return redirect("accounts:issuer", found.pk)
    messages.success(request, f"{found} is deleted.")
    return redirect("accounts:issuers")


@require_http_methods(["GET", "POST"])
def new_identity(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """Give an agent an identity at an issuer."""
    common.admin(request, "Identities of agents are for admins.")
    agent = get_object_or_404(Agent, pk=agent_id)
    form = IdentityForm(common.posted(request))
    if request.method == "POST" and form.is_valid():
        try:
            identities.add_identity(agent=agent, **form.cleaned_data, **common.acting(request))
        except HoopwebError as error:
            common.take_over(form, error)
        else:
            messages.success(request, f"{agent} may come in as {form.cleaned_data['subject']}.")
            return redirect("accounts:agent", agent.pk)
    context = {"form": form, "agent": agent, "issuers": Issuer.objects.filter(is_active=True)}
    return render(
        request, "accounts/identity_new.html", context, status=422 if form.errors else 200
    )


@require_POST
def remove_identity(request: HttpRequest, agent_id: UUID, identity_id: UUID) -> HttpResponse:
    """Take an identity from an agent."""
    common.admin(request, "Identities of agents are for admins.")
    rows = AgentIdentity.objects.select_related("agent", "issuer", "rule")
    found = get_object_or_404(rows, pk=identity_id, agent_id=agent_id)
    identities.remove_identity(identity=found, **common.acting(request))
    messages.success(request, f"{found.subject} opens nothing any more.")
    return redirect("accounts:agent", agent_id)


def _keys(row: Issuer) -> str:
    """In a word, how it stands with its keys."""
    if row.given_keys:
        return "given"
    if row.fetch_error:
        return "failing"
    return "fetched" if row.fetched_at else "untested"

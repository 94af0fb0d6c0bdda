"""Mapping rules, and the page that tries them, for admins."""

from collections.abc import Iterable, Mapping
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts import seams, trial
from accounts.mapping import RoleAt, Source, Subject
from accounts.models import Issuer, MappingRule
from accounts.services import mapping_rules
from accounts.services.mapping import rule_of
from accounts.trust_forms import SOURCES, AgentRuleForm, PersonRuleForm, TrialForm
from accounts.views import common
from hoopweb.lib.errors import HoopwebError

_FOR = "Mapping rules are for admins."


@require_GET
def listing(request: HttpRequest) -> HttpResponse:
    """Mapping rules for people and agents, in their order."""
    common.admin(request, _FOR)
    rows = MappingRule.objects.select_related("issuer", "owner", "changed_by").prefetch_related(
        "teams"
    )
    context = {
        "people": [_shown(row) for row in rows if row.subject == Subject.PERSON],
        "agents": [_shown(row) for row in rows if row.subject == Subject.AGENT],
        "has_issuers": Issuer.objects.exists(),
    }
    return render(request, "accounts/mapping.html", context)


@require_http_methods(["GET", "POST"])
def person_rule(request: HttpRequest, rule_id: UUID | None = None) -> HttpResponse:
    """Write a rule that gives people teams and roles."""
    common.admin(request, _FOR)
    rule = _rule(rule_id, Subject.PERSON)
    form = PersonRuleForm(common.posted(request), rule=rule, connections=seams.connections())
    if request.method == "POST" and form.is_valid():
        try:
            mapping_rules.save_person_rule(rule=rule, **form.values(), **common.acting(request))
        except HoopwebError as error:
            common.take_over(form, error)
        else:
            messages.success(request, "The rule is saved. It counts from the next sign-in on.")
            return redirect("accounts:mapping")
    context = {"form": form, "rule": rule}
    return render(request, "accounts/person_rule.html", context, status=422 if form.errors else 200)


@require_http_methods(["GET", "POST"])
def agent_rule(request: HttpRequest, agent_rule_id: UUID | None = None) -> HttpResponse:
    """Write a rule by which an issuer's tokens make agents."""
    common.admin(request, _FOR)
    rule = _rule(agent_rule_id, Subject.AGENT)
    form = AgentRuleForm(common.posted(request), rule=rule)
    if request.method == "POST" and form.is_valid():
        try:
            mapping_rules.save_agent_rule(rule=rule, **form.values(), **common.acting(request))
        except HoopwebError as error:
            common.take_over(form, error)
        else:
            messages.success(request, "The rule is saved. It counts from the next token on.")
            return redirect("accounts:mapping")
    context = {"form": form, "rule": rule, "has_issuers": Issuer.objects.exists()}
    return render(request, "accounts/agent_rule.html", context, status=422 if form.errors else 200)


@require_POST
def change(request: HttpRequest, rule_id: UUID) -> HttpResponse:
    """Move, switch or delete a mapping rule: the button's ``to`` says which."""
    common.admin(request, _FOR)
    rule = get_object_or_404(MappingRule, pk=rule_id)
    to, who = request.POST.get("to"), common.acting(request)
    try:
        if to in {"up", "down"}:
            mapping_rules.move_rule(rule=rule, up=to == "up", **who)
        elif to in {"on", "off"}:
            mapping_rules.switch_rule(rule=rule, on=to == "on", **who)
        elif to == "gone":
            mapping_rules.delete_rule(rule=rule, **who)
            messages.success(request, f"The rule {rule} is deleted.")
    except HoopwebError as error:
        messages.error(request, error.detail)
    return redirect("accounts:mapping")


@never_cache
@sensitive_post_parameters("text")
@require_http_methods(["GET", "POST"])
def try_out(request: HttpRequest) -> HttpResponse:
    """Try a token or claims on the mapping rules."""
    common.admin(request, _FOR)
    form = TrialForm(common.posted(request), initial={"taken_as": request.GET.get("as", "")})
    found = None
    if request.method == "POST" and form.is_valid():
        try:
            chosen, text = form.chosen(), form.cleaned_data["text"]
            if isinstance(chosen, Source):
                found = trial.try_person(text, chosen)
            else:
                found = trial.try_agent(text, chosen)
        except HoopwebError as error:
            common.take_over(form, error)
    names = seams.connection_names()
    context = {
        "form": form,
        "trial": found,
        "teams": sorted(found.person.teams) if found and found.person else [],
        "roles": _roles(found.person.roles, names) if found and found.person else [],
    }
    return render(request, "accounts/mapping_try.html", context, status=422 if form.errors else 200)


def _rule(rule_id: UUID | None, subject: Subject) -> MappingRule | None:
    if rule_id is None:
        return None
    return get_object_or_404(MappingRule, pk=rule_id, subject=subject)


def _shown(row: MappingRule) -> dict[str, object]:
    rule = rule_of(row)
    return {
        "rule": row,
        "conditions": rule.conditions,
        "source": SOURCES[Source(row.source)] if row.source else "",
        "roles": _roles(rule.roles, seams.connection_names()),
    }


def _roles(roles: Iterable[RoleAt], names: Mapping[UUID, str]) -> list[str]:
    found = []
    for at in roles:
        gone = "a connection that is gone"
        where = f"on {names.get(at.connection_id, gone)}" if at.connection_id else "everywhere"
        found.append(f"{at.role} {where}")
    return sorted(found)

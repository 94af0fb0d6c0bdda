"""What would happen to a statement, for anyone, without anything happening."""

from collections import defaultdict
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from accounts.models import Agent, User
from accounts.principal import Principal, PrincipalKind
from connections import services
from connections.judge import Verdict, judge
from connections.masking.strategies import strictest
from connections.models import Connection
from connections.policy.types import Subject
from connections.policy_forms import SimulateForm
from connections.views import common
from hoopweb.lib.htmx import part_or_page


@require_http_methods(["GET", "POST"])
def simulate(request: HttpRequest) -> HttpResponse:
    """POST judges the text; nothing runs and nothing is recorded."""
    user = common.viewer(request)
    rows = list(Connection.objects.visible_to(user).order_by("name"))
    form = SimulateForm(
        request.POST or None,
        connections=[row.name for row in rows],
        principals=_principals(user),
        initial={"connection": request.GET.get("connection", "")},
    )
    context: dict[str, Any] = {"form": form, "connections": rows}
    if request.method == "POST" and form.is_valid():
        row = next(r for r in rows if r.name == form.cleaned_data["connection"])
        context |= _judged(row, form, user)
    status = 422 if form.errors else 200
    return part_or_page(
        request,
        "connections/simulate.html",
        "connections/_simulated.html",
        context,
        status=status,
    )


def _principals(user: User) -> list[tuple[str, Any]]:
    """Whom this person may simulate: themselves, agents they see, and for admins everyone."""
    agents = Agent.objects.visible_to(user).filter(is_active=True)[:200]
    choices: list[tuple[str, Any]] = [("me", f"me, {user}"), ("nobody", "an agent in no team")]
    if agents:
        choices.append(("Agents", [(f"agent:{agent.pk}", agent.name) for agent in agents]))
    if user.is_admin:
        people = User.objects.filter(is_active=True).exclude(pk=user.pk).order_by("name")[:200]
        choices.append(("People", [(f"user:{person.pk}", str(person)) for person in people]))
    return choices


def _principal(chosen: str, user: User) -> Principal:
    kind, _, key = chosen.partition(":")
    if kind == "agent":
        return Agent.objects.get(pk=key).as_principal()
    if kind == "user":
        return User.objects.get(pk=key).as_principal()
    if kind == "nobody":
        return Principal(PrincipalKind.AGENT, user.pk, "simulated agent")
    return user.as_principal()


def _judged(row: Connection, form: SimulateForm, user: User) -> dict[str, Any]:
    data = form.cleaned_data
    principal = _principal(data["principal"], user)
    verdict = judge(
        data["sql"],
        context=services.context_for(row),
        catalogue=services.catalogue_for(row),
        ruleset=services.ruleset_for(row),
        subject=Subject(
            kind=principal.kind.value,
            id=str(principal.id),
            name=principal.name,
            groups=principal.groups,
            on_behalf_of=principal.on_behalf_of,
            connection=row.name,
            door=data["door"],
            at=timezone.now(),
        ),
    )
    return {
        "row": row,
        "principal": principal,
        "verdict": verdict,
        "rule_url": reverse("connections:rules", args=[row.name]),
        "sent": verdict.sql_shown or "",
        "lineage": _lineage(verdict),
        "outputs": [
            (name, position in verdict.masked_outputs)
            for position, name in enumerate(verdict.output_names)
        ],
        "facts": [
            ("Class", verdict.facts.statement_class.replace("-", " ").upper()),
            ("Connection", row.name),
            ("Policy revision", row.policy_revision),
            ("Catalogue version", row.catalogue_version or "not read yet"),
            ("Role", row.role or "the user's default"),
        ],
    }


def _lineage(verdict: Verdict) -> list[dict[str, Any]]:
    """Each column with its uses and its mask, protected ones first."""
    worn: dict[str, list[str]] = defaultdict(list)
    for item in verdict.decision.protections:
        worn[item.column].append(item.strategy)
    masks = {column: strictest(names) for column, names in worn.items()}
    uses: dict[str, list[str]] = defaultdict(list)
    for use in verdict.facts.columns:
        word = f"{use.use} of {use.function}" if use.function else str(use.use)
        if word not in uses[str(use.column)]:
            uses[str(use.column)].append(word)
    found = [
        {"column": column, "uses": words, "strategy": masks.get(column, "")}
        for column, words in uses.items()
    ]
    return sorted(found, key=lambda entry: (not entry["strategy"], entry["column"]))

"""The policy of a connection: its ordered rules, and the way to the rest."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from connections import services
from connections.models import Connection, PolicyRevision
from connections.views import common
from connections.views.sentences import sentence_of, terms_of
from hoopweb.lib.errors import HoopwebError


@require_GET
def policy(request: HttpRequest) -> HttpResponse:
    """The policy of the connection that was asked for, else of the first."""
    user = common.viewer(request)
    found = Connection.objects.visible_to(user).order_by("name")
    wanted = request.GET.get("connection")
    row = found.filter(name=wanted).first() if wanted else None
    row = row or found.first()
    if row is None:
        return render(request, "connections/no_policy.html", {"may_register": user.is_admin})
    show = request.GET.get("show")
    return redirect(
        f"connections:{show}"
        if show in {"protections", "detectors", "revisions"}
        else "connections:rules",
        row.name,
    )


def frame(request: HttpRequest, row: Connection, show: str) -> dict[str, Any]:
    """What every policy page has around it: tabs, the choice of connection, who may change."""
    user = common.viewer(request)
    tabs = [
        ("rules", "Rules", row.rules.count()),
        ("protections", "Protections", row.protections.count()),
        ("detectors", "Detectors", None),
        ("revisions", "Revisions", None),
    ]
    return {
        "row": row,
        "may_change": common.may_change(request, row),
        "admins": common.admins_of(row),
        "others": Connection.objects.visible_to(user)
        .order_by("name")
        .values_list("name", flat=True),
        "show": show,
        "tabs": [
            {
                "label": label,
                "url": reverse(f"connections:{name}", args=[row.name]),
                "current": name == show,
                "count": count,
            }
            for name, label, count in tabs
        ],
        "latest": PolicyRevision.objects.filter(connection=row).defer("content").first(),
    }


@require_GET
def rules(request: HttpRequest, name: str) -> HttpResponse:
    """The ordered rules of one connection."""
    row = common.seen(request, name)
    return render(request, "connections/rules.html", rules_context(request, row))


def rules_context(request: HttpRequest, row: Connection) -> dict[str, Any]:
    found = list(row.rules.all())
    return frame(request, row, "rules") | {
        "rules": [
            {
                "rule": rule,
                "sentence": sentence_of(rule.match),
                "terms": terms_of(rule) if rule.effect == "review" else "",
                "place": place,
                "first": place == 1,
                "last": place == len(found),
            }
            for place, rule in enumerate(found, start=1)
        ],
        "any_enabled": any(rule.enabled for rule in found),
    }


@require_POST
def install_default(request: HttpRequest, name: str) -> HttpResponse:
    """Write the default rules into a connection that has none."""
    row = common.changeable(request, name)
    try:
        services.install_default_policy(connection=row, **common.acting(request))
        messages.success(request, "The default rules are in force.")
    except HoopwebError as error:
        common.tell(request, error)
    return redirect("connections:rules", row.name)


@require_GET
def export(request: HttpRequest, name: str) -> HttpResponse:
    """The policy as the document that ``manage.py policy import`` reads."""
    row = common.seen(request, name)
    return HttpResponse(
        services.export_policy(row),
        content_type="application/yaml; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="policy-{row.name}.yaml"'},
    )

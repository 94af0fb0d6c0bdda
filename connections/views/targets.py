"""Connections: the list, one of them, registering, changing, testing."""

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from connections import services
from connections.forms import AccessForm, PlaceForm
from connections.models import Catalogue, CatalogueSync, Connection, Credential
from connections.views import common
from connections.views.registration import blank_steps, credential_form, place_form, unfinished_of
from connections.views.running import test_context
from hoopweb.lib.errors import HoopwebError
from recordings.models import AuditEntry

RECENT = 8


@require_GET
def listing(request: HttpRequest) -> HttpResponse:
    """All connections that this person may see."""
    user = common.viewer(request)
    rows = (
        Connection.objects.visible_to(user)
        .select_related("registered_by")
        .annotate(
            rule_count=Count("rules", filter=Q(rules__enabled=True), distinct=True),
            protection_count=Count(
                "protections", filter=Q(protections__enabled=True), distinct=True
            ),
            access_count=Count("access", distinct=True),
        )
        .order_by("name")
    )
    newest = (
        Catalogue.objects.filter(connection_id__in=[row.pk for row in rows])
        .order_by("connection_id", "-version")
        .distinct("connection_id")
        .defer("content")
    )
    catalogues = {item.connection_id: item for item in newest}
    found = [
        {
            "row": row,
            "health": common.health_of(row),
            "catalogue": catalogues.get(row.pk),
        }
        for row in rows
        if row.is_confirmed
    ]
    context = {
        "rows": found,
        "unfinished": unfinished_of(request, [row for row in rows if not row.is_confirmed]),
        "may_register": user.is_admin,
        "now": timezone.now(),
    }
    return render(request, "connections/list.html", context)


@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """The first step of registering a connection; it is kept from here on."""
    user = common.viewer(request)
    if not user.is_admin:
        raise PermissionDenied(
            "Only an admin of all connections may register one. Ask one of them."
        )
    form = PlaceForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            row = services.register_connection(**form.settings(), **common.acting(request))
        except HoopwebError as error:
            common.take_over(form, error)
        else:
            return redirect("connections:setup-step", row.name, "method")
    status = 422 if form.errors else 200
    context = {"form": form, "steps": blank_steps()}
    return render(request, "connections/new.html", context, status=status)


@require_GET
def detail(request: HttpRequest, name: str) -> HttpResponse:
    """One connection: where it leads, who may use it, how it is."""
    row = common.seen(request, name)
    return render(request, "connections/detail.html", detail_context(request, row))


def detail_context(
    request: HttpRequest, row: Connection, access_form: AccessForm | None = None
) -> dict[str, Any]:
    """Everything that the page of one connection shows."""
    user = common.viewer(request)
    may_change = common.may_change(request, row)
    credential = Credential.objects.filter(connection=row).first()
    catalogue = row.catalogues.defer("content").filter(version=row.catalogue_version).first()
    access = list(row.access.select_related("team", "user", "agent"))
    may_audit = may_change or row.pk in user.audits
    return {
        "row": row,
        "health": common.health_of(row),
        "may_change": may_change,
        "credential": credential,
        "catalogue": catalogue,
        "sync": CatalogueSync.objects.filter(connection=row).first(),
        "access": [(item, item.is_live(), common.holder_of(item)) for item in access],
        "access_form": access_form or AccessForm() if may_change else None,
        "rules": row.rules.filter(enabled=True).count(),
        "protections": row.protections.filter(enabled=True).count(),
        **test_context(row),
        "recent": _recent(row) if may_audit else [],
        "admins": common.admins_of(row),
    }


def _recent(row: Connection) -> list[dict[str, Any]]:
    """The last changes of the connection itself; the policy has its own list."""
    found = AuditEntry.objects.filter(object_kind="connection", object_id=str(row.pk))[:RECENT]
    return [
        {"entry": entry, "words": entry.action.replace("-", " ").capitalize()} for entry in found
    ]


@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, name: str) -> HttpResponse:
    """Change where a connection leads and its limits."""
    row = common.changeable(request, name)
    form, saved = place_form(request, row)
    if saved is not None:
        messages.success(request, f"{saved.name} is saved.")
        return redirect("connections:detail", saved.name)
    status = 422 if form.errors else 200
    return render(request, "connections/edit.html", {"row": row, "form": form}, status=status)


@require_http_methods(["GET", "POST"])
def credential(request: HttpRequest, name: str) -> HttpResponse:
    """Set another credential; the old one is never shown."""
    row = common.changeable(request, name)
    form, found, is_set = credential_form(request, row)
    if is_set:
        messages.success(request, f"The credential of {row.name} is set. Test it now.")
        return redirect("connections:detail", row.name)
    status = 422 if form.errors else 200
    context = {"row": row, "form": form, "credential": found}
    return render(request, "connections/credential.html", context, status=status)


@require_POST
def set_state(request: HttpRequest, name: str) -> HttpResponse:
    """Switch a connection off or on."""
    row = common.changeable(request, name)
    if request.POST.get("active") == "1":
        try:
            services.enable_connection(connection=row, **common.acting(request))
        except HoopwebError as error:
            common.tell(request, error)
            return common.home(row)
        messages.success(request, f"{row.name} is enabled. Statements pass again.")
    else:
        services.disable_connection(connection=row, **common.acting(request))
        messages.success(request, f"{row.name} is disabled. No statement passes.")
    return redirect("connections:detail", row.name)

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
from connections.forms import AccessForm, CredentialForm, PlaceForm, RegisterForm
from connections.models import Catalogue, CatalogueSync, Connection, Credential
from connections.views import common
from connections.views.setup import health_of, setup_of
from hoopweb.lib.errors import HoopwebError
from hoopweb.lib.htmx import is_part
from recordings.models import AuditEntry

RECENT = 8


@require_GET
def listing(request: HttpRequest) -> HttpResponse:
    """All connections that this person may see."""
    user = common.viewer(request)
    rows = (
        Connection.objects.visible_to(user)
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
            "health": health_of(row),
            "catalogue": catalogues.get(row.pk),
        }
        for row in rows
    ]
    return render(
        request,
        "connections/list.html",
        {"rows": found, "may_register": user.is_admin, "now": timezone.now()},
    )


@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Register a connection; what follows stands on its own page as a list of steps."""
    user = common.viewer(request)
    if not user.is_admin:
        raise PermissionDenied(
            "Only an admin of all connections may register one. Ask one of them."
        )
    form = RegisterForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            row = services.register_connection(
                **form.settings(), credential=form.given(), **common.acting(request)
            )
        except HoopwebError as error:
            common.take_over(form, error)
        else:
            messages.success(request, f"{row.name} is registered. These steps make it work.")
            return redirect("connections:detail", row.name)
    status = 422 if form.errors else 200
    return render(request, "connections/new.html", {"form": form}, status=status)


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
        "health": health_of(row),
        "may_change": may_change,
        "credential": credential,
        "catalogue": catalogue,
        "sync": CatalogueSync.objects.filter(connection=row).first(),
        "access": [(item, item.is_live(), _holder(item)) for item in access],
        "access_form": access_form or AccessForm() if may_change else None,
        "rules": row.rules.filter(enabled=True).count(),
        "protections": row.protections.filter(enabled=True).count(),
        "setup": setup_of(row, credential, access) if may_change else None,
        "recent": _recent(row) if may_audit else [],
        "admins": common.admins_of(row),
    }


def _recent(row: Connection) -> list[dict[str, Any]]:
    """The last changes of the connection itself; the policy has its own list."""
    found = AuditEntry.objects.filter(object_kind="connection", object_id=str(row.pk))[:RECENT]
    return [
        {"entry": entry, "words": entry.action.replace("-", " ").capitalize()} for entry in found
    ]


def _holder(access: Any) -> tuple[str, str]:
    if access.agent:
        return "agent", access.agent.name
    return ("person", str(access.user)) if access.user else ("team", access.team.name)


@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, name: str) -> HttpResponse:
    """Change where a connection leads and its limits."""
    row = common.changeable(request, name)
    form = PlaceForm(request.POST or None, initial=PlaceForm.initial_of(row))
    if request.method == "POST" and form.is_valid():
        try:
            row = services.update_connection(
                connection=row,
                revision=form.cleaned_data["revision"],
                **form.settings(),
                **common.acting(request),
            )
        except HoopwebError as error:
            common.take_over(form, error)
            if "revision" in error.fields:
                form.renew_revision(error.fields["revision"])
        else:
            messages.success(request, f"{row.name} is saved.")
            return redirect("connections:detail", row.name)
    status = 422 if form.errors else 200
    return render(request, "connections/edit.html", {"row": row, "form": form}, status=status)


@require_http_methods(["GET", "POST"])
def credential(request: HttpRequest, name: str) -> HttpResponse:
    """Set another credential; the old one is never shown."""
    row = common.changeable(request, name)
    found = Credential.objects.filter(connection=row).first()
    initial = (
        {
            "method": found.method,
            "login_name": found.login_name,
            "source": found.source,
            "reference_name": found.reference.get("name", ""),
            "reference_field": found.reference.get("field", ""),
            **{k: found.public.get(k, "") for k in ("provider", "token_url", "client_id", "scope")},
        }
        if found
        else {}
    )
    form = CredentialForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            services.set_credential(connection=row, **form.given(), **common.acting(request))
        except HoopwebError as error:
            common.take_over(form, error)
        else:
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
        services.enable_connection(connection=row, **common.acting(request))
        messages.success(request, f"{row.name} is enabled. Statements pass again.")
    else:
        services.disable_connection(connection=row, **common.acting(request))
        messages.success(request, f"{row.name} is disabled. No statement passes.")
    return redirect("connections:detail", row.name)


@require_POST
def test(request: HttpRequest, name: str) -> HttpResponse:
    """Log in and look round, a step at a time; the report stays on the page."""
    row = common.changeable(request, name)
    before = health_of(row)
    row = services.test_connection(connection=row, **common.acting(request))
    if not is_part(request):
        return redirect("connections:detail", row.name)
    response = render(request, "connections/_test.html", {"row": row, "may_change": True})
    if health_of(row) != before:
        # The state beside the name and the set-up steps hang on it.
        response.headers["HX-Refresh"] = "true"
    return response

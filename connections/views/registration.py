"""Registering a connection, a step at a time; each can be gone back to until the last is done."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from connections import services
from connections.forms import AccessForm, CredentialForm, PlaceForm
from connections.models import CatalogueSync, Connection, Credential
from connections.services.setup_sql import setup_statements
from connections.views import common
from connections.views.masks import suggestions_context
from connections.views.policies import rules_context
from connections.views.running import test_context
from hoopweb.lib.errors import Conflict, HoopwebError

STEPS = {
    "account": "Account",
    "method": "Method",
    "test": "Test",
    "snowflake": "Set-up SQL",
    "catalogue": "Catalogue",
    "rules": "Rules",
    "protections": "Protections",
    "confirm": "Confirm",
}
_ORDER = tuple(STEPS)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the way; ``mark`` is done, failed or empty."""

    slug: str
    label: str
    mark: str = ""
    url: str = ""
    current: bool = False


def blank_steps() -> list[Step]:
    """The way before there is anything to register: only its first step can be gone to."""
    return [Step(slug, label, current=slug == "account") for slug, label in STEPS.items()]


def steps_of(row: Connection, current: str = "") -> list[Step]:
    open_ones = {item.step for item in services.missing_of(row)}
    if not services.is_healthy(row) and "snowflake" not in row.setup_seen:
        open_ones.add("snowflake")
    failed = row.tested_at is not None and not services.is_healthy(row)
    return [
        Step(
            slug,
            label,
            _mark(slug, open_ones, failed=failed),
            reverse("connections:setup-step", args=[row.name, slug]),
            slug == current,
        )
        for slug, label in STEPS.items()
    ]


def _mark(slug: str, open_ones: Iterable[str], *, failed: bool) -> str:
    if slug == "test" and failed:
        return "failed"
    return "" if slug == "confirm" or slug in open_ones else "done"


def unfinished_of(request: HttpRequest, rows: Iterable[Connection]) -> list[dict[str, Any]]:
    """Registrations that nobody has confirmed: how far each is, and what is next."""
    found = []
    for row in rows:
        steps = steps_of(row)
        found.append(
            {
                "row": row,
                "done": sum(step.mark == "done" for step in steps),
                "of": len(steps),
                "next": next(step for step in steps if step.mark != "done"),
                "may_change": common.may_change(request, row),
            }
        )
    return found


@require_GET
def setup(request: HttpRequest, name: str) -> HttpResponse:
    """To the first step of a registration that is not done."""
    row = common.changeable(request, name)
    if row.is_confirmed:
        return redirect("connections:detail", row.name)
    following = next(step for step in steps_of(row) if step.mark != "done")
    return redirect(following.url)


@require_http_methods(["GET", "POST"])
def setup_step(request: HttpRequest, name: str, step: str) -> HttpResponse:
    """One step of a registration: what there is to say or see, and the way on and back."""
    row = common.changeable(request, name)
    if step not in STEPS:
        raise Http404
    if row.is_confirmed:
        return redirect("connections:detail", row.name)
    return _PAGES[step](request, row)


@require_POST
def discard(request: HttpRequest, name: str) -> HttpResponse:
    """Delete a registration that nobody confirmed."""
    row = common.changeable(request, name)
    try:
        services.discard_registration(connection=row, **common.acting(request))
    except HoopwebError as error:
        common.tell(request, error)
    else:
        messages.success(request, f"The registration of {row.name} is deleted.")
    return redirect("connections:list")


def place_form(request: HttpRequest, row: Connection) -> tuple[PlaceForm, Connection | None]:
    """The form of where ``row`` leads, and the row when this request has saved it."""
    form = PlaceForm(request.POST or None, initial=PlaceForm.initial_of(row))
    if request.method == "POST" and form.is_valid():
        try:
            return form, services.update_connection(
                connection=row,
                revision=form.cleaned_data["revision"],
                **form.settings(),
                **common.acting(request),
            )
        except HoopwebError as error:
            common.take_over(form, error)
            if "revision" in error.fields:
                form.renew_revision(error.fields["revision"])
    return form, None


def credential_form(
    request: HttpRequest, row: Connection
) -> tuple[CredentialForm, Credential | None, bool]:
    """The form of how ``row`` logs in, what it has now, and whether this request has set it."""
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
            return form, found, True
    return form, found, False


def _page(
    request: HttpRequest, row: Connection, step: str, more: dict[str, Any], status: int = 200
) -> HttpResponse:
    place = _ORDER.index(step)
    context = {
        "row": row,
        "step": step,
        "steps": steps_of(row, step),
        "number": place + 1,
        "title": STEPS[step],
        "back": _ORDER[place - 1] if place else "",
        "onward": _ORDER[place + 1] if place + 1 < len(_ORDER) else "",
        "may_change": True,
        "may_discard": common.viewer(request).is_admin,
        **more,
    }
    return render(request, f"connections/setup/{step}.html", context, status=status)


def _on(row: Connection, step: str) -> HttpResponse:
    following = _ORDER[_ORDER.index(step) + 1]
    return redirect("connections:setup-step", row.name, following)


def _account(request: HttpRequest, row: Connection) -> HttpResponse:
    form, saved = place_form(request, row)
    if saved is not None:
        return _on(saved, "account")
    return _page(request, row, "account", {"form": form}, 422 if form.errors else 200)


def _method(request: HttpRequest, row: Connection) -> HttpResponse:
    form, found, is_set = credential_form(request, row)
    if is_set:
        return _on(row, "method")
    context = {"form": form, "credential": found}
    return _page(request, row, "method", context, 422 if form.errors else 200)


def _test(request: HttpRequest, row: Connection) -> HttpResponse:
    credential = Credential.objects.filter(connection=row).first()
    context = test_context(row) | {"credential": credential, "key_statement": _key(credential)}
    return _page(request, row, "test", context)


def _snowflake(request: HttpRequest, row: Connection) -> HttpResponse:
    if request.method == "POST":
        return _seen(request, row, "snowflake")
    credential = Credential.objects.filter(connection=row).first()
    context = {
        "sql": setup_statements(row, credential),
        "credential": credential,
        "key_statement": _key(credential),
        "healthy": services.is_healthy(row),
    }
    return _page(request, row, "snowflake", context)


def _key(credential: Credential | None) -> str:
    if credential is None or credential.method != Credential.Method.KEY_PAIR:
        return ""
    return services.key_statement(credential)


def _catalogue(request: HttpRequest, row: Connection) -> HttpResponse:
    context = {
        "sync": CatalogueSync.objects.filter(connection=row).first(),
        "catalogue": row.catalogues.defer("content").filter(version=row.catalogue_version).first(),
        "healthy": services.is_healthy(row),
    }
    return _page(request, row, "catalogue", context)


def _rules(request: HttpRequest, row: Connection) -> HttpResponse:
    if request.method == "POST":
        return _seen(request, row, "rules")
    return _page(request, row, "rules", rules_context(request, row))


def _protections(request: HttpRequest, row: Connection) -> HttpResponse:
    if request.method == "POST":
        return _seen(request, row, "protections")
    rows = list(row.protections.all())
    context = suggestions_context(row, rows) | {"protections": rows, "then": "setup"}
    return _page(request, row, "protections", context)


def _seen(request: HttpRequest, row: Connection, step: str) -> HttpResponse:
    services.mark_step_seen(connection=row, step=step, by=common.viewer(request))
    return _on(row, step)


def _confirm(request: HttpRequest, row: Connection) -> HttpResponse:
    status = 200
    if request.method == "POST":
        try:
            row = services.confirm_connection(connection=row, **common.acting(request))
        except Conflict:
            # What is missing stands on the page, each with the step where it is done.
            status = 409
            row.refresh_from_db()
        else:
            messages.success(request, f"{row.name} is confirmed. Who has access is served now.")
            return redirect("connections:detail", row.name)
    access = list(row.access.select_related("team", "user", "agent"))
    context = {
        "missing": [(item, STEPS[item.step]) for item in services.missing_of(row)],
        "credential": Credential.objects.filter(connection=row).first(),
        "catalogue": row.catalogues.defer("content").filter(version=row.catalogue_version).first(),
        "rules": row.rules.filter(enabled=True).count(),
        "protections": row.protections.filter(enabled=True).count(),
        "suggested": suggestions_context(row, list(row.protections.all()))["suggestion_count"],
        "health": common.health_of(row),
        "access": [(item, item.is_live(), common.holder_of(item)) for item in access],
        "access_form": AccessForm(),
    }
    return _page(request, row, "confirm", context, status)


_PAGES: dict[str, Callable[[HttpRequest, Connection], HttpResponse]] = {
    "account": _account,
    "method": _method,
    "test": _test,
    "snowflake": _snowflake,
    "catalogue": _catalogue,
    "rules": _rules,
    "protections": _protections,
    "confirm": _confirm,
}

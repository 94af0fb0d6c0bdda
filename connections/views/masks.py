"""Protected columns: the table, the suggestions, the form with its column picker."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from connections import services
from connections.masking.strategies import STRATEGIES, Strategy
from connections.models import Connection, Protection
from connections.policy_forms import ProtectionForm
from connections.services.kinds import kind_of, sample_of
from connections.services.suggestions import Suggestion, covers
from connections.views import common
from connections.views.policies import frame
from connections.views.running import sampling_context
from hoopweb.lib.errors import Conflict, HoopwebError
from hoopweb.lib.htmx import is_part

PICKED = 30
SHOWN_SUGGESTIONS = 12


@require_GET
def protections(request: HttpRequest, name: str) -> HttpResponse:
    """Protected columns and tags, and columns that look as if they should be."""
    row = common.seen(request, name)
    rows = list(row.protections.all())
    context = frame(request, row, "protections") | {
        "protections": [
            {"item": item, "strategy": STRATEGIES.get(item.strategy), "example": _example(item)}
            for item in rows
        ],
        **suggestions_context(row, rows),
    }
    return render(request, "connections/protections.html", context)


def suggestions_context(row: Connection, rows: list[Protection]) -> dict[str, Any]:
    """What the card of suggestions shows, and how far a sampling is."""
    found = suggestions_of(row, rows)
    return {
        "suggestions": found[:SHOWN_SUGGESTIONS],
        "more_suggestions": max(len(found) - SHOWN_SUGGESTIONS, 0),
        "suggestion_count": len(found),
        **sampling_context(row),
    }


def suggestions_of(row: Connection, rows: list[Protection]) -> list[dict[str, Any]]:
    """What may be worth protecting, with an example each."""
    if not row.catalogue_version:
        return []
    values = [item.as_value() for item in rows]
    return [
        {"item": item, "strategy": STRATEGIES[item.strategy], "example": _shown(item)}
        for item in services.suggest(services.catalogue_for(row), values, services.sampled_of(row))
    ]


def _shown(item: Suggestion) -> tuple[Any, Any]:
    return example_of(STRATEGIES[item.strategy], item.options, item.column.name, item.column.type)


def _example(item: Protection) -> tuple[Any, Any]:
    strategy = STRATEGIES.get(item.strategy)
    if strategy is None:
        return "", ""
    # Of a pattern or a tag the type is not known, so one that the strategy fits is assumed.
    guessed = next(t for t in ("TEXT", "NUMBER", "DATE") if strategy.fits(t))
    return example_of(strategy, item.options, item.column or item.tag, guessed)


def example_of(
    strategy: Strategy, options: dict[str, Any], column: str, column_type: str
) -> tuple[Any, Any]:
    """A made-up value of such a column, and what its readers see instead."""
    before = sample_of(column, column_type)
    return before, strategy.example(before, options)


@require_POST
def accept(request: HttpRequest, name: str) -> HttpResponse:
    """Protect one suggested column, or all of them in one revision."""
    row = common.changeable(request, name)
    found = suggestions_of(row, list(row.protections.all()))
    wanted = request.POST.get("column")
    items = [s["item"].as_values() for s in found if not wanted or s["item"].key == wanted]
    if not items:
        messages.info(request, "These columns are protected already.")
        return _back(request, row)
    try:
        made = services.create_protections(connection=row, items=items, **common.acting(request))
    except HoopwebError as error:
        common.tell(request, error)
    else:
        said = str(made[0]) if len(made) == 1 else f"{len(made)} columns"
        verb = "is" if len(made) == 1 else "are"
        messages.success(request, f"{said} {verb} protected from the next statement on.")
    return _back(request, row)


def _back(request: HttpRequest, row: Connection) -> HttpResponse:
    """To where the suggestions were shown: the policy, or the step of a registration."""
    if request.POST.get("then") == "setup" and not row.is_confirmed:
        return redirect("connections:setup-step", row.name, "protections")
    return redirect("connections:protections", row.name)


def pick(row: Connection, query: str) -> list[dict[str, Any]]:
    """Columns of the catalogue whose names have every word of ``query``."""
    words = query.casefold().split()
    if not words:
        return []
    values = [item.as_value() for item in row.protections.all()]
    found = []
    for table in services.catalogue_for(row).tables.values():
        name = str(table.name)
        for column in table.columns:
            full = f"{name}.{column.name}".casefold()
            if all(word in full for word in words):
                found.append(
                    {
                        "table": table.name,
                        "column": column,
                        "full": f"{name}.{column.name}",
                        "covered": covers(values, table, column),
                        "kind": kind_of(column.name),
                    }
                )
                if len(found) == PICKED:
                    return found
    return found


@require_http_methods(["GET", "POST"])
def new_protection(request: HttpRequest, name: str) -> HttpResponse:
    """Protect a column or a tag."""
    row = common.changeable(request, name)
    query = request.GET.get("q", "")
    if request.method == "GET" and is_part(request):
        context = {"row": row, "picked": pick(row, query), "query": query}
        return render(request, "connections/_picker.html", context)
    form = ProtectionForm(request.POST or None, initial=ProtectionForm.initial_from(request.GET))
    if request.method == "POST" and form.is_valid():
        try:
            item = services.create_protection(
                connection=row, **form.values(), **common.acting(request)
            )
        except HoopwebError as error:
            common.take_over(form, error)
        else:
            messages.success(request, f"{item} is protected from the next statement on.")
            return redirect("connections:protections", row.name)
    return _form(request, row, form, {"picked": pick(row, query), "query": query})


@require_http_methods(["GET", "POST"])
def edit_protection(request: HttpRequest, name: str, protection_id: UUID) -> HttpResponse:
    """Change a protection."""
    row = common.changeable(request, name)
    item = _protection(row, protection_id)
    form = ProtectionForm(request.POST or None, initial=ProtectionForm.initial_of(item))
    if request.method == "POST" and form.is_valid():
        try:
            item = services.update_protection(
                protection=item,
                revision=form.cleaned_data["revision"],
                **form.values(),
                **common.acting(request),
            )
        except Conflict as error:
            common.take_over(form, error)
            if "revision" in error.fields:
                form.renew_revision(error.fields["revision"])
                item.refresh_from_db()
        except HoopwebError as error:
            common.take_over(form, error)
        else:
            messages.success(request, f"The protection of {item} is saved and in force.")
            return redirect("connections:protections", row.name)
    return _form(request, row, form, {"item": item, "example": _example(item)})


def _form(
    request: HttpRequest, row: Connection, form: ProtectionForm, more: dict[str, Any]
) -> HttpResponse:
    column = form["column"].value() or form["tag"].value() or ""
    context = frame(request, row, "protections") | {
        "form": form,
        "strategies": [
            {
                "strategy": strategy,
                "fields": form.options_of(strategy.name),
                "example": example_of(
                    strategy,
                    {o.name: form[f"{strategy.name}_{o.name}"].value() for o in strategy.options},
                    column,
                    next(t for t in ("TEXT", "NUMBER", "DATE") if strategy.fits(t)),
                ),
            }
            for strategy in STRATEGIES.values()
        ],
        **more,
    }
    status = 422 if form.errors else 200
    return render(request, "connections/protection.html", context, status=status)


@require_POST
def switch_protection(request: HttpRequest, name: str, protection_id: UUID) -> HttpResponse:
    """Switch a protection off or on."""
    row = common.changeable(request, name)
    enabled = request.POST.get("enabled") == "1"
    try:
        item = services.set_protection_enabled(
            protection=_protection(row, protection_id),
            enabled=enabled,
            revision=common.whole(request.POST.get("revision")),
            **common.acting(request),
        )
    except HoopwebError as error:
        common.tell(request, error)
    else:
        said = "masked again" if enabled else "shown in clear from the next statement on"
        messages.success(request, f"{item} is {said}.")
    return redirect("connections:protections", row.name)


@require_POST
def delete_protection(request: HttpRequest, name: str, protection_id: UUID) -> HttpResponse:
    """Take a protection away."""
    row = common.changeable(request, name)
    item = _protection(row, protection_id)
    try:
        services.delete_protection(
            protection=item,
            revision=common.whole(request.POST.get("revision")),
            **common.acting(request),
        )
    except HoopwebError as error:
        common.tell(request, error)
    else:
        messages.success(request, f"{item} is no longer protected. Revisions bring it back.")
    return redirect("connections:protections", row.name)


def _protection(row: Connection, protection_id: UUID) -> Protection:
    item = row.protections.filter(pk=protection_id).first()
    if item is None:
        raise Http404
    return item

"""Detectors of results: what each finds, what becomes of it, and patterns of one's own."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from connections import services
from connections.masking.apply import scan_text
from connections.masking.detectors import BY_NAME, compiled
from connections.models import Connection, Detector
from connections.policy_forms import DetectorForm
from connections.services.checked import pattern_fault
from connections.views import common
from connections.views.policies import frame
from hoopweb.lib.errors import Conflict, HoopwebError
from hoopweb.lib.htmx import is_part

# Of one trial; the rest is counted.
SHOWN_HITS = 200
DOES = {
    "mask": "masks what it finds",
    "alert": "leaves what it finds, and the recording says so",
    "off": "is off: values that only it would find are shown in clear",
}


@require_GET
def detectors(request: HttpRequest, name: str) -> HttpResponse:
    """What looks through every result, and what it does about what it finds."""
    row = common.seen(request, name)
    chosen = services.chosen_detectors(row)
    context = frame(request, row, "detectors") | {
        "built_in": [{"item": item, "example": _example(item)} for item in chosen if item.built_in],
        "own": [item for item in chosen if not item.built_in],
        "quiet": [item for item in chosen if item.built_in and item.action != "mask"],
        "actions": (("mask", "Mask"), ("alert", "Alert only"), ("off", "Off")),
    }
    return render(request, "connections/detectors.html", context)


def _example(item: services.Chosen) -> tuple[str, str]:
    """A made-up value, and what its readers see."""
    after = scan_text(item.example, [BY_NAME[item.name]])[0] if item.action == "mask" else ""
    return item.example.split("\n")[0], after or item.example.split("\n")[0]


@require_POST
def set_action(request: HttpRequest, name: str) -> HttpResponse:
    """Let one detector mask, only alert, or rest."""
    row = common.changeable(request, name)
    detector, action = request.POST.get("detector", ""), request.POST.get("action", "")
    try:
        services.set_detector_action(
            connection=row,
            name=detector,
            action=action,
            revision=common.whole(request.POST.get("revision")),
            **common.acting(request),
        )
    except HoopwebError as error:
        common.tell(request, error)
    else:
        messages.success(request, f"From the next statement on, {detector} {DOES[action]}.")
    return redirect("connections:detectors", row.name)


@require_http_methods(["GET", "POST"])
def new_detector(request: HttpRequest, name: str) -> HttpResponse:
    """Look for a pattern of one's own; ``try`` only shows what it would find."""
    row = common.changeable(request, name)
    form = DetectorForm(request.POST or None)
    if request.method == "POST" and "try" in request.POST:
        return _tried(request, row, form, {})
    if request.method == "POST" and form.is_valid():
        try:
            made = services.create_detector(
                connection=row, **form.values(), **common.acting(request)
            )
        except HoopwebError as error:
            common.take_over(form, error)
        else:
            messages.success(request, f"From the next statement on, {made} {DOES[made.action]}.")
            return redirect("connections:detectors", row.name)
    return _form(request, row, form, {})


@require_http_methods(["GET", "POST"])
def edit_detector(request: HttpRequest, name: str, detector_id: UUID) -> HttpResponse:
    """Change a pattern of one's own; ``try`` only shows what it would find."""
    row = common.changeable(request, name)
    item = _own(row, detector_id)
    form = DetectorForm(request.POST or None, initial=DetectorForm.initial_of(item), detector=item)
    if request.method == "POST" and "try" in request.POST:
        return _tried(request, row, form, {"item": item})
    if request.method == "POST" and form.is_valid():
        try:
            item = services.update_detector(
                detector=item,
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
            messages.success(request, f"The detector {item} is saved and in force.")
            return redirect("connections:detectors", row.name)
    return _form(request, row, form, {"item": item})


def _form(
    request: HttpRequest, row: Connection, form: DetectorForm, more: dict[str, Any]
) -> HttpResponse:
    context = frame(request, row, "detectors") | {"form": form, **more}
    status = 422 if form.is_bound and form.errors else 200
    return render(request, "connections/detector.html", context, status=status)


def _tried(
    request: HttpRequest, row: Connection, form: DetectorForm, more: dict[str, Any]
) -> HttpResponse:
    """What the pattern finds in the sample. Nothing is stored and nothing is said about it."""
    limit = form.fields["sample"].max_length  # type: ignore[attr-defined]
    tried = trial(form["pattern"].value() or "", (form["sample"].value() or "")[:limit])
    if is_part(request):
        return render(request, "connections/_tried.html", {"tried": tried})
    kept = {field.name: field.value() for field in form}
    again = DetectorForm(initial=kept, detector=more.get("item"))
    return _form(request, row, again, {"tried": tried, **more})


def trial(pattern: str, sample: str) -> dict[str, Any]:
    """The sample in pieces (text, found or not), or what is wrong with the pattern."""
    if fault := pattern_fault(pattern):
        return {"fault": fault if pattern else ""}
    if not sample:
        return {}
    pieces, end, hits = [], 0, 0
    for match in compiled(pattern).finditer(sample):
        hits += 1
        if hits <= SHOWN_HITS:
            pieces += [(sample[end : match.start()], False), (match.group(0), True)]
            end = match.end()
    pieces.append((sample[end:], False))
    return {
        "pieces": [piece for piece in pieces if piece[0]],
        "hits": hits,
    }


@require_POST
def delete_detector(request: HttpRequest, name: str, detector_id: UUID) -> HttpResponse:
    """Take a pattern of one's own away."""
    row = common.changeable(request, name)
    item = _own(row, detector_id)
    try:
        services.delete_detector(
            detector=item,
            revision=common.whole(request.POST.get("revision")),
            **common.acting(request),
        )
    except HoopwebError as error:
        common.tell(request, error)
    else:
        messages.success(request, f"The detector {item} is deleted. Revisions bring it back.")
    return redirect("connections:detectors", row.name)


def _own(row: Connection, detector_id: UUID) -> Detector:
    item = row.detectors.exclude(pattern="").filter(pk=detector_id).first()
    if item is None:
        raise Http404
    return item

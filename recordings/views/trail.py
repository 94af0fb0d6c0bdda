"""The audit trail, for auditors."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.views.decorators.http import require_GET

from hoopweb.lib.htmx import part_or_page
from recordings import chain, services, witness
from recordings.forms import AuditFilter
from recordings.models import AuditEntry

_SIZE = 50


@dataclass(frozen=True, slots=True)
class Line:
    """An entry, what it changed, and whether it is what was written."""

    entry: AuditEntry
    changes: list[tuple[str, Any, Any]]
    wrong: str
    url: str = ""


@require_GET
def audit(request: HttpRequest) -> HttpResponse:
    """Search what people did; each entry shown is checked against its hash and the one before."""
    viewer: Any = request.user
    if not viewer.audits.everywhere:
        raise PermissionDenied(
            "The audit trail is for auditors of all connections. Ask an admin for the auditor role."
        )
    form = AuditFilter(request.GET, actions=_values("action"), actors=_values("actor__name"))
    wanted = form.wanted()
    rows = _narrow(AuditEntry.objects.all(), wanted)
    shown, older, newer = _page(rows, request)
    lines = check(shown)
    wrong = sum(bool(line.wrong) for line in lines)
    end = _cut() if not wanted and not newer else ""
    context = {
        "form": form,
        "lines": lines,
        "older": older,
        "newer": newer,
        "total": rows.count(),
        "filtered": bool(wanted),
        "clear_url": "?" if wanted else "",
        "wrong": wrong,
        "end": end,
        "badge": "broken" if wrong or end else "verified",
        "now": timezone.now(),
    }
    return part_or_page(request, "recordings/audit.html", "recordings/_audit.html", context)


def _values(path: str) -> list[str]:
    found = AuditEntry.objects.order_by(path).values_list(path, flat=True).distinct()[:200]
    return [value for value in found if value]


def _narrow(rows: "QuerySet[AuditEntry]", wanted: dict[str, Any]) -> "QuerySet[AuditEntry]":
    if action := wanted.get("action"):
        rows = rows.filter(action=action)
    if actor := wanted.get("actor"):
        rows = rows.filter(actor__name=actor)
    if since := wanted.get("since"):
        rows = rows.filter(at__gte=datetime.combine(since, time.min, UTC))
    if until := wanted.get("until"):
        rows = rows.filter(at__lt=datetime.combine(until, time.min, UTC) + timedelta(days=1))
    for word in str(wanted.get("q", "")).replace("\0", "").split():
        rows = rows.filter(
            Q(object_name__icontains=word)
            | Q(object_id__icontains=word)
            | Q(actor__name__icontains=word)
            | Q(action__icontains=word)
        )
    return rows


def _page(rows: "QuerySet[AuditEntry]", request: HttpRequest) -> tuple[list[AuditEntry], str, str]:
    """Entries around the address's cursor: ``before`` or ``after`` a number."""

    def number(name: str) -> int | None:
        text = request.GET.get(name, "")
        return int(text) if text.isdecimal() and len(text) < 18 else None  # noqa: PLR2004

    def link(name: str, at: int) -> str:
        query = request.GET.copy()
        query.pop("before", None)
        query.pop("after", None)
        query[name] = str(at)
        return f"?{query.urlencode()}"

    after, before = number("after"), number("before")
    if after is not None:
        found = list(rows.filter(number__gt=after).order_by("number")[: _SIZE + 1])
        more, found = len(found) > _SIZE, found[:_SIZE]
        found.reverse()
        has_newer, has_older = more, True
    else:
        if before is not None:
            rows = rows.filter(number__lt=before)
        found = list(rows.order_by("-number")[: _SIZE + 1])
        more, found = len(found) > _SIZE, found[:_SIZE]
        has_newer, has_older = before is not None, more
    if not found:
        return [], "", ""
    return (
        found,
        link("before", found[-1].number) if has_older else "",
        link("after", found[0].number) if has_newer else "",
    )


def check(entries: list[AuditEntry]) -> list[Line]:
    """Each entry against its hash and against the entry before it, whether that is shown or not."""
    known = {entry.number: entry.hash for entry in entries}
    needed = {entry.number - 1 for entry in entries} - known.keys() - {0}
    known |= dict(AuditEntry.objects.filter(number__in=needed).values_list("number", "hash"))
    lines = []
    for entry in entries:
        before = "" if entry.number == 1 else known.get(entry.number - 1)
        if chain.digest(services.audit_body_of(entry)) != entry.hash:
            wrong = "This entry is not what was written."
        elif before is None:
            wrong = f"Entry {entry.number - 1} is missing."
        elif entry.previous != before:
            wrong = f"It does not follow from entry {entry.number - 1}."
        else:
            wrong = ""
        lines.append(Line(entry, _changes(entry), wrong, _url(entry)))
    return lines


def _url(entry: AuditEntry) -> str:
    """Where the object of an entry can be looked at; "" where nowhere here."""
    if entry.object_kind != "session":
        return ""
    try:
        return reverse("recordings:replay", args=[entry.object_id])
    except NoReverseMatch:
        return ""


def _changes(entry: AuditEntry) -> list[tuple[str, Any, Any]]:
    """Field, before, after; only what differs."""
    before = entry.before if isinstance(entry.before, dict) else {"": entry.before}
    after = entry.after if isinstance(entry.after, dict) else {"": entry.after}
    return [
        (name.replace("_", " "), before.get(name), after.get(name))
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    ]


def _cut() -> str:
    """Whether the trail is shorter than the last signed checkpoint saw it, in a sentence."""
    seen = witness.latest()
    if seen is None:
        return ""
    number, head = seen.body["audit"]["number"], seen.body["audit"]["hash"]
    if not number:
        return ""
    entry = AuditEntry.objects.filter(number=number).values_list("hash", flat=True).first()
    if entry is None:
        return f"Entry {number}, which checkpoint {seen.number} signed, is missing."
    return "" if entry == head else f"Entry {number} is not the one that a checkpoint signed."

"""The list of sessions."""

import uuid
from collections import defaultdict
from datetime import UTC, datetime, time, timedelta
from typing import Any

from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from hoopweb.lib.htmx import part_or_page
from hoopweb.lib.paging import page
from recordings.forms import SessionFilter
from recordings.kinds import EventKind
from recordings.models import Event, Session, SessionQuerySet


@require_GET
def sessions(request: HttpRequest) -> HttpResponse:
    """Sessions that the viewer may see, newest first."""
    viewer: Any = request.user
    seen = Session.objects.visible_to(viewer)
    form = SessionFilter(
        request.GET,
        principals=_names(seen, "principal_name"),
        connections=_names(seen, "connection_name"),
    )
    wanted = form.wanted()
    rows = narrow(seen, wanted)
    found = page(rows, request.GET, by="started_at")
    tallies = _tallies([row.pk for row in found.rows])
    context = {
        "form": form,
        "page": found,
        "lines": [(row, tallies[row.pk]) for row in found.rows],
        "filtered": bool(wanted),
        "clear_url": "?" if wanted else "",
        "total": rows.count(),
        "now": timezone.now(),
    }
    return part_or_page(request, "recordings/list.html", "recordings/_list.html", context)


def narrow(rows: SessionQuerySet, wanted: dict[str, Any]) -> SessionQuerySet:
    """Apply the filters of the address."""
    if state := wanted.get("state"):
        rows = rows.filter(ended_at__isnull=state == "open")
    for name, column in (
        ("principal", "principal_name"),
        ("connection", "connection_name"),
        ("door", "door"),
    ):
        if value := wanted.get(name):
            rows = rows.filter(**{column: value})
    if since := wanted.get("since"):
        rows = rows.filter(started_at__gte=datetime.combine(since, time.min, UTC))
    if until := wanted.get("until"):
        rows = rows.filter(
            started_at__lt=datetime.combine(until, time.min, UTC) + timedelta(days=1)
        )
    for word in str(wanted.get("q", "")).replace("\0", "").split():
        rows = rows.filter(Q(title__icontains=word))
    return rows


def _names(rows: SessionQuerySet, column: str) -> list[str]:
    return list(rows.order_by(column).values_list(column, flat=True).distinct()[:200])


def _tallies(ids: list[uuid.UUID]) -> dict[uuid.UUID, dict[str, int]]:
    """How many statements each session has, and how many were denied, held or failed."""
    tallies: dict[uuid.UUID, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    counted = (
        Event.objects.filter(
            session__in=ids,
            kind__in=[EventKind.STATEMENT, EventKind.DECISION, EventKind.APPROVAL_REQUESTED],
        )
        .order_by()
        .values_list("session_id", "kind", "data__effect")
        .annotate(Count("id"))
    )
    for session_id, kind, effect, count in counted:
        name = "denied" if effect == "deny" else kind.replace("-", "_")
        tallies[session_id][name] += count
    return {key: dict(tallies[key]) for key in ids}

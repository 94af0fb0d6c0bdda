"""What detectors found lately: the part of their page that only the gateway can know."""

from collections import Counter, defaultdict
from datetime import timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.models import User
from accounts.principal import Role
from connections import services
from connections.models import Connection
from gateway.models import Statement

_DAYS = 14
_READS = 5_000


@require_GET
def found(request: HttpRequest, name: str) -> HttpResponse:
    """A part: how many values each detector found, day by day.

    Who administers the connection is told of all its statements, in numbers; others of those that
    they may see.
    """
    user = request.user
    assert isinstance(user, User)
    row = get_object_or_404(Connection.objects.visible_to(user), name=name)
    rows = Statement.objects.filter(connection=row)
    everything = row.pk in user.scope(Role.ADMIN)
    if not everything:
        rows = rows.visible_to(user)
    today = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
    since = today - timedelta(days=_DAYS - 1)
    # Newest first: on a busy connection the chart is of as many days as these reach back.
    read = list(
        rows.filter(received_at__gte=since)
        .exclude(findings=[])
        .order_by("-received_at")
        .values_list("received_at", "findings")[:_READS]
    )
    context = {
        "row": row,
        "days": _DAYS,
        "everything": everything,
        "statements": len(read),
        "cut": len(read) == _READS,
        "detectors": _by_detector(row, read, since),
    }
    return render(request, "gateway/_found.html", context)


def _by_detector(row: Connection, read: list[tuple[Any, Any]], since: Any) -> list[dict[str, Any]]:
    """Each detector that found something: values a day, masked and left, and when last."""
    days: dict[str, Counter[int]] = defaultdict(Counter)
    masked: Counter[str] = Counter()
    statements: Counter[str] = Counter()
    last: dict[str, Any] = {}
    for at, findings in read:
        for finding in findings:
            name, count = str(finding["detector"]), int(finding["count"])
            days[name][(at - since).days] += count
            masked[name] += count if finding.get("masked") else 0
        for name in {str(finding["detector"]) for finding in findings}:
            statements[name] += 1
            last.setdefault(name, at)
    labels = {item.name: item.label for item in services.chosen_detectors(row)}
    return [
        {
            "name": name,
            "label": labels.get(name, ""),
            "values": [days[name][day] for day in range(_DAYS)],
            "masked": masked[name],
            "left": days[name].total() - masked[name],
            "statements": statements[name],
            "last": last[name],
        }
        for name in sorted(days, key=lambda each: -days[each].total())
    ]

"""The first page: what waits, what happened, what is wrong."""

from collections import Counter
from datetime import timedelta
from typing import Any

from django.db.models import Case, CharField, Count, F, Q, Value, When
from django.db.models.functions import TruncHour
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.models import RoleGrant, User
from accounts.principal import Role
from approvals.models import ApprovalRequest
from connections.models import Connection
from gateway.models import Statement
from gateway.states import StatementState
from hoopweb.lib.htmx import part_or_page
from recordings.models import Session

_HOURS = 24
_READS = 2_000
_TOP = 6


@require_GET
def overview(request: HttpRequest) -> HttpResponse:
    """What happens now: what waits, what ran, who is at work."""
    user = request.user
    assert isinstance(user, User)
    return part_or_page(request, "gateway/overview.html", "gateway/_overview.html", _context(user))


def _context(user: User) -> dict[str, Any]:
    now = timezone.now()
    hour = now.replace(minute=0, second=0, microsecond=0)
    since = hour - timedelta(hours=_HOURS - 1)
    visible = Statement.objects.visible_to(user)
    recent = visible.filter(received_at__gte=since)
    hours = _by_hour(recent, since)
    waiting = ApprovalRequest.objects.visible_to(user).pending()
    connections = list(Connection.objects.visible_to(user)[:20])
    return {
        "now": now,
        "mine": ApprovalRequest.objects.decidable_by(user)
        .select_related("connection")
        .order_by("expires_at")[:5],
        "waiting_count": waiting.count(),
        "oldest": waiting.order_by("created_at").first(),
        "hours": hours,
        "totals": _totals(hours),
        "sparks": {
            "all": [sum(amounts.values()) for _, amounts in hours],
            "masked": [amounts.get("masked", 0) for _, amounts in hours],
            "denied": [amounts.get("denied", 0) for _, amounts in hours],
        },
        "tables": _tables(recent),
        "agents": [
            (name, count)
            for name, count in recent.values_list("principal_name")
            .annotate(count=Count("id"))
            .order_by("-count")[:_TOP]
        ],
        "uncertain": visible.filter(state=StatementState.UNKNOWN).count(),
        "sessions": Session.objects.visible_to(user)[:6],
        "connections": connections,
        "troubled": [c for c in connections if any(not s["ok"] for s in c.test_report)],
        "watches": bool(user.reviews or user.audits),
        "vacant": _vacant() if user.is_admin else [],
    }


def _vacant() -> list[str]:
    """Duties that nobody holds yet: an admin has neither by being one."""
    return [
        role.value
        for role in (Role.REVIEWER, Role.AUDITOR)
        if not RoleGrant.objects.filter(role=role)
        .filter(Q(user__is_active=True) | Q(team__people__is_active=True))
        .exists()
    ]


def _by_hour(recent: Any, since: Any) -> list[tuple[str, dict[str, int]]]:
    """Statements an hour by what was decided: allowed, masked, waiting (reviewed), denied."""
    meaning = Case(
        When(effect="deny", then=Value("denied")),
        When(effect="review", then=Value("waiting")),
        When(effect="allow", masked_outputs=[], then=Value("allowed")),
        When(effect="allow", then=Value("masked")),
        default=Value("waiting"),
        output_field=CharField(),
    )
    counts = (
        recent.annotate(hour=TruncHour("received_at"), meaning=meaning)
        .values("hour", "meaning")
        .annotate(count=Count("id"))
        .order_by("hour")
    )
    found: dict[Any, dict[str, int]] = {}
    for row in counts:
        found.setdefault(row["hour"], {})[row["meaning"]] = row["count"]
    hours = [since + timedelta(hours=i) for i in range(_HOURS)]
    return [(f"{hour:%H:%M}", found.get(hour, {})) for hour in hours]


def _totals(hours: list[tuple[str, dict[str, int]]]) -> dict[str, int]:
    totals: Counter[str] = Counter()
    for _, amounts in hours:
        totals.update(amounts)
    return {"all": sum(totals.values()), **totals}


def _tables(recent: Any) -> list[tuple[str, int]]:
    """The tables read most, over the latest statements."""
    counts: Counter[str] = Counter()
    for reads in recent.order_by("-received_at").values_list(F("facts__reads"), flat=True)[:_READS]:
        counts.update(reads or [])
    return counts.most_common(_TOP)

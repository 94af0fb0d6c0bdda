"""What an agent did and may do: the part of its page that only the gateway can know."""

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts import seams
from accounts.models import Agent, User
from accounts.principal import Principal
from connections.models import Access, Connection, Rule
from connections.policy.matching import any_match
from connections.views.sentences import sentence_of
from gateway.models import Statement
from recordings.models import Session

_DAYS = 7
_SESSIONS = 8
_STATEMENTS = 10
_RULES = 30


def _connections(principal: Principal | None) -> Sequence[seams.ConnectionName]:
    rows = Connection.objects.all()
    if principal is not None:
        rows = rows.usable_by(principal)
    return [seams.ConnectionName(pk, name) for pk, name in rows.values_list("pk", "name")]


seams.register_connections(_connections)


@require_GET
def activity(request: HttpRequest, agent_id: UUID) -> HttpResponse:
    """A part: connections it may use, what became of its statements, its newest sessions."""
    user = request.user
    assert isinstance(user, User)
    agent = get_object_or_404(Agent.objects.visible_to(user), pk=agent_id)
    sessions = Session.objects.visible_to(user).filter(principal_id=agent.pk)
    context = {
        "agent": agent,
        "access": _access(agent),
        "rules": _rules(user, agent),
        "most_rules": _RULES,
        "statements": _statements(user, agent),
        "counts": _counts(user, agent),
        "days": _DAYS,
        "sessions": sessions.annotate(statement_count=Count("statements"))[:_SESSIONS],
        "sees_all": agent.owner_id == user.pk or user.audits.everywhere or user.reviews.everywhere,
    }
    return render(request, "accounts/_activity.html", context)


def _access(agent: Agent) -> list[dict[str, Any]]:
    """Each connection that the agent may use, by which way, and until when."""
    now = timezone.now()
    usable = set(Connection.objects.usable_by(agent.as_principal()).values_list("pk", flat=True))
    rows = (
        Access.objects.filter(Q(agent=agent) | Q(team__agents=agent))
        .select_related("connection", "team")
        .order_by("connection__name", "team__name")
        .distinct()
    )
    return [
        {
            "connection": row.connection,
            "team": row.team,
            "until": row.valid_until,
            "live": row.is_live(now) and row.connection_id in usable,
        }
        for row in rows
    ]


def _statements(user: User, agent: Agent) -> QuerySet[Statement]:
    """Its newest statements, as far as this person may see them."""
    rows = Statement.objects.visible_to(user).filter(principal_id=agent.pk)
    return rows.select_related("connection").order_by("-received_at")[:_STATEMENTS]


def _rules(user: User, agent: Agent) -> list[dict[str, Any]]:
    """The rules in force that may decide its statements, in the order in which they are asked.

    Only who it is counts here; what a statement does decides which of them matches.
    """
    principal = agent.as_principal()
    seen = Connection.objects.visible_to(user)
    usable = Connection.objects.usable_by(principal).filter(pk__in=seen.values("pk"))
    names = {str(agent.pk), agent.name, f"agent:{agent.name}"}
    rows = Rule.objects.filter(connection__in=usable, enabled=True)
    found = []
    for row in rows.select_related("connection").order_by("connection__name", "position"):
        named = row.match.get("principals"), row.match.get("groups")
        by_name = named[0] is None or any_match(names, _patterns(named[0]))
        by_team = named[1] is None or any_match(principal.groups, _patterns(named[1]))
        if by_name and by_team:
            found.append({"rule": row, "sentence": sentence_of(row.match)})
    return found


def _patterns(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else [str(each) for each in value]


def _counts(user: User, agent: Agent) -> list[tuple[str, str, int]]:
    """(what, tone, how many) of the last days, as far as this person may see them."""
    since = timezone.now() - timedelta(days=_DAYS)
    found = (
        Statement.objects.visible_to(user)
        .filter(principal_id=agent.pk, received_at__gt=since)
        .values_list("state")
        .annotate(n=Count("pk"))
    )
    by_state = Counter(dict(found))
    known = [
        ("Succeeded", "allowed", by_state["succeeded"]),
        ("Waiting", "waiting", by_state["awaiting_approval"]),
        ("Denied or rejected", "denied", by_state["denied"] + by_state["rejected"]),
    ]
    rest = by_state.total() - sum(n for _, _, n in known)
    return [*known, ("Other", "neutral", rest)]

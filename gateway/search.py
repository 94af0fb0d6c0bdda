"""One box over everything that the asker may see."""

from typing import Any
from uuid import UUID

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET

from accounts.models import Agent, User
from approvals.models import ApprovalRequest
from connections.models import Connection
from gateway.models import Statement
from recordings.models import Session

_MOST = 25
_LENGTH = 200


@require_GET
def search(request: HttpRequest) -> HttpResponse:
    """Statements, sessions, agents and connections; an id goes straight to its page."""
    user = request.user
    assert isinstance(user, User)
    text = request.GET.get("q", "").replace("\0", "").strip()[:_LENGTH]
    target = _exactly(text, user)
    if target is not None:
        return target
    return render(request, "gateway/search.html", {"q": text, **_found(text, user)})


def _exactly(text: str, user: User) -> HttpResponse | None:
    try:
        wanted = UUID(text)
    except ValueError:
        return None
    if Session.objects.visible_to(user).filter(pk=wanted).exists():
        return redirect("recordings:replay", wanted)
    if ApprovalRequest.objects.visible_to(user).filter(pk=wanted).exists():
        return redirect("approvals:detail", wanted)
    statement = Statement.objects.visible_to(user).filter(pk=wanted).first()
    if statement is not None:
        return redirect("recordings:replay", statement.session_id)
    return None


def _found(text: str, user: User) -> dict[str, Any]:
    if not text:
        return {"now": timezone.now(), "nothing": True}
    statements = (
        Statement.objects.visible_to(user)
        .filter(
            Q(sql_given__icontains=text)
            | Q(prompt__icontains=text)
            | Q(principal_name__icontains=text)
            | Q(upstream_query_id=text)
        )
        .select_related("connection")[:_MOST]
    )
    found = {
        "statements": list(statements),
        "sessions": list(
            Session.objects.visible_to(user).filter(
                Q(title__icontains=text) | Q(principal_name__icontains=text)
            )[:_MOST]
        ),
        "agents": list(Agent.objects.visible_to(user).filter(name__icontains=text)[:_MOST]),
        "connections": list(
            Connection.objects.visible_to(user).filter(name__icontains=text)[:_MOST]
        ),
    }
    return {**found, "now": timezone.now(), "nothing": not any(found.values())}

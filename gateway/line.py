"""One line on where a statement stands, for pages that speak of it."""

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_GET

from accounts.models import User
from gateway.models import Statement


@require_GET
def line(request: HttpRequest, statement_id: UUID) -> HttpResponse:
    """One statement's line in a list, as it stands."""
    user = request.user
    assert isinstance(user, User)
    statement = get_object_or_404(Statement.objects.visible_to(user), pk=statement_id)
    took = None
    if statement.started_at and statement.finished_at:
        took = statement.finished_at - statement.started_at
    return render(request, "gateway/_line.html", {"statement": statement, "took": took})

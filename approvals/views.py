"""The inbox, one request, and standing grants."""

import json
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from accounts.addresses import address_of
from accounts.models import User
from approvals import files, services
from approvals.forms import GRANTS, FilterForm, VoteForm
from approvals.models import ApprovalRequest, Grant
from approvals.states import RequestState
from connections.models import Connection
from hoopweb.lib.errors import HoopwebError, NotAllowed, NotFound
from hoopweb.lib.htmx import part_or_page
from hoopweb.lib.paging import page


def _viewer(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _request_or_404(request: HttpRequest, request_id: UUID) -> ApprovalRequest:
    found = (
        ApprovalRequest.objects.visible_to(_viewer(request))
        .select_related("connection")
        .prefetch_related("votes__reviewer")
        .filter(pk=request_id)
        .first()
    )
    if found is None:
        raise Http404
    return found


@require_GET
def inbox(request: HttpRequest) -> HttpResponse:
    """Requests, what waits for a decision first."""
    viewer = _viewer(request)
    names = list(Connection.objects.visible_to(viewer).values_list("name", flat=True))
    form = FilterForm(request.GET or None, connections=names)
    wanted = form.cleaned_data if form.is_bound and form.is_valid() else {}
    show = wanted.get("show") or "waiting"
    rows = ApprovalRequest.objects.visible_to(viewer).select_related("connection")
    if show == "waiting":
        rows = rows.pending()
    elif show == "mine":
        rows = ApprovalRequest.objects.decidable_by(viewer).select_related("connection")
    elif show == "decided":
        rows = rows.exclude(state=RequestState.PENDING)
    if wanted.get("connection"):
        rows = rows.filter(connection__name=wanted["connection"])
    if text := wanted.get("q"):
        rows = rows.filter(
            Q(principal_name__icontains=text)
            | Q(sql_given__icontains=text)
            | Q(prompt__icontains=text)
        )
    found = page(rows, request.GET, by="created_at")
    mine = set(
        ApprovalRequest.objects.decidable_by(viewer)
        .filter(pk__in=[r.pk for r in found.rows])
        .values_list("pk", flat=True)
    )
    context = {
        "form": form,
        "page": found,
        "mine": mine,
        "show": show,
        "filtered": bool(wanted.get("q") or wanted.get("connection")),
        "total": rows.count(),
        "now": timezone.now(),
        "grant_count": Grant.objects.visible_to(viewer).live().count(),
    }
    return part_or_page(request, "approvals/inbox.html", "approvals/_rows.html", context)


def _bound(row: ApprovalRequest) -> list[tuple[Any, Any]]:
    """Placeholders and their values; a driver binds by place or name, with its own type words, and
    whole columns of rows at once.
    """
    given = json.loads(row.binds or "[]")
    if isinstance(given, dict):
        return [(name, bound["value"]) for name, bound in given.items()]
    return list(enumerate(given, start=1))


def _lineage(row: ApprovalRequest) -> list[dict[str, Any]]:
    """Columns with all their uses and the mask each wears; protected ones first."""
    masks = {p["column"]: p["strategy"] for p in row.protections}
    found: dict[str, dict[str, Any]] = {}
    for use in row.facts.get("columns", []):
        entry = found.setdefault(
            use["column"],
            {"column": use["column"], "uses": [], "strategy": masks.get(use["column"], "")},
        )
        word = f"{use['use']} of {use['function']}" if use.get("function") else use["use"]
        if word not in entry["uses"]:
            entry["uses"].append(word)
    return sorted(found.values(), key=lambda e: (not e["strategy"], e["column"]))


def _context(
    request: HttpRequest, row: ApprovalRequest, form: VoteForm | None = None
) -> dict[str, Any]:
    viewer = _viewer(request)
    connection = row.connection
    votes = [
        {"by": v.reviewer, "verdict": v.choice, "reason": v.reason, "at": v.at}
        for v in row.votes.all()
    ]
    approvals = sum(v["verdict"] == "approve" for v in votes)
    live = row.is_pending and row.expires_at > timezone.now()
    waiting_for = ""
    if live and row.votes_needed > approvals:
        who = f"a reviewer of {', '.join(row.reviewers)}" if row.reviewers else "a reviewer"
        waiting_for = who if row.votes_needed - approvals == 1 else f"{who}, and another"
    return {
        "row": row,
        "live": live,
        "why_not": services.why_not(row, viewer) if live else None,
        "form": form,
        "grants": GRANTS if row.votes_needed == 1 else GRANTS[:1],
        "votes": votes,
        "waiting_for": waiting_for,
        "lineage": _lineage(row),
        "files": files.said_of(row.facts),
        "binds": _bound(row),
        "changed": live
        and (connection.policy_revision, connection.catalogue_version)
        != (row.policy_revision, row.catalogue_version),
        "can_revoke": row.state == RequestState.APPROVED
        and row.used_at is None
        and connection.pk in viewer.reviews,
        "can_withdraw": live and viewer.pk in (row.principal_id, row.owner_id),
        "facts": [
            ("Connection", connection.name),
            ("Role in Snowflake", row.role or "the user's default"),
            ("Class", row.statement_class),
            ("Policy revision", row.policy_revision),
            ("Votes needed", row.votes_needed),
        ],
    }


@require_GET
def detail(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """One request: the statement, its facts and reasons, the votes."""
    row = _request_or_404(request, request_id)
    return part_or_page(
        request, "approvals/detail.html", "approvals/_request.html", _context(request, row)
    )


@require_POST
def vote(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Approve or reject, once or with a standing permission."""
    row = _request_or_404(request, request_id)
    form = VoteForm(request.POST)
    status = 422
    if form.is_valid():
        grant = form.cleaned_data["grant"]
        try:
            row = services.vote(
                request_id=row.pk,
                by=_viewer(request),
                choice=form.cleaned_data["choice"],
                reason=form.cleaned_data["reason"],
                digest=form.cleaned_data["digest"],
                grant_minutes=int(grant) if grant else None,
                address=address_of(request),
            )
        except NotFound as error:
            raise Http404 from error
        except HoopwebError as error:
            status = 403 if isinstance(error, NotAllowed) else 422
            form.add_error(
                "reason" if error.fields.get("field") == "reason" else None, error.detail
            )
        else:
            messages.success(request, _said(row))
            return redirect("approvals:detail", row.pk)
    context = _context(request, _request_or_404(request, request_id), form)
    return render(request, "approvals/detail.html", context, status=status)


def _said(row: ApprovalRequest) -> str:
    if row.state == RequestState.APPROVED:
        return f"Approved. {row.principal_name}'s statement runs now."
    if row.state == RequestState.REJECTED:
        return f"Rejected. {row.principal_name} reads your reason."
    return "Your vote is recorded. Another reviewer is needed."


@require_POST
def revoke(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Take an approval back that was not used yet."""
    row = _request_or_404(request, request_id)
    try:
        services.revoke(request_id=row.pk, by=_viewer(request), address=address_of(request))
        messages.success(request, "Approval revoked. The statement does not run.")
    except NotAllowed as error:
        raise PermissionDenied(error.detail) from error
    except HoopwebError as error:
        messages.error(request, error.detail)
    return redirect("approvals:detail", row.pk)


@require_POST
def withdraw(request: HttpRequest, request_id: UUID) -> HttpResponse:
    """Take a request back: who asked, or who answers for them."""
    row = _request_or_404(request, request_id)
    viewer = _viewer(request)
    if viewer.pk not in (row.principal_id, row.owner_id):
        raise PermissionDenied(
            f"Only {row.principal_name}, or who answers for it, takes this request back."
        )
    try:
        services.withdraw(request_id=row.pk, actor=viewer.as_principal().as_actor())
        messages.success(request, "Request withdrawn. The statement does not run.")
    except HoopwebError as error:
        messages.error(request, error.detail)
    return redirect("approvals:detail", row.pk)


@require_GET
def grants(request: HttpRequest) -> HttpResponse:
    """Standing permissions that reviewers gave, and what is left of them."""
    viewer = _viewer(request)
    rows = Grant.objects.visible_to(viewer).select_related("connection", "granted_by")
    found = page(rows, request.GET, by="created_at")
    now = timezone.now()
    for row in found.rows:
        row.is_live = row.revoked_at is None and row.expires_at > now  # type: ignore[attr-defined]
        row.may_revoke = row.is_live and row.connection_id in viewer.reviews  # type: ignore[attr-defined]
    return render(
        request,
        "approvals/grants.html",
        {"page": found, "total": rows.count(), "now": now},
    )


@require_POST
def revoke_grant(request: HttpRequest, grant_id: UUID) -> HttpResponse:
    """Take a standing permission back."""
    try:
        grant = services.revoke_grant(
            grant_id=grant_id, by=_viewer(request), address=address_of(request)
        )
        messages.success(
            request, f"Grant to {grant.principal_name} revoked. It asks again from now."
        )
    except NotFound as error:
        raise Http404 from error
    except NotAllowed as error:
        raise PermissionDenied(error.detail) from error
    except HoopwebError as error:
        messages.error(request, error.detail)
    return redirect("approvals:grants")

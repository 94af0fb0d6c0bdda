"""What the policy was, who changed it, and the way back."""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from connections import services
from connections.models import PolicyRevision
from connections.views import common
from connections.views.policies import frame
from connections.views.sentences import plain, sentence_of
from hoopweb.lib.errors import HoopwebError, NotFound

PAGE = 50


@require_GET
def revisions(request: HttpRequest, name: str) -> HttpResponse:
    """Every revision of the policy: who changed what, and when."""
    row = common.seen(request, name)
    found = PolicyRevision.objects.filter(connection=row).defer("content")
    below = common.whole(request.GET.get("below"))
    rows = list((found.filter(number__lt=below) if below else found)[: PAGE + 1])
    more = len(rows) > PAGE
    context = frame(request, row, "revisions") | {
        "revisions": rows[:PAGE],
        "total": row.policy_revision,
        "older": f"?below={rows[PAGE - 1].number}" if more else "",
        "newer": "?" if below else "",
        "now": timezone.now(),
    }
    return render(request, "connections/revisions.html", context)


@require_GET
def revision(request: HttpRequest, name: str, number: int) -> HttpResponse:
    """One revision: what it changed, and what going back to it would change."""
    row = common.seen(request, name)
    found = {
        r.number: r
        for r in PolicyRevision.objects.filter(
            connection=row, number__in=[number - 1, number, row.policy_revision]
        )
    }
    if number not in found:
        raise Http404
    this = found[number]
    before = found[number - 1].content if number - 1 in found else {}
    current = found.get(row.policy_revision)
    context = frame(request, row, "revisions") | {
        "revision": this,
        "changes": _told(services.differences(before, this.content)),
        "way_back": _told(services.differences(current.content, this.content))
        if current and number != row.policy_revision
        else [],
        "is_current": number == row.policy_revision,
    }
    return render(request, "connections/revision.html", context)


def _told(found: list[services.Difference]) -> list[dict[str, Any]]:
    """Each difference with the rule as a sentence, where a whole rule came or went."""
    return [
        {
            "change": change,
            "sentence": sentence_of(change.row["match"])
            if change.row and change.what == "rule"
            else None,
            "details": [
                (name, _words(name, before), _words(name, after))
                for name, before, after in change.details
            ],
        }
        for change in found
    ]


def _words(name: str, value: Any) -> str:
    if name == "match":
        return plain(value)
    if name == "options":
        return ", ".join(f"{key} {option}" for key, option in value.items())
    if isinstance(value, bool):
        return "on" if value else "off"
    return ", ".join(value) if isinstance(value, list) else str(value)


@require_POST
def restore(request: HttpRequest, name: str, number: int) -> HttpResponse:
    """Go back to an earlier revision, as a new one."""
    row = common.changeable(request, name)
    try:
        services.restore_policy(
            connection=row,
            number=number,
            policy_revision=common.whole(request.POST.get("policy_revision")),
            **common.acting(request),
        )
    except NotFound as error:
        raise Http404 from error
    except HoopwebError as error:
        common.tell(request, error)
        return redirect("connections:revision", row.name, number)
    messages.success(request, f"The policy is again what it was at revision {number}.")
    return redirect("connections:rules", row.name)

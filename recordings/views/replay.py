"""The replay of a session: its page, its live tail, its rows, its export, its end."""

import uuid
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from hoopweb.lib.errors import HoopwebError
from hoopweb.lib.htmx import is_part, part_or_page
from recordings import export as exporting
from recordings import services
from recordings.findings import Verification
from recordings.models import Event, Payload, Session
from recordings.payloads import PayloadDamagedError
from recordings.replay import PAGE_ROWS, Step, outline_of, read_rows, steps_of
from recordings.replay.rows import STEP_ROWS
from recordings.verify import PAGE_BYTES, snapshot, verify_session
from recordings.views.reading import actor_of, note, payload_or_404, session_or_404

# Results beside their steps: the first few at once, the rest when they are scrolled to.
_AT_ONCE = 6
# Steps on one page, and statements above them.
WINDOW = 300
_OUTLINE = 100
_AT_ONCE_BYTES = 4 * 1024 * 1024


@require_GET
def replay(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """Step through a session, ``?from=N`` in a long one.

    ``?after=N`` gives the steps that came since, for the live tail.
    """
    part = is_part(request)
    after = _number(request, "after") if part else 0
    note(request, "replay-opened", session_or_404(request, session_id), once=part)
    with snapshot():
        session = session_or_404(request, session_id)
        events = list(session.events.order_by("number"))
        verification = verify_session(session, events=events, payload_bytes=PAGE_BYTES)
    steps = steps_of(events)
    _mark(steps, verification)
    first = after + 1 if after else _number(request, "from") or 1
    shown = [step for step in steps if step.number >= first][:WINDOW]
    _fetch(session, shown)
    last = shown[-1].number if shown else after
    context = _context(request, session, events, steps, verification) | {
        "events": shown,
        "last": last,
        "earlier": address(session, max(1, first - WINDOW)) if first > 1 else "",
        "later": f"?from={last + 1}" if steps and last < steps[-1].number else "",
    }
    if part:
        return render(request, "recordings/_tail.html", context)
    return render(request, "recordings/replay.html", context)


def address(session: Session, step: int) -> str:
    """Where a step is shown: a long session is shown in windows."""
    page = reverse("recordings:replay", args=[session.pk])
    start = (step - 1) // WINDOW * WINDOW + 1
    return f"{page}?from={start}#step-{step}" if start > 1 else f"{page}#step-{step}"


def _number(request: HttpRequest, name: str) -> int:
    """A whole number of the address; 0 for anything else."""
    text = request.GET.get(name, "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0  # noqa: PLR2004


def _mark(steps: list[Step], verification: Verification) -> None:
    wrong = {finding.event: finding for finding in verification.findings}
    for step in steps:
        if step.number in wrong:
            step.findings = [f.text for f in verification.findings if f.event == step.number]
            step.tone = "denied"


def _fetch(session: Session, steps: list[Step]) -> None:
    """Give results their address, and the first few their rows."""
    with_rows = [step for step in steps if step.shown.get("payload")]
    for step in with_rows:
        step.shown["url"] = reverse(
            "recordings:payload", args=[session.pk, step.shown["payload"]["id"]]
        )
    near: dict[str, Step] = {}
    left = _AT_ONCE_BYTES
    for step in with_rows[:_AT_ONCE]:
        left -= step.shown["payload"]["size"]
        if left >= 0:
            near[step.shown["payload"]["id"]] = step
    for payload in Payload.objects.filter(session=session, pk__in=list(near)):
        step = near[str(payload.pk)]
        step.result = read_rows(payload, columns=step.shown["columns"], limit=STEP_ROWS)


def _context(
    request: HttpRequest,
    session: Session,
    events: list[Event],
    steps: list[Step],
    verification: Verification,
) -> dict[str, Any]:
    outline = outline_of(steps)
    last = events[-1].at if events else session.started_at
    return {
        "session": session,
        "outline": [(line, address(session, line.step)) for line in outline[:_OUTLINE]],
        "outline_more": max(0, len(outline) - _OUTLINE),
        "verification": verification,
        "lasted": last - session.started_at,
        "statements": len(outline),
        "denied": sum(line.effect == "deny" for line in outline),
        "rows": sum(line.rows or 0 for line in outline),
        "may_close": session.is_open and may_close(request, session),
        "now": timezone.now(),
    }


@require_GET
def payload(request: HttpRequest, session_id: uuid.UUID, payload_id: uuid.UUID) -> HttpResponse:
    """Rows of one result: a part beside its step, or a page of their own."""
    session = session_or_404(request, session_id)
    found = payload_or_404(session, payload_id)
    note(
        request,
        "result-read",
        session,
        after={"payload": str(payload_id)},
        once=False,
    )
    step = next(
        (
            step
            for step in steps_of(list(session.events.order_by("number")))
            if any(entry.get("id") == str(payload_id) for entry in step.payloads)
        ),
        None,
    )
    if step is None:
        # A body that no event names is part of no recording.
        raise Http404
    # No result has more rows than bytes.
    first = min(_number(request, "first"), found.size)
    limit = STEP_ROWS if is_part(request) else PAGE_ROWS
    rows = read_rows(found, columns=step.shown.get("columns", []), first=first, limit=limit)
    context = {
        "session": session,
        "step": step,
        "result": rows,
        "back": address(session, step.number),
        "url": request.path,
        "newer": f"?first={max(0, first - PAGE_ROWS)}" if first else "",
        "older": f"?first={first + PAGE_ROWS}" if rows.more else "",
    }
    return part_or_page(request, "recordings/payload.html", "recordings/_rows.html", context)


@require_GET
def export(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """The session as a signed bundle."""
    session = session_or_404(request, session_id)
    note(request, "session-exported", session)
    try:
        content = exporting.bundle(session)
    except PayloadDamagedError as error:
        messages.error(
            request,
            f"Nothing was exported: {error}. Read what verification says of this session, and "
            "restore the payload from a backup.",
        )
        return redirect("recordings:replay", session_id)
    response = HttpResponse(content, content_type="application/zip")
    response.headers["Content-Disposition"] = f'attachment; filename="{exporting.name_of(session)}"'
    return response


@require_POST
def close(request: HttpRequest, session_id: uuid.UUID) -> HttpResponse:
    """End and seal a session: who answers for it, and an admin who may see it."""
    session = session_or_404(request, session_id)
    if not may_close(request, session):
        raise PermissionDenied("Only the one who answers for this session, or an admin, ends it.")
    try:
        services.close_session(
            session_id=session_id, actor=actor_of(request), reason="ended in the console"
        )
    except HoopwebError as error:
        messages.error(request, error.detail)
    else:
        note(request, "session-closed", session)
        messages.success(request, "Session closed and sealed.")
    return redirect("recordings:replay", session_id)


def may_close(request: HttpRequest, session: Session) -> bool:
    viewer: Any = request.user
    return viewer.pk in (session.owner_id, session.principal_id) or bool(viewer.is_admin)

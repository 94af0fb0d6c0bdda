"""What every page of a recording does first: fetch what the viewer may see, note the reading."""

import uuid
from datetime import timedelta
from typing import Any

from django.http import Http404, HttpRequest
from django.utils import timezone

from recordings import services
from recordings.models import AuditEntry, Payload, Session

# Parts that a page fetches by itself belong to the reading that was noted when it opened.
_ONE_READING = timedelta(minutes=10)


def session_or_404(request: HttpRequest, session_id: uuid.UUID) -> Session:
    viewer: Any = request.user
    session = Session.objects.visible_to(viewer).filter(pk=session_id).first()
    if session is None:
        raise Http404
    return session


def payload_or_404(session: Session, payload_id: uuid.UUID) -> Payload:
    payload = Payload.objects.filter(session=session, pk=payload_id).first()
    if payload is None:
        raise Http404
    return payload


def actor_of(request: HttpRequest) -> dict[str, Any]:
    """The viewer, as the audit trail keeps them."""
    viewer: Any = request.user
    return dict(viewer.as_principal().as_actor())


def note(
    request: HttpRequest,
    action: str,
    session: Session,
    *,
    after: dict[str, Any] | None = None,
    once: bool = False,
) -> None:
    """Write down who reads. With ``once``, a reading noted minutes ago covers this one."""
    viewer: Any = request.user
    if once and (
        AuditEntry.objects.filter(
            object_kind="session",
            object_id=str(session.pk),
            actor_id=viewer.pk,
            action=action,
            at__gt=timezone.now() - _ONE_READING,
        ).exists()
    ):
        return
    services.audit(
        actor=actor_of(request),
        action=action,
        kind="session",
        object_id=str(session.pk),
        object_name=str(session),
        after=after,
        address=request.META.get("REMOTE_ADDR"),
    )

"""What the gateway does when a request for approval is decided."""

from typing import Any

from django.dispatch import receiver

from accounts.signals import Change, access_changed
from approvals import notify
from approvals.models import ApprovalRequest
from approvals.signals import request_decided
from approvals.states import RequestState
from gateway import cutting
from gateway.claiming import BY_SENDER
from gateway.moves import lock, move
from gateway.queueing import enqueue
from gateway.states import StatementState
from recordings.models import Session
from recordings.signals import event_appended

_AFTER = {
    RequestState.APPROVED: StatementState.QUEUED,
    RequestState.REJECTED: StatementState.REJECTED,
    RequestState.EXPIRED: StatementState.EXPIRED,
    RequestState.WITHDRAWN: StatementState.WITHDRAWN,
    RequestState.REVOKED: StatementState.WITHDRAWN,
}


@receiver(request_decided)
def follow_request(request: ApprovalRequest, reason: str = "", **_: Any) -> None:
    """Move the statement as its request was decided, in the same transaction."""
    statement = lock(request.statement_id)
    target = _AFTER[RequestState(request.state)]
    move(statement, target, **_words(request, reason))
    if target == StatementState.QUEUED:
        enqueue(statement)


def _words(request: ApprovalRequest, reason: str) -> dict[str, str]:
    """The sentence that the one who asked gets to read."""
    if request.state == RequestState.REJECTED:
        vote = request.votes.filter(choice="reject").select_related("reviewer").last()
        if vote is not None:
            text = f"Rejected by {vote.reviewer}: {vote.reason}"
            return {"error_code": "rejected", "error_text": text}
    if request.state == RequestState.EXPIRED:
        text = "Nobody decided in time. Send it again with a new request id if it is still needed."
        return {"error_code": "expired", "error_text": text}
    if request.state == RequestState.WITHDRAWN:
        text = reason or BY_SENDER
        return {"error_code": "withdrawn", "error_text": text}
    if request.state == RequestState.REVOKED:
        text = "The reviewer took the approval back before the statement started."
        return {"error_code": "withdrawn", "error_text": text}
    return {}


@receiver(access_changed)
def follow_access(change: Change, **_: Any) -> None:
    """End what may no longer go on."""
    cutting.cut(change)


@receiver(event_appended)
def show_event(session: Session, **_: Any) -> None:
    """Tell open replays of a session that it went on."""
    notify.row_changed(
        "session",
        session.pk,
        connection_id=session.connection_id,
        people=(session.owner_id, session.principal_id),
    )
